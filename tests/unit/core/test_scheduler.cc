#include <doctest/doctest.h>

#include <chrono>

#include "support/scheduler_world.h"

using namespace hq;
using namespace hq::test;

// --- variants ---------------------------------------------------------------------------------------------

TEST_CASE("a lone task takes the variant that uses most") {
  for (double second : {2.0, 4.0}) {
    Cluster c;
    c.add_worker({{"cpus", 4}});
    const JobId job = c.add_job({variant({{"cpus", 1}}), variant({{"cpus", second}})}, 1);
    c.plan();
    CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{1, 1}});
  }
}

TEST_CASE("many tasks take the variant of which most run at the same use") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 1}}), variant({{"cpus", 2}})}, 8);
  c.plan();
  CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{0, 4}});
}

TEST_CASE("variants in falling order: alone the first, many the last") {
  for (uint32_t tasks : {1U, 8U}) {
    Cluster c;
    c.add_worker({{"cpus", 4}});
    const JobId job = c.add_job({variant({{"cpus", 4}}), variant({{"cpus", 1}})}, tasks);
    c.plan();
    const auto expected =
        tasks == 1 ? std::map<uint8_t, uint64_t>{{0, 1}} : std::map<uint8_t, uint64_t>{{1, 4}};
    CHECK(c.variants_of(job) == expected);
  }
}

TEST_CASE("a small weight makes a large variant worth less than a small one") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 1}}), variant({{"cpus", 2}}, 1'000)}, 1);
  c.plan();
  CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{0, 1}});
}

TEST_CASE("variants of one array fill a worker together") {
  Cluster c;
  c.add_worker({{"cpus", 16}, {"gpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 1}, {"gpus", 1}}), variant({{"cpus", 4}})}, 20);
  c.plan();
  CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{0, 4}, {1, 3}});
}

TEST_CASE("a task leaves to others behind it what they use just as well") {
  Cluster c;
  const WorkerId first = c.add_worker({{"cpus", 4}});
  c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 4}}), variant({{"cpus", 3}})}, 2);
  const auto two_of = [](uint8_t v) { return std::map<uint8_t, uint64_t>{{v, 2}}; };

  SUBCASE("all of it") {
    const JobId others = c.add_job({variant({{"cpus", 1}})}, 3);
    c.plan();
    CHECK(c.variants_of(job) == two_of(1));
    CHECK(c.running_on(first, others) == 1);
    CHECK(c.running(others) == 2);
  }
  SUBCASE("no more than they want") {
    c.add_job({variant({{"cpus", 1}})}, 1);
    c.plan();
    CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{0, 1}, {1, 1}});
  }
  SUBCASE("not if it is too little for them") {
    c.add_job({variant({{"cpus", 2}})}, 1);
    c.plan();
    CHECK(c.variants_of(job) == two_of(0));
  }
  SUBCASE("not if they find room elsewhere") {
    const WorkerId third = c.add_worker({{"cpus", 8}});
    const JobId others = c.add_job({variant({{"cpus", 1}})}, 8);
    c.plan();
    CHECK(c.variants_of(job) == two_of(0));
    CHECK(c.running_on(third, others) == 8);
  }
  SUBCASE("not to lower priorities") {
    c.add_job({variant({{"cpus", 1}})}, 8, 1, -1);
    c.plan();
    CHECK(c.variants_of(job) == two_of(0));
  }
}

TEST_CASE("what weighs more is not left to others") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 4}}, 20'000), variant({{"cpus", 3}}, 20'000)}, 1);
  c.add_job({variant({{"cpus", 1}})}, 4);
  c.plan();
  CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{0, 1}});
}

TEST_CASE("few tasks spread over workers when larger variants use more") {
  Cluster c;
  const WorkerId first = c.add_worker({{"cpus", 4}});
  const WorkerId second = c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 1}}), variant({{"cpus", 2}})}, 4);
  c.plan();
  CHECK(c.variants_of(job) == std::map<uint8_t, uint64_t>{{1, 4}});
  CHECK(c.running_on(first, job) == 2);
  CHECK(c.running_on(second, job) == 2);
}

