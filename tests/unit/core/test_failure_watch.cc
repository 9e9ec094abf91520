#include <doctest/doctest.h>

#include "hq/core/failure_watch.h"
#include "support/builders.h"

using namespace hq;

namespace {

using Found = std::vector<WorkerId>;

// Workers that run what the test says, and the watch over them.
struct Watched {
  State state;
  FailureWatch watch;
  WallTime now{1'000'000'000'000};
  uint32_t next_task = 0;

  ~Watched() { state.check_invariants(); }  // once: it looks at every task

  Effects apply(Event event) { return state.apply({now, std::move(event)}); }
  WorkerId add_worker() {
    const WorkerId id = state.next_worker_id();
    apply(
        WorkerConnected{id, WorkerUid(id.value), std::make_shared<WorkerConfig>(test::worker_config(4000))});
    return id;
  }
  JobId add_job(uint32_t tasks = 100'000, bool open = false) {
    const JobId id = state.next_job_id();
    if (open) apply(JobOpened{id, JobUid(id.value), "j", {}});
    apply(JobSubmitted{id, JobUid(id.value), open, "j", {}, test::submit().array(0, tasks).shared()});
    return id;
  }
  // The next tasks of the job start there; their ids.
  std::vector<TaskId> start(WorkerId worker, JobId job, uint32_t count) {
    const uint32_t first = next_task;
    next_task += count;
    apply(TasksAssigned{worker, {{job, {first, first + count - 1, 1}, InstanceId(0), 0, true, {}}}});
    TasksStarted started{worker, {}};
    std::vector<TaskId> ids;
    for (uint32_t id = first; id < next_task; ++id) {
      started.tasks.push_back({{job, TaskId(id)}, InstanceId(0), 0, now});
      ids.emplace_back(id);
    }
    apply(started);
    return ids;
  }
  Found end(WorkerId worker, JobId job, const std::vector<TaskId>& ids, std::optional<FailureKind> failure,
            float ran_s = 0.005F) {
    TasksEnded ended{worker, {}};
    for (TaskId id : ids) {
      TaskEnd end;
      end.task = {job, id};
      end.finished = !failure;
      end.at = now;
      end.usage.ran_s = ran_s;
      if (failure) end.failure = {*failure, 1, {}};
      ended.tasks.push_back(end);
    }
    watch.note(state, apply(ended).ended, now);
    return watch.judge(state, now);
  }
  // Long enough for all to be told.
  Found settle() {
    now = now + 300ms;
    return watch.judge(state, now);
  }
  Found run(WorkerId worker, JobId job, uint32_t count, std::optional<FailureKind> failure) {
    return end(worker, job, start(worker, job, count), failure);
  }
  Found finish(WorkerId worker, JobId job, uint32_t count) { return run(worker, job, count, {}); }
  Found fail(WorkerId worker, JobId job, uint32_t count) {
    return run(worker, job, count, FailureKind::kExit);
  }
};

}  // namespace

TEST_CASE("a worker that fails all beside others that finish theirs is suspect, with the reason") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  CHECK(w.finish(good, job, 100).empty());
  CHECK(w.fail(bad, job, 9).empty());

  CHECK(w.fail(bad, job, 1).empty());  // others may be about to say the same
  CHECK(w.watch.in_question(w.now, 1s) == std::set<WorkerId>{bad});
  CHECK(w.settle() == Found{bad});

  CHECK_FALSE(w.watch.has_questions());
  const Suspicion* suspicion = w.watch.find(bad);
  REQUIRE(suspicion != nullptr);
  CHECK(suspicion->job == job);
  CHECK(suspicion->counts == FailureCounts{10, 10, 0, 100});
  CHECK(suspicion->log10_chance < -6);
  CHECK(suspicion->example == TaskId(109));
  CHECK(suspicion->failure == "Program terminated with exit code 1.");
  CHECK(suspicion->since == w.now);
  CHECK(w.watch.find(good) == nullptr);
}

