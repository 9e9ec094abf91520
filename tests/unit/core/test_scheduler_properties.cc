// What holds of every plan, on random clusters.
#include <doctest/doctest.h>

#include "hq/base/random.h"
#include "hq/core/explain.h"
#include "support/scheduler_world.h"
#include "support/thin.h"

using namespace hq;
using namespace hq::test;

namespace {

struct RandomCluster {
  explicit RandomCluster(uint64_t seed) : random(seed) {}
  SeededRandom random;
  Cluster c;

  void add_workers(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) {
      Amounts amounts{{"cpus", double(1 + random.below(16))}};
      if (random.below(3) == 0) amounts.emplace_back("gpus", double(1 + random.below(4)));
      if (random.below(2) == 0) amounts.emplace_back("mem", double(random.below(1000)) / 4 + 1);
      c.add_worker(amounts, random.below(2) == 0 ? "a" : "b");
    }
  }
  ResourceVariant any_variant() {
    Amounts amounts{{"cpus", random.below(12) == 0 ? 0.0 : double(1 + random.below(6))}};
    if (random.below(4) == 0) amounts.emplace_back("gpus", double(1 + random.below(8)) / 4);
    if (random.below(3) == 0) amounts.emplace_back("mem", double(1 + random.below(100)) / 4);
    return variant(amounts);
  }
  void add_job(int32_t priorities, uint32_t most_tasks) {
    std::vector<ResourceVariant> variants{any_variant()};
    if (random.below(3) == 0) variants.push_back(any_variant());
    if (random.below(8) == 0) variants = {nodes(uint32_t(1 + random.below(3)))};
    c.add_job(std::move(variants), uint32_t(1 + random.below(most_tasks)),
              0.1 + double(random.below(50)) / 10, int32_t(random.below(uint64_t(priorities))));
  }
  // Tasks that ask for little, and for so much time as they take.
  void add_planned_job(int32_t priorities) {
    ResourceVariant asks = variant({{"cpus", double(1 + random.below(2))}});
    if (random.below(2) == 0) asks.entries.push_back({"gpus", amount(0.5), Policy::kCompact});
    const uint64_t seconds = 1 + random.below(4);
    asks.min_time = std::chrono::seconds(seconds);
    const auto tasks = uint32_t(2 + random.below(5));
    c.add_job({asks}, tasks, double(seconds), int32_t(random.below(uint64_t(priorities))));
  }
};

// A class of the highest priority fits nowhere beside what runs, except where something is reserved or left
// idle for a moment.
void check_conserves_work(const Cluster& c) {
  const auto& priorities = c.state.ready().priorities();
  if (priorities.empty()) return;
  for (const auto& [klass, ready] : priorities.begin()->second) {
    for (const VariantNeed& need : c.state.classes().needs(klass)) {
      if (need.nodes > 0) continue;
      for (const auto& [id, worker] : c.state.alive_workers()) {
        if (worker->gang || c.scheduler.reservation(id) || c.scheduler.left_idle(id)) continue;
        CHECK(fit_count(need, worker->free, worker->total) == 0);
      }
    }
  }
}

// What explain says of a class that waits, worker by worker; "" where nothing stands against it.
std::vector<WorkerConditions> explain(const Cluster& c, ClassId klass, int32_t priority) {
  std::vector<WorkerConditions> rows = conditions(c.state, klass, c.now);
  for (WorkerConditions& row : rows) {
    const WorkerState& worker = *c.state.find_worker(row.worker);
    row.now = worker.gang ? "taken" : not_free_text(c.state, klass, worker, c.now);
    if (row.now.empty()) row.now = kept_text(c.state, c.scheduler, klass, priority, worker, c.now);
  }
  note_too_few(c.state, klass, rows);
  return rows;
}

// Whatever waits beside room for it, in any priority: there is a reason, and explain gives one.
void check_explained(const Cluster& c) {
  for (const auto& [priority, classes] : c.state.ready().priorities()) {
    for (const auto& [klass, ready] : classes) {
      for (const WorkerConditions& row : explain(c, klass, priority)) {
        CAPTURE(row.worker.value);
        CHECK_FALSE((row.enabled() > 0 && row.now.empty()));
      }
    }
  }
}

void check_not_overcommitted(const Cluster& c) {
  for (const auto& [id, worker] : c.state.alive_workers()) {
    for (ResourceIndex r = 0; r < c.state.classes().resource_count(); ++r) {
      CHECK(worker->free.raw(r) >= 0);
    }
    if (worker->gang) CHECK(worker->backlog == 0);
  }
}

}  // namespace