TEST_CASE("a heavier class goes before an older one of the same priority") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId older = c.add_job({variant({{"cpus", 1}})}, 8);
  const JobId heavier = c.add_job({variant({{"cpus", 1}}, 30'000)}, 3);
  c.plan();
  CHECK(c.running(heavier) == 3);
  CHECK(c.running(older) == 1);
}

TEST_CASE("tasks without need of a rare resource leave its workers for those that wait for it") {
  Cluster c;
  const WorkerId rich = c.add_worker({{"cpus", 4}, {"gpus", 4}});
  const WorkerId poor = c.add_worker({{"cpus", 4}});
  const JobId plain = c.add_job({variant({{"cpus", 1}})}, 4);
  const JobId gpu = c.add_job({variant({{"cpus", 1}, {"gpus", 1}})}, 4);
  c.plan();
  CHECK(c.running_on(poor, plain) == 4);
  CHECK(c.running_on(rich, gpu) == 4);
}

// --- priorities -------------------------------------------------------------------------------------------

TEST_CASE("lower priorities use what a waiting higher one could not use anyway") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 8);
  const JobId high = c.add_job({variant({{"cpus", 3}})}, 2, 1, 1);
  c.plan();
  CHECK(c.running(high) == 1);
  CHECK(c.running(low) == 1);
}

TEST_CASE("what a waiting higher priority needs is kept from lower ones until it fits") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 3, 5);
  c.plan();
  c.now = c.now + 1s;
  const JobId high = c.add_job({variant({{"cpus", 4}})}, 1, 5, 1);
  const JobId late = c.add_job({variant({{"cpus", 1}})}, 9, 5);
  c.plan();
  CHECK(c.running(low) == 3);
  CHECK(c.running(late) == 0);
  c.now = c.now + 4s;
  c.end_due();
  c.plan();
  CHECK(c.running(high) == 1);
}

TEST_CASE("a higher priority that waits for other resources keeps no cpus idle") {
  Cluster c;
  c.add_worker({{"cpus", 16}, {"gpus", 4}});
  const JobId high = c.add_job({variant({{"cpus", 1}, {"gpus", 1}})}, 10, 1, 1);
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 30);
  c.plan();
  CHECK(c.running(high) == 4);
  CHECK(c.running(low) == 12);
}

TEST_CASE("a higher priority too big for every worker blocks nothing") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  c.add_job({variant({{"cpus", 8}})}, 1, 1, 1);
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 4);
  c.plan();
  CHECK(c.running(low) == 4);
}

TEST_CASE("a smaller task of equal priority goes past a bigger one that waits") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId first = c.add_job({variant({{"cpus", 3}})}, 2);
  const JobId second = c.add_job({variant({{"cpus", 1}})}, 2);
  c.plan();
  CHECK(c.running(first) == 1);
  CHECK(c.running(second) == 1);
}

TEST_CASE("a backlog of lower priority is taken back when a higher priority waits for its worker") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 1}});
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 100, 0.001);
  c.plan();
  c.now = c.now + 1ms;
  c.end_due();
  c.plan();
  REQUIRE(c.state.find_worker(worker)->backlog > 10);
  c.add_job({variant({{"cpus", 1}})}, 1, 5, 1);
  c.plan();
  REQUIRE(c.retractions.size() == 1);
  CHECK(c.retractions[0].worker == worker);
  CHECK(c.running(low) == 1);
}

// --- fairness ---------------------------------------------------------------------------------------------

TEST_CASE("a task for a whole worker gets one under an endless stream of small ones") {
  for (bool older : {true, false}) {
    Cluster c;
    c.add_worker({{"cpus", 4}});
    c.add_worker({{"cpus", 4}});
    JobId whole;
    if (older) whole = c.add_job({variant({{"cpus", 4}})}, 1, 1);
    add_endless_stream(c, 8);
    if (older) {
      CHECK(c.count(whole, TaskState::kFinished) == 1);
      continue;
    }
    whole = c.add_job({variant({{"cpus", 4}})}, 1, 1);
    const WallTime since = c.now;
    c.run(60s);
    REQUIRE(c.first_start.contains(whole));
    CHECK(c.first_start[whole] - since < 15s);
  }
}