TEST_CASE("what follows is counted, and the worker is named once") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  w.finish(good, job, 100);
  w.fail(bad, job, 10);
  REQUIRE(w.settle() == Found{bad});

  CHECK(w.fail(bad, job, 5).empty());
  CHECK(w.settle().empty());
  CHECK(w.finish(bad, job, 2).empty());

  CHECK(w.watch.find(bad)->failed_since == 5);
  CHECK(w.watch.find(bad)->ended_since == 7);
}

TEST_CASE("where all fail nobody is suspect") {
  Watched w;
  const JobId job = w.add_job();
  for (int i = 0; i < 5; ++i) w.add_worker();
  for (int round = 0; round < 20; ++round) {
    for (uint32_t id = 1; id <= 5; ++id) CHECK(w.fail(WorkerId(id), job, 20).empty());
    CHECK(w.settle().empty());
  }
}

TEST_CASE("of failures that begin on all workers at once the first to be told blames nobody") {
  Watched w;
  const JobId job = w.add_job();
  for (int i = 0; i < 10; ++i) w.add_worker();
  for (uint32_t id = 1; id <= 10; ++id) w.finish(WorkerId(id), job, 200);

  for (uint32_t id = 1; id <= 10; ++id) CHECK(w.fail(WorkerId(id), job, 50).empty());

  CHECK(w.settle().empty());
  CHECK_FALSE(w.watch.has_questions());
}

TEST_CASE("tasks that run for hours elsewhere speak against a worker when they have outlasted its own") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  w.now = w.now + 1s;
  w.start(good, job, 40);
  w.fail(bad, job, 20);
  w.now = w.now + 253ms;  // it took 5 ms to fail, and the word of an end may be as late as that
  CHECK(w.watch.judge(w.state, w.now).empty());
  CHECK(w.watch.has_questions());

  w.now = w.now + 6ms;

  CHECK(w.watch.judge(w.state, w.now) == Found{bad});
  CHECK(w.watch.find(bad)->counts == FailureCounts{20, 20, 0, 40});
  CHECK(w.watch.judge(w.state, w.now).empty());
}

TEST_CASE("a worker is in question until what it is measured by has ended") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  const auto running = w.start(good, job, 40);
  w.end(bad, job, w.start(bad, job, 20), FailureKind::kExit, 1000);
  for (int i = 0; i < 10; ++i) CHECK(w.settle().empty());
  CHECK(w.watch.has_questions());
  CHECK(w.watch.in_question(w.now, 1s).empty());  // for a long time now
  w.end(good, job, running, FailureKind::kExit, 1000);
  CHECK(w.settle().empty());
  CHECK_FALSE(w.watch.has_questions());
}

TEST_CASE("tasks that outlast the failed ones on the same worker speak for it") {
  Watched w;
  const JobId job = w.add_job();
  for (int i = 0; i < 10; ++i) w.add_worker();
  // One in ten fails at once, on each worker; the others run on.
  for (uint32_t id = 1; id <= 10; ++id) w.start(WorkerId(id), job, 160);
  w.now = w.now + 100ms;
  for (int i = 0; i < 17; ++i) {
    for (uint32_t id = 1; id <= 10; ++id) CHECK(w.fail(WorkerId(id), job, 1).empty());
  }
  for (int i = 0; i < 20; ++i) CHECK(w.settle().empty());
}

TEST_CASE("limits, losses and cancels are no failures of a worker") {
  Watched w;
  const WorkerId slow = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  w.finish(good, job, 1000);
  CHECK(w.run(slow, job, 100, FailureKind::kTimeLimit).empty());
  CHECK_FALSE(w.watch.has_books());
  for (FailureKind kind : {FailureKind::kErrorFile, FailureKind::kLaunch})
    CHECK(w.run(slow, job, 4, kind).empty());
  w.run(slow, job, 4, FailureKind::kBeforeLaunch);
  CHECK(w.settle() == Found{slow});
  CHECK(w.watch.find(slow)->counts == FailureCounts{12, 12, 0, 1000});
}

