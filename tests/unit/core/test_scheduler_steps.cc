// Passes in steps: how large these are, and what changes between two of them.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "hq/base/random.h"
#include "support/scheduler_world.h"

using namespace hq;
using namespace hq::test;

TEST_CASE("a large plan comes in steps, and its cost follows classes and workers") {
  Cluster c;
  c.check = false;
  c.step_work = Scheduler::kStepWork;
  SeededRandom random(1);
  for (int i = 0; i < 2000; ++i)
    c.add_worker({{"cpus", double(1 + random.below(64))}, {"mem", double(random.below(1000))}});
  for (int i = 0; i < 200; ++i)
    c.add_job({variant({{"cpus", double(1 + random.below(64))}, {"mem", double(1 + random.below(500))}})},
              1000);
  c.plan();
  const uint64_t first = c.steps;
  c.steps = 0;
  c.plan();
  CHECK(first <= 12);
  CHECK(c.steps <= 8);
}

TEST_CASE("no step hands out so much that the loop is held up, whatever it is") {
  constexpr uint32_t kWorkers = 3000;
  struct Case {
    std::string name;
    std::vector<ResourceVariant> variants;
    double min_utilization = 0;
    double seconds = 10;
    uint64_t placements = kWorkers;
  };
  const std::vector<Case> cases{
      {"slots", {variant({{"cpus", 1}})}},
      {"backlogs", {variant({{"cpus", 1}})}, 0, 0.002, 2 * kWorkers},
      {"variants", {variant({{"cpus", 1}}), variant({{"gpus", 1}})}, 0, 10, 2 * kWorkers},
      {"several nodes", {test::nodes(2)}, 0, 10, kWorkers / 2},
      {"least utilisation", {variant({{"cpus", 1}})}, 0.5, 10, kWorkers},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    Cluster c;
    c.check = false;
    for (uint32_t i = 0; i < kWorkers; ++i)
      c.add_worker({{"cpus", 1}, {"gpus", 1}}, "default", one.min_utilization);
    c.add_job(one.variants, 10, one.seconds);
    c.run();  // the durations of its tasks are known then
    c.add_job(one.variants, 1'000'000, one.seconds);
    const std::set<WorkerId> none;
    uint64_t placements = 0;
    for (bool more = true; more;) {
      const Placement placement = c.scheduler.step({c.state, c.now, none, none});
      more = placement.more;
      placements += placement.placed.size();
      CHECK(placement.placed.size() <= 600);
      for (const Placed& placed : placement.placed)
        c.apply(TasksAssigned{placed.worker, pick(c.state, placed)});
    }
    CHECK(placements == one.placements);
  }
}

// --- between two steps ------------------------------------------------------------------------------------

namespace {

// A pass in the smallest steps, one by one: each may be given up.
struct Steps {
  explicit Steps(Cluster& cluster) : c(cluster) {}
  Placement next() {
    const std::set<WorkerId> none;
    return c.scheduler.step({c.state, c.now, c.closed, none}, 1);
  }
  Placement next_placing() {
    Placement placement = next();
    while (placement.placed.empty() && placement.more) placement = next();
    return placement;
  }
  void record(const Placement& placement) {
    for (const Placed& placed : placement.placed)
      c.apply(TasksAssigned{placed.worker, pick(c.state, placed)});
  }
  Cluster& c;
};

}  // namespace

TEST_CASE("what was placed and then given up is free for the next step") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}});
  const JobId first = c.add_job({variant({{"cpus", 3}})}, 1, 1, 5);
  c.add_job({variant({{"cpus", 1}})}, 9);
  Steps steps(c);
  CHECK(steps.next_placing().placed.at(0).priority == 5);
  c.apply(JobCanceled{first, ""});

  const Placement second = steps.next_placing();
  REQUIRE(second.placed.size() == 1);
  CHECK(second.placed[0].worker == worker);
  CHECK(second.placed[0].count == 4);
}