TEST_CASE("a request for all of a resource is not starved") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  add_endless_stream(c, 4);
  const JobId whole = c.add_job({variant({{"cpus", 0}})}, 3, 1);
  c.run(100s);
  CHECK(c.count(whole, TaskState::kFinished) == 3);
}

TEST_CASE("a reservation leaves the rest of its worker and all other workers to others") {
  Cluster c;
  const WorkerId first = c.add_worker({{"cpus", 8}});
  const WorkerId second = c.add_worker({{"cpus", 2}});
  add_endless_stream(c, 10);
  const JobId big = c.add_job({variant({{"cpus", 6}})}, 1, 1);
  while (!c.scheduler.reservation(first)) {
    REQUIRE_FALSE(c.first_start.contains(big));
    c.run(30ms);
  }
  CHECK_FALSE(c.scheduler.reservation(second));
  while (!c.first_start.contains(big)) {
    c.run(30ms);
    const WorkerState& worker = *c.state.find_worker(first);
    CHECK(worker.running >= (c.first_start.contains(big) ? 1 : 2));
    CHECK(c.state.find_worker(second)->running == 2);
  }
  c.run(1ms);
  CHECK_FALSE(c.scheduler.reservation(first));
}

TEST_CASE("a class that waits behind equal ones of an older job gets no reservation") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 2}});
  c.add_job({variant({{"cpus", 1}})}, 100, 1);
  c.add_job({variant({{"cpus", 1}, {"mem", 0.5}})}, 10, 1);
  c.add_worker({{"mem", 1}});
  const JobId younger = c.add_job({variant({{"cpus", 1}}, 9'999)}, 10, 1);
  c.run(30s);
  CHECK_FALSE(c.scheduler.reservation(worker));
  CHECK(c.running(younger) == 0);
}

TEST_CASE("what was kept for a class that finds room elsewhere is for others at once") {
  Cluster c;
  const WorkerId kept = c.add_worker({{"cpus", 4}, {"mem", 100}});
  c.add_job({variant({{"cpus", 1}})}, 1, 1000);
  const JobId small = c.add_job({variant({{"cpus", 1}, {"mem", 1}})}, 60, 1);
  const JobId large = c.add_job({variant({{"cpus", 4}})}, 1, 100);
  c.run(15s);
  REQUIRE(c.scheduler.reservation(kept));
  REQUIRE(c.running(small) == 0);

  c.add_worker({{"cpus", 4}});
  c.plan();
  CHECK(c.running(large) == 1);
  REQUIRE(c.again_in);
  c.now = c.now + *c.again_in;
  c.plan();
  CHECK(c.running(small) == 3);
}

TEST_CASE("a worker stays reserved for a task that it could not start after all") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 2}});
  c.add_job({variant({{"cpus", 1}})}, 100, 1);
  SubmitDescription submit = test::submit().cpus(2).value();
  submit.task.request.variants[0].entries[0].policy = Policy::kForceCompact;
  const JobId strict = c.add_job(submit, 100);
  while (c.running(strict) == 0) c.run(100ms);
  CHECK_FALSE(c.scheduler.reservation(worker));

  const ClassId klass = c.state.find_job(strict)->groups[0]->klass(0);
  c.apply(TasksReturned{worker, {{{strict, TaskId(0)}, InstanceId(0), {}}}});
  c.refused.insert({worker, klass});
  c.scheduler.note_refused(0, klass);
  c.plan();
  CHECK(c.scheduler.reservation(worker) == Reservation{0, klass, false});
  c.refused.clear();
  c.plan();
  CHECK(c.running(strict) == 1);
}

TEST_CASE("what a worker starts out of a mixed backlog may leave room for others") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}});
  const JobId small = c.add_job({variant({{"cpus", 2}})}, 2);
  const JobId large = c.add_job({variant({{"cpus", 3}})}, 1);
  const auto backlog = [](JobId job, uint32_t task) {
    return AssignedRange{job, {task, task, 1}, InstanceId(0), 0, false, {}};
  };
  const auto start = [&](uint32_t task) {
    return c.apply(TasksStarted{worker, {{{small, TaskId(task)}, InstanceId(0), 0, c.now}}}).wake_scheduler;
  };

  c.apply(TasksAssigned{worker, {backlog(small, 0)}});
  CHECK_FALSE(start(0));
  c.apply(TasksAssigned{worker, {backlog(large, 0), backlog(small, 1)}});
  CHECK(start(1));
}

