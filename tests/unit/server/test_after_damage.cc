// A server that comes back with a journal of which something is gone.
#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

namespace {

constexpr Duration kGathering = 10s;  // of the server

WorkerConfig quick(uint32_t cpus) {
  WorkerConfig config = worker_config(cpus);
  config.heartbeat_interval = 1s;
  return config;
}

// A worker that runs task 1 of three and has task 2; the server has crashed.
struct Crashed {
  TestServer s{true};
  TestWorker* old;
  JobId job;

  Crashed() {
    old = &s.add_worker(quick(2));
    job = s.submit(submit().array(1, 3));
    old->runs();
    old->started(job, 1);
    s.options.after_damage = true;
  }
  // The worker is back, and has these.
  TestWorker& come_back(std::vector<msg::HeldTask> held, std::vector<msg::EndedTask> ended = {}) {
    TestWorker& worker = s.reconnect(*old);
    msg::Hello hello = worker.hello();
    hello.held = std::move(held);
    hello.ended = std::move(ended);
    worker.say(hello);
    s.turn();
    unwanted = worker.heard<msg::Welcome>().unwanted;
    return worker;
  }
  std::vector<msg::HeldTask> unwanted;
};

}  // namespace

TEST_CASE("after damage a task that its worker does not know any more gets a new instance") {
  Crashed c;
  c.s.restart();

  TestWorker& worker = c.come_back({c.old->held(c.job, 2, false)});

  CHECK(c.s.instance(c.job, 1) == 1);
  CHECK(c.s.instance(c.job, 2) == 0);
  CHECK(c.s.job(c.job).losses.empty());
  const auto& events = c.s.journal.commits().back();
  const bool told = std::any_of(events.begin(), events.end(), [&](const Record& record) {
    const auto* returned = std::get_if<TasksReturned>(&record.event);
    return returned != nullptr && returned->tasks.size() == 1 &&
           returned->tasks[0].task == JobTask{c.job, TaskId(1)} &&
           returned->tasks[0].lost == LossReason::kStopped;
  });
  CHECK(told);
  const auto runs = worker.runs();
  CHECK(std::any_of(runs.begin(), runs.end(),
                    [](const msg::Run& run) { return run.ids.first == 1 && run.instance == InstanceId(1); }));
}

TEST_CASE("after damage only what was handed out before it is in doubt") {
  Crashed c;
  c.s.restart();
  TestWorker& worker = c.come_back({c.old->held(c.job, 1, true), c.old->held(c.job, 2, false)});

  TestWorker& again = c.s.reconnect(worker);
  again.say(again.hello());
  c.s.turn();

  CHECK(c.s.instance(c.job, 1) == 0);
  CHECK(c.s.instance(c.job, 2) == 0);
}

TEST_CASE("what workers have goes on although the event that handed it out is gone") {
  Crashed c;
  c.s.journal.lose_events<TasksAssigned>();
  c.s.restart();
  REQUIRE(c.s.task(c.job, 1) == TaskState::kWaiting);

  TestWorker& worker = c.come_back({c.old->held(c.job, 1, true), c.old->held(c.job, 2, false)});

  CHECK(c.unwanted.empty());
  CHECK(c.s.task(c.job, 1) == TaskState::kRunning);
  worker.ended(c.job, 1);
  CHECK(c.s.task(c.job, 1) == TaskState::kFinished);
}

TEST_CASE("what has ended counts although the event that handed it out is gone") {
  Crashed c;
  c.s.journal.lose_events<TasksAssigned>();
  c.s.restart();

  c.come_back({}, {c.old->end_of(c.job, 1), c.old->end_of(c.job, 2, Outcome::kStopped)});

  CHECK(c.s.task(c.job, 1) == TaskState::kFinished);
  CHECK(c.s.task(c.job, 2) == TaskState::kWaiting);
}

TEST_CASE("after damage nothing is handed out before those who may have it were heard, for a while") {
  Crashed c;
  c.s.journal.lose_events<TasksAssigned>();
  c.s.restart();
  TestWorker& other = c.s.add_worker(quick(8));
  c.s.advance(kGathering - 1s);
  CHECK(other.runs().empty());

  SUBCASE("all are back") {
    c.come_back({c.old->held(c.job, 1, true), c.old->held(c.job, 2, false)});
    c.s.advance(1s);
    const auto runs = other.runs();
    REQUIRE(runs.size() >= 1);
    CHECK(runs[0].ids.first > 1);
  }
  SUBCASE("one stays away") {
    c.s.advance(2s);
    CHECK_FALSE(other.runs().empty());
  }
}

TEST_CASE("after damage a job that has failed too often ends, and so do dependents of what has failed") {
  TestServer s(true);
  TestWorker& w = s.add_worker(quick(2));
  const JobId limited = s.submit(submit().array(1, 9), 0);
  w.runs();
  w.failed(limited, 1);
  const JobId graph = s.submit(submit().task(1).task(2, {1}).task(3, {2}).task(4));
  w.runs();
  w.failed(graph, 1);
  s.journal.lose_events<JobAborted>();
  s.journal.lose_events<TasksAborted>();
  s.options.after_damage = true;

  s.restart();

  CHECK(s.job(limited).count(TaskState::kAborted) == 8);
  CHECK(s.job(graph).count(TaskState::kAborted) == 2);
  CHECK(s.job(graph).active() == 1);
}