TEST_CASE("a worker that is closed or lost between two steps gets nothing more") {
  for (const bool lost : {false, true}) {
    CAPTURE(lost);
    Cluster c;
    const WorkerId first = c.add_worker({{"cpus", 4}});
    const WorkerId second = c.add_worker({{"cpus", 4}});
    const JobId high = c.add_job({variant({{"cpus", 1}})}, 1, 1, 5);
    c.add_job({variant({{"cpus", 1}})}, 9);
    Steps steps(c);
    const Placement one = steps.next_placing();
    REQUIRE(one.placed.at(0).worker == first);
    steps.record(one);
    c.apply(JobCanceled{high, ""});
    lost ? void(c.apply(WorkerLost{first, LossReason::kStopped, false})) : void(c.closed.insert(first));

    for (Placement more = steps.next_placing(); !more.placed.empty(); more = steps.next_placing()) {
      for (const Placed& placed : more.placed) CHECK(placed.worker == second);
      steps.record(more);
    }
    CHECK(c.state.find_worker(second)->slots == 4);
  }
}

TEST_CASE("workers are read in portions, and change meanwhile") {
  Cluster c;
  const WorkerId closed = c.add_worker({{"cpus", 1}});
  const WorkerId lost = c.add_worker({{"cpus", 1}});
  const WorkerId busy = c.add_worker({{"cpus", 1}});
  const WorkerId not_yet_read = c.add_worker({{"cpus", 1}});
  const WorkerId last = c.add_worker({{"cpus", 1}});
  const JobId job = c.add_job({variant({{"cpus", 1}})}, 9);
  Steps steps(c);
  for (int read = 0; read < 3; ++read) CHECK(steps.next().placed.empty());
  c.closed.insert(closed);
  c.apply(WorkerLost{lost, LossReason::kStopped, false});
  c.apply(TasksAssigned{busy, {{job, {0, 0, 1}, InstanceId(0), 0, true, {}}}});
  c.apply(WorkerLost{not_yet_read, LossReason::kStopped, false});
  const WorkerId joined = c.add_worker({{"cpus", 1}});

  std::map<WorkerId, uint64_t> placed;
  for (int pass = 0; pass < 2; ++pass) {  // one that joins meanwhile may have to wait for the next one
    for (bool more = true; more;) {
      const Placement placement = steps.next();
      for (const Placed& one : placement.placed) placed[one.worker] += one.count;
      steps.record(placement);
      more = placement.more;
    }
  }
  CHECK(placed == std::map<WorkerId, uint64_t>{{last, 1}, {joined, 1}});
}

TEST_CASE("what ends between two steps has room for the next one") {
  for (const bool much_else : {false, true}) {  // more than the state remembers
    CAPTURE(much_else);
    Cluster c;
    const WorkerId first = c.add_worker({{"cpus", 4}});
    const WorkerId other = c.add_worker({{"gpus", 1}});
    const JobId old = c.add_job({variant({{"cpus", 3}})}, 1);
    Steps steps(c);
    steps.record(steps.next_placing());
    while (steps.next().more) continue;
    c.add_job({variant({{"gpus", 1}})}, 1, 1, 5);
    c.add_job({variant({{"cpus", 1}})}, 9);
    steps.record(steps.next_placing());
    c.apply(JobCanceled{old, ""});
    c.state.release_lingering(first, {old, TaskId(0)}, InstanceId(0));
    c.check = false;
    for (uint64_t n = 0; much_else && n < RecentWorkers::kKept; ++n) c.apply(TasksStarted{other, {}});

    const Placement placement = steps.next_placing();
    CHECK(placement.placed.at(0).worker == first);
    CHECK(placement.placed.at(0).count == 4);
  }
}

TEST_CASE("the state tells whose workers have changed, as far back as it remembers") {
  RecentWorkers recent;
  recent.note(WorkerId(1));
  const uint64_t then = recent.count();
  std::vector<uint32_t> seen;
  const auto see = [&](WorkerId id) { seen.push_back(id.value); };
  CHECK(recent.for_each_since(then, see));
  CHECK(seen.empty());
  recent.note(WorkerId(2));
  recent.note(WorkerId(1));
  CHECK(recent.for_each_since(then, see));
  CHECK(seen == std::vector<uint32_t>{2, 1});
  for (uint64_t n = 2; n < RecentWorkers::kKept; ++n) recent.note(WorkerId(3));
  CHECK(recent.for_each_since(then, see));
  recent.note(WorkerId(3));
  seen.clear();
  CHECK_FALSE(recent.for_each_since(then, see));
  CHECK(seen.empty());
}