TEST_CASE("what starts out of a backlog keeps less from lower priorities") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 5}});
  const JobId high = c.add_job({variant({{"cpus", 3}}), variant({{"cpus", 4}})}, 10, 1, 2);
  c.add_job({variant({{"cpus", 2}})}, 1, 1, 1);
  c.apply(TasksAssigned{worker, {{high, {0, 0, 1}, InstanceId(0), 0, false, {}}}});
  CHECK(c.apply(TasksStarted{worker, {{{high, TaskId(0)}, InstanceId(0), 0, c.now}}}).wake_scheduler);
}

// --- time requests, least utilisation, watched workers
// ------------------------------------------------------

TEST_CASE("what is kept for a higher priority is given out when the worker's life is too short for that") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}}, "default", 0, 10s);
  ResourceVariant whole = variant({{"cpus", 4}});
  whole.min_time = 3s;
  c.add_job({variant({{"cpus", 1}})}, 1, 100);
  c.plan();
  c.add_job({whole}, 1, 3, 1);
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 3, 100);
  c.run(6900ms);
  CHECK(c.running_on(worker, low) == 0);
  c.run(200ms);
  CHECK(c.running_on(worker, low) == 3);
}

TEST_CASE("a time request is only placed where the worker lives long enough") {
  Cluster c;
  const WorkerId brief = c.add_worker({{"cpus", 4}}, "default", 0, 10s);
  const WorkerId lasting = c.add_worker({{"cpus", 1}});
  ResourceVariant v = variant({{"cpus", 1}});
  v.min_time = 60s;
  const JobId job = c.add_job({v}, 3);
  c.plan();
  CHECK(c.running_on(brief, job) == 0);
  CHECK(c.running_on(lasting, job) == 1);
}

TEST_CASE("a worker with a least utilisation starts nothing below it") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}}, "default", 0.6);
  const JobId two = c.add_job({variant({{"cpus", 1}})}, 2, 1);
  c.plan();
  CHECK(c.running(two) == 0);
  const JobId third = c.add_job({variant({{"cpus", 1}})}, 1, 2);
  c.plan();
  CHECK(c.running(two) + c.running(third) == 3);
  CHECK(c.state.find_worker(worker)->running == 3);
}

TEST_CASE("what a least utilisation refuses runs on other workers") {
  Cluster c;
  c.add_worker({{"cpus", 4}}, "default", 1.0);
  c.add_worker({{"cpus", 4}}, "default", 1.0);
  const WorkerId plain = c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 1}})}, 7, 1);
  c.plan();
  CHECK(c.running_on(WorkerId(1), job) == 4);
  CHECK(c.running_on(WorkerId(2), job) == 0);
  CHECK(c.running_on(plain, job) == 3);
}

TEST_CASE("a watched worker gets no more than it may, and no backlog") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}});
  c.at_most[worker] = 1;
  const JobId job = c.add_job({variant({{"cpus", 1}})}, 100, 0.001);
  c.plan();
  CHECK(c.running(job) == 1);
  c.now = c.now + 1ms;
  c.end_due();
  c.at_most[worker] = 0;
  c.plan();
  CHECK(c.running(job) == 0);
  CHECK(c.state.find_worker(worker)->backlog == 0);
}

TEST_CASE(
    "the backlog of a worker that is watched from now on is taken back at once, though nobody else is idle") {
  Cluster c;
  const WorkerId watched = c.add_worker({{"cpus", 1}});
  const JobId job = c.add_job({variant({{"cpus", 1}})}, 1000, 0.001);
  c.run(10ms);
  c.plan();
  REQUIRE(c.state.find_worker(watched)->backlog > 0);

  c.at_most[watched] = 0;
  c.plan();

  CHECK(c.retractions.size() == 1);
  CHECK(c.state.find_worker(watched)->backlog == 0);
  CHECK(c.waiting(job) > 0);
}