TEST_CASE("no worker is over-committed, and none idles while a task that fits it waits") {
  for (uint64_t seed = 1; seed <= rounds(60); ++seed) {
    CAPTURE(seed);
    RandomCluster r(seed);
    r.c.check = seed <= 10;
    r.c.step_work = seed % 2 == 0 ? 7 : Scheduler::kWholePass;
    r.add_workers(1 + r.random.below(12));
    for (int round = 0; round < 40; ++round) {
      if (r.random.below(2) == 0) r.add_job(3, 20);
      do {  // what was kept for somebody who needs it no more is given out by a pass of its own
        r.c.plan();
      } while (r.c.again_in == Duration::zero());
      check_not_overcommitted(r.c);
      check_conserves_work(r.c);
      check_explained(r.c);
      r.c.now = r.c.now + Duration(int64_t(r.random.below(3'000'000'000)));
      r.c.end_due();
    }
  }
}

TEST_CASE("where little is left to do, workers idle for a moment, and never without a reason") {
  uint64_t idled = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    RandomCluster r(seed);
    r.c.check = seed <= 10;
    r.c.step_work = seed % 2 == 0 ? 7 : Scheduler::kWholePass;
    for (uint64_t i = 0; i <= r.random.below(3); ++i)
      r.c.add_worker({{"cpus", double(2 + r.random.below(4))}, {"gpus", double(r.random.below(3))}});
    for (int i = 0; i < 4; ++i) r.add_planned_job(seed % 3 == 0 ? 2 : 1);
    for (int round = 0; round < 50 && r.c.state.ready().count() > 0; ++round) {
      r.c.plan();
      check_not_overcommitted(r.c);
      check_conserves_work(r.c);
      check_explained(r.c);
      for (const auto& [id, worker] : r.c.state.alive_workers()) idled += r.c.scheduler.left_idle(id) ? 1 : 0;
      r.c.now = r.c.now + Duration(int64_t(100'000'000 * (1 + r.random.below(5))));
      r.c.end_due();
    }
  }
  CHECK(idled > 0);
}

TEST_CASE("whatever could run runs in the end") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    RandomCluster r(seed);
    r.c.check = false;
    r.add_workers(2 + r.random.below(6));
    for (int i = 0; i < 10; ++i) r.add_job(3, 30);
    r.c.run();
    for (const auto& [priority, classes] : r.c.state.ready().priorities()) {
      for (const auto& [klass, ready] : classes) {
        for (const VariantNeed& need : r.c.state.classes().needs(klass)) {
          std::map<std::string, uint32_t> groups;
          for (const auto& [id, worker] : r.c.state.alive_workers()) {
            CHECK_FALSE(could_run(need, *worker, r.c.now));
            ++groups[worker->config->group];
          }
          for (const auto& [name, size] : groups) CHECK((need.nodes == 0 || size < need.nodes));
        }
      }
    }
  }
}

TEST_CASE("nothing is starved by an endless stream of its own priority") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    RandomCluster r(seed);
    r.c.check = false;
    const uint64_t workers = 2 + r.random.below(4);
    for (uint64_t i = 0; i < workers; ++i) r.c.add_worker({{"cpus", double(4 + r.random.below(5))}});
    for (int i = 0; i < 6; ++i)
      r.c.add_job({variant({{"cpus", 1}})}, 1'000'000, 0.5 + double(r.random.below(20)) / 10);
    r.c.run(1s);
    std::vector<JobId> victims;
    for (double cpus : {4.0, 3.0, 0.0}) victims.push_back(r.c.add_job({variant({{"cpus", cpus}})}, 2, 1));
    victims.push_back(r.c.add_job({nodes(2)}, 2, 1));
    r.c.run(120s);
    for (JobId victim : victims) CHECK(r.c.count(victim, TaskState::kFinished) == 2);
  }
}

TEST_CASE("a pass in small steps places the same as a whole one") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::vector<uint64_t> free[2];
    for (int way = 0; way < 2; ++way) {
      RandomCluster r(seed);
      r.c.step_work = way == 0 ? Scheduler::kWholePass : 1;
      r.add_workers(6);
      for (int i = 0; i < 12; ++i) r.add_job(1, 20);
      r.c.plan();
      if (way == 1) CHECK(r.c.steps > 5);
      for (const auto& [id, worker] : r.c.state.alive_workers()) free[way].push_back(worker->running);
    }
    CHECK(free[0] == free[1]);
  }
}