TEST_CASE("several bad workers are found out one after the other") {
  Watched w;
  const JobId job = w.add_job();
  for (int i = 0; i < 6; ++i) w.add_worker();
  Found found;
  for (int round = 0; round < 100; ++round) {
    for (uint32_t id = 1; id <= 4; ++id) {
      for (WorkerId worker : w.fail(WorkerId(id), job, 5)) found.push_back(worker);
    }
    w.finish(WorkerId(5), job, 1);
    w.finish(WorkerId(6), job, 1);
    for (WorkerId worker : w.settle()) found.push_back(worker);
  }
  std::sort(found.begin(), found.end());
  CHECK(found == Found{WorkerId(1), WorkerId(2), WorkerId(3), WorkerId(4)});
}

TEST_CASE("jobs are judged apart") {
  Watched w;
  const WorkerId worker = w.add_worker();
  const WorkerId other = w.add_worker();
  const JobId sound = w.add_job();
  w.finish(other, sound, 500);
  const JobId broken = w.add_job();
  w.next_task = 0;

  w.fail(worker, broken, 50);
  CHECK(w.settle().empty());  // that others finish tasks of another job says nothing
}

TEST_CASE("what ended before the first failure counts") {
  Watched w;
  const WorkerId tried = w.add_worker();
  const WorkerId other = w.add_worker();
  const JobId job = w.add_job();
  w.finish(tried, job, 5000);
  w.finish(other, job, 50);
  CHECK_FALSE(w.watch.has_books());

  w.fail(tried, job, 20);
  CHECK(w.settle().empty());  // 20 of 5020 are no wonder beside 0 of 50

  CHECK(w.watch.has_books());
}

TEST_CASE("a cleared worker starts anew, and what it did is no measure for others") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  w.finish(good, job, 100);
  w.fail(bad, job, 5000);
  w.settle();
  REQUIRE(w.watch.find(bad) != nullptr);

  w.watch.clear(bad);

  CHECK(w.watch.find(bad) == nullptr);
  CHECK(w.finish(bad, job, 100).empty());
  CHECK(w.fail(bad, job, 9).empty());
  CHECK(w.fail(good, job, 1).empty());
  CHECK(w.settle().empty());
  w.fail(bad, job, 91);
  w.settle();
  REQUIRE(w.watch.find(bad) != nullptr);
  CHECK(w.watch.find(bad)->counts.ended_elsewhere == 101);
}

TEST_CASE("a job that ends is judged once more, and forgotten") {
  Watched w;
  const WorkerId bad = w.add_worker();
  const WorkerId good = w.add_worker();
  const JobId job = w.add_job();
  w.finish(good, job, 12);
  CHECK(w.fail(bad, job, 10).empty());  // not beyond chance yet
  CHECK(w.finish(good, job, 1).empty());

  CHECK(w.watch.close_job(w.state, job, w.now) == Found{bad});

  CHECK_FALSE(w.watch.has_books());
  CHECK(w.watch.find(bad) != nullptr);
}

TEST_CASE("jobs too small to tell anything have no books") {
  Watched w;
  const WorkerId worker = w.add_worker();
  w.fail(worker, w.add_job(9), 9);
  CHECK_FALSE(w.watch.has_books());
}

TEST_CASE("tasks of several nodes are not held against the first of them") {
  Watched w;
  const WorkerId root = w.add_worker();
  const WorkerId node = w.add_worker();
  const JobId job = w.state.next_job_id();
  w.apply(JobSubmitted{job, JobUid(1), false, "j", {}, test::submit().array(0, 100).nodes(2).shared()});
  for (uint32_t id = 0; id < 20; ++id) {
    w.apply(TasksAssigned{root, {{job, {id, id, 1}, InstanceId(0), 0, true, {root, node}}}});
    CHECK(w.end(root, job, {TaskId(id)}, FailureKind::kExit).empty());
  }
  CHECK_FALSE(w.watch.has_books());
}
