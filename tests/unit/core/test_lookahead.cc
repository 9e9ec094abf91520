#include <doctest/doctest.h>

#include "core/scheduler/lookahead.h"
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
