#include <doctest/doctest.h>

#include "core/scheduler/lookahead.h"
#include "hq/core/explain.h"
#include "support/scheduler_world.h"

using namespace hq;
using test::Cluster;
using test::variant;

namespace {

constexpr uint64_t kWork = 200'000;

Ahead::Kind kind(uint32_t count, double seconds, std::vector<std::vector<int64_t>> variants,
                 size_t machines) {
  Ahead::Kind out;
  out.count = count;
  out.seconds = seconds;
  for (auto& asks : variants) out.variants.push_back({std::move(asks), 0});
  for (size_t m = 0; m < machines; ++m) out.machines.push_back(m);
  return out;
}

Ahead::Machine machine(std::vector<int64_t> amounts) {
  return {amounts, amounts, 1e9};
}

AheadOrder in_order(const Ahead& ahead) {
  AheadOrder order;
  for (uint32_t k = 0; k < ahead.kinds.size(); ++k)
    order.turns.insert(order.turns.end(), ahead.kinds[k].count, {k, AheadTurn::kAny});
  return order;
}

// Seconds until all is done, when the whole rest is asked about again at each end.
double seconds_of(Cluster& c) {
  const WallTime begin = c.now;
  c.run();
  REQUIRE(c.state.ready().count() == 0);
  return double((c.now - begin).count()) / 1e9;
}

ResourceVariant lasting(const test::Amounts& amounts, int seconds) {
  ResourceVariant out = variant(amounts);
  out.min_time = std::chrono::seconds(seconds);
  return out;
}

// Two tasks run, one on each worker. Then come a large one, for which the second worker alone will do, and a
// small one, for which the second has room at once and the first in `first` seconds: a small one that starts
// at once makes the large one wait for its end.
struct WorthWaiting {
  Cluster c;
  WorkerId small_worker = c.add_worker({{"cpus", 1}});
  WorkerId large_worker = c.add_worker({{"cpus", 2}, {"gpus", 1}});
  JobId large{0};
  JobId small{0};

  // The first tasks are said to last `said` seconds, and last `first`.
  explicit WorthWaiting(int said, double first) {
    c.add_job({lasting({{"cpus", 1}}, said)}, 2, first);
    c.plan();
    large = c.add_job({lasting({{"cpus", 2}, {"gpus", 1}}, 4 * said)}, 1, 4 * said);
    small = c.add_job({lasting({{"cpus", 1}}, 3 * said)}, 1, 3 * said);
  }
  [[nodiscard]] std::string why_waits(JobId job) const {
    const TaskGroup& group = *c.state.find_job(job)->groups[0];
    const WorkerState& worker = *c.state.find_worker(large_worker);
    return kept_text(c.state, c.scheduler, group.klass(0), group.priority(0), worker, c.now);
  }
};

}  // namespace

TEST_CASE("a look ahead finds an order in which all is done sooner") {
  // Three tasks run at a time. Longest first takes 7 seconds; 3 + 3 beside 2 + 2 + 2, twice, takes 6.
  Ahead ahead;
  ahead.machines = {machine({4}), machine({3})};
  ahead.kinds = {kind(2, 3, {{2}}, 2), kind(6, 2, {{2}}, 2)};
  LookAhead search(ahead);
  REQUIRE(search.search(in_order(ahead), {}, kWork));
  CHECK(search.starts().size() == 3);
  size_t longer = 0;
  for (const AheadStart& start : search.starts()) longer += start.kind == 0 ? 1 : 0;
  CHECK(longer == 1);
  CHECK(search.rest().turns.size() == 5);
}

TEST_CASE("the usual order stays where no other is better") {
  Ahead ahead;
  ahead.machines = {machine({4})};
  ahead.kinds = {kind(4, 2, {{1}}, 1), kind(4, 3, {{1}}, 1)};
  CHECK_FALSE(LookAhead(ahead).search(in_order(ahead), {}, kWork));
}

TEST_CASE("a look ahead counts what runs, and spends no more than it may") {
  Ahead ahead;
  ahead.machines = {machine({2})};
  ahead.machines[0].free = {1};
  ahead.running = {{0, 3, {1}}};
  ahead.kinds = {kind(3, 1, {{1}}, 1), kind(1, 3, {{1}}, 1), kind(2, 1.5, {{1}}, 1)};
  LookAhead search(ahead);
  (void)search.search(in_order(ahead), {}, 1000);
  CHECK(search.spent() < 2000);
}

TEST_CASE("a task takes the variant with which all is done soonest") {
  // The GPU tasks could all wait for the one GPU; half of them on two cpus each are done sooner.
  Cluster c;
  c.add_worker({{"cpus", 4}, {"gpus", 1}});
  c.add_job({lasting({{"cpus", 1}, {"gpus", 1}}, 2), lasting({{"cpus", 2}}, 2)}, 4, 2);
  c.add_job({lasting({{"cpus", 1}}, 2)}, 2, 2);
  CHECK(seconds_of(c) == 4);
}

TEST_CASE("few tasks of known durations are done in the least time possible") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  c.add_worker({{"cpus", 3}});
  c.add_job({lasting({{"cpus", 2}}, 3)}, 2, 3);
  c.add_job({lasting({{"cpus", 2}}, 2)}, 6, 2);
  CHECK(seconds_of(c) == 6);
}