TEST_CASE("nothing is taken back from others for a watched worker") {
  Cluster c;
  const WorkerId watched = c.add_worker({{"cpus", 4}});
  const WorkerId other = c.add_worker({{"cpus", 1}});
  c.at_most[watched] = 0;
  c.add_job({variant({{"cpus", 1}})}, 1000, 0.001);
  c.run(10ms);
  REQUIRE(c.state.find_worker(other)->backlog > 0);

  c.now = c.now + 1s;
  c.at_most[watched] = 1;
  c.plan();

  CHECK(c.retractions.empty());
  CHECK(c.state.find_worker(watched)->running == 1);
}

TEST_CASE("a watched worker is taken for several nodes when it may get a task, and after all others") {
  Cluster c;
  for (int i = 0; i < 3; ++i) c.add_worker({{"cpus", 4}});
  c.at_most[WorkerId(1)] = 1;
  const JobId job = c.add_job({nodes(2)}, 2);
  const auto placed = c.plan();
  REQUIRE(placed.size() == 1);
  CHECK(placed[0].nodes == std::vector<WorkerId>{WorkerId(2), WorkerId(3)});
  c.add_worker({{"cpus", 4}});

  c.at_most[WorkerId(1)] = 0;
  CHECK(c.plan().empty());
  c.at_most[WorkerId(1)] = 1;
  CHECK(c.plan().size() == 1);
  CHECK(c.running(job) == 2);
}

TEST_CASE("a class that a worker could not start is not placed there again") {
  Cluster c;
  const WorkerId worker = c.add_worker({{"cpus", 4}});
  const JobId job = c.add_job({variant({{"cpus", 2}})}, 1);
  c.refused.insert({worker, ClassId(0)});
  c.plan();
  CHECK(c.running(job) == 0);
  c.refused.clear();
  c.plan();
  CHECK(c.running(job) == 1);
}

// --- order within a priority ------------------------------------------------------------------------------

TEST_CASE("tasks of which few fit at a time do not stay to the end, where they would run alone") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  c.add_job({variant({{"cpus", 1}})}, 8, 1);
  c.add_job({variant({{"cpus", 3}})}, 4, 1);
  const WallTime begin = c.now;
  c.run();
  CHECK(c.now - begin == 5s);
}

TEST_CASE("while no duration is known, large tasks begin before many small ones, not after them") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId small = c.add_job({variant({{"cpus", 1}})}, 12);
  const JobId large = c.add_job({variant({{"cpus", 3}})}, 2);
  c.plan();
  CHECK(c.running(large) == 1);
  CHECK(c.running(small) == 1);
}

TEST_CASE("in a long queue the older job goes first all the same") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  const JobId older = c.add_job({variant({{"cpus", 1}})}, 400, 1);
  const JobId younger = c.add_job({variant({{"cpus", 3}})}, 10, 1);
  c.plan();
  CHECK(c.running(older) == 4);
  CHECK(c.running(younger) == 0);
}

TEST_CASE("an older task is not starved by a stream of younger jobs that are urgent") {
  Cluster c;
  c.add_worker({{"cpus", 4}});
  c.check = false;
  c.add_job({variant({{"cpus", 1}})}, 4, 1.3);
  c.plan();
  const JobId whole = c.add_job({variant({{"cpus", 4}})}, 1, 0.5);
  const JobId small = c.add_job({variant({{"cpus", 0.5}})}, 1, 0.5);
  for (uint32_t i = 0; i < 40; ++i) {
    c.add_job({variant({{"cpus", double(1 + i % 3)}})}, 6, 1.1 + 0.1 * (i % 5));
    c.run(1s);
  }
  CHECK(c.count(whole, TaskState::kFinished) == 1);
  CHECK(c.count(small, TaskState::kFinished) == 1);
}

TEST_CASE("what takes long by its time request begins before what is done soon") {
  Cluster c;
  c.add_worker({{"cpus", 2}});
  ResourceVariant brief = variant({{"cpus", 1}});
  brief.min_time = 3s;
  ResourceVariant lengthy = variant({{"cpus", 1}});
  lengthy.min_time = 4s;
  c.add_job({brief}, 2, 3);
  const JobId last = c.add_job({lengthy}, 1, 4);
  const WallTime begin = c.now;
  c.plan();
  CHECK(c.running(last) == 1);
  c.run();
  CHECK(c.now - begin == 6s);
}