TEST_CASE("tasks that need a scarce worker are not kept from it by others that could go elsewhere") {
  Cluster c;
  c.add_worker({{"cpus", 2}, {"gpus", 1}});
  c.add_worker({{"cpus", 3}});
  c.add_worker({{"cpus", 7}});
  c.add_job({lasting({{"cpus", 2}, {"gpus", 0.5}}, 1)}, 3, 1);
  c.add_job({lasting({{"cpus", 2}}, 3)}, 6, 3);
  c.add_job({lasting({{"cpus", 1}, {"gpus", 0.5}}, 2)}, 5, 2);
  c.add_job({lasting({{"cpus", 2}}, 2)}, 3, 2);
  CHECK(seconds_of(c) == 9);
}

TEST_CASE("a look ahead leaves room empty where all is done sooner so, but not for long") {
  Ahead ahead;
  ahead.machines = {machine({1, 0}), machine({2, 1})};
  ahead.machines[0].free = {0, 0};
  ahead.machines[1].free = {1, 1};
  ahead.running = {{0, 2, {1, 0}}, {1, 2, {1, 0}}};
  ahead.kinds = {kind(1, 8, {{2, 1}}, 2), kind(1, 6, {{1, 0}}, 2)};

  SUBCASE("until the next end") {
    ahead.most_wait = 2;
    LookAhead search(ahead);
    REQUIRE(search.search(in_order(ahead), {}, kWork));
    CHECK(search.starts().empty());
    CHECK(search.left_idle() == std::vector<size_t>{1});
    CHECK(search.next_end() == 2);
    // The next time it is found again, however little is spent on it.
    LookAhead again(ahead);
    CHECK(again.search(in_order(ahead), search.rest(), 1));
  }
  SUBCASE("nothing ends soon enough") {
    ahead.most_wait = 1.9;
    CHECK_FALSE(LookAhead(ahead).search(in_order(ahead), {}, kWork));
  }
  SUBCASE("it has to be worth it") {
    ahead.most_wait = 2;
    ahead.kinds[0].seconds = 100;  // done after 102 seconds instead of 106
    CHECK_FALSE(LookAhead(ahead).search(in_order(ahead), {}, kWork));
  }
}

TEST_CASE("a worker idles until the next task ends where all is done sooner so, and explain says it") {
  WorthWaiting w(1, 1);
  w.c.plan();
  CHECK(w.c.waiting(w.small) == 1);
  CHECK(w.c.scheduler.left_idle(w.large_worker) == 0);
  CHECK_FALSE(w.c.scheduler.left_idle(w.small_worker));
  CHECK(w.why_waits(w.small) == "it is kept until the next task ends, as all is done sooner that way");

  CHECK(seconds_of(w.c) == 5);
  CHECK_FALSE(w.c.scheduler.left_idle(w.large_worker));
}

TEST_CASE("what is left idle does not go to lower priorities") {
  WorthWaiting w(1, 1);
  const JobId lower = w.c.add_job({lasting({{"cpus", 1}}, 1)}, 1, 1, -1);
  const JobId lower_gang = w.c.add_job({test::nodes(1)}, 1, 1, -1);
  w.c.plan();
  CHECK(w.c.scheduler.left_idle(w.large_worker) == 0);
  CHECK(w.c.waiting(lower) == 1);
  CHECK(w.c.waiting(lower_gang) == 1);
  CHECK(w.why_waits(lower) == "it is kept for tasks of higher priority");
}

TEST_CASE("nothing is left idle for a task that runs longer than it should") {
  WorthWaiting w(1, 50);
  w.c.run(1050ms);
  CHECK(w.c.waiting(w.small) == 1);
  w.c.run(100ms);
  CHECK(w.c.running_on(w.large_worker, w.small) == 1);
}

TEST_CASE("nothing is left idle for more than a minute") {
  WorthWaiting soon(60, 60);
  soon.c.plan();
  CHECK(soon.c.waiting(soon.small) == 1);

  WorthWaiting late(61, 61);
  late.c.plan();
  CHECK(late.c.running_on(late.large_worker, late.small) == 1);
}

TEST_CASE("nothing is left idle for a minute over and over") {
  // Nobody hears that the first tasks have started, so they never seem to be late.
  WorthWaiting w(50, 1000);
  w.c.plan();
  CHECK(w.c.waiting(w.small) == 1);
  for (int i = 0; i < 61; ++i) {
    w.c.now = w.c.now + 1s;
    w.c.plan();
  }
  CHECK(w.c.running_on(w.large_worker, w.small) == 1);
}

TEST_CASE("there is no look ahead where it matters which cpus tasks share") {
  for (bool indices : {false, true}) {
    CAPTURE(indices);
    Cluster c;
    const auto add_worker = [&](uint32_t cpus) {
      auto config = std::make_shared<WorkerConfig>();
      if (indices) {
        config->resources.items.push_back({"cpus", ResourceSpan{0, cpus - 1}});
      } else {
        config->resources.items.push_back({"cpus", ResourceSum{Amount::units(cpus)}});
      }
      if (cpus > 1) config->resources.items.push_back({"gpus", ResourceSum{Amount::units(1)}});
      const WorkerId id = c.state.next_worker_id();
      c.apply(WorkerConnected{id, WorkerUid(id.value), config});
      return id;
    };
    add_worker(1);
    const WorkerId larger = add_worker(2);
    c.add_job({lasting({{"cpus", 1}}, 1)}, 2, 1);
    c.plan();
    c.add_job({lasting({{"cpus", 2}, {"gpus", 1}}, 4)}, 1, 4);
    c.add_job({lasting({{"cpus", 0.75}}, 3)}, 1, 3);
    c.plan();
    CHECK(c.scheduler.left_idle(larger).has_value() != indices);
  }
}
