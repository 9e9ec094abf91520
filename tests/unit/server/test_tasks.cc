#include <doctest/doctest.h>

#include "hq/protocol/limits.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

TEST_CASE("an array travels as ranges, with its definition once per session") {
  TestServer s;
  TestWorker& w = s.add_worker(8);

  const JobId job = s.submit(submit().array(10, 20).program({"prog", "x"}));

  auto runs = w.runs();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].ids == IdRange{10, 17, 1});
  CHECK(runs[0].slot);
  CHECK(runs[0].instance == InstanceId(0));
  REQUIRE(w.definitions.size() == 1);
  CHECK(w.definitions[0].job == job);
  CHECK(w.definitions[0].job_uid == s.job(job).uid);
  CHECK(w.definitions[0].task->program.args == std::vector<std::string>{"prog", "x"});
  w.ended(job, 10);
  CHECK(w.heard<msg::Ack>().report == 1);
  REQUIRE_FALSE(w.runs().empty());
  CHECK(w.definitions.size() == 1);
}

TEST_CASE("each task gets its own entry, in the written order of ids") {
  TestServer s;
  TestWorker& w = s.add_worker(8);
  SubmitBuilder builder = submit();
  SubmitDescription value = builder.value();
  value.ids.parts = {{IdRange{5, 6, 1}, 6}, {IdRange{1, 1, 1}, 1}};
  value.entries.emplace();
  for (const char* entry : {"five", "six", "one"}) value.entries->add(entry);
  msg::Submit message;
  message.submit = value;

  s.ask<msg::Submitted>(message);

  std::map<uint32_t, std::string> got;
  for (const msg::Run& run : w.runs()) {
    REQUIRE(run.entries);
    REQUIRE(run.entries->size() == run.ids.count());
    size_t i = 0;
    for (uint32_t id = run.ids.first; id <= run.ids.last; id += run.ids.step) {
      got[id] = run.entries->at(i++);
    }
  }
  CHECK(got == std::map<uint32_t, std::string>{{1, "one"}, {5, "five"}, {6, "six"}});
}

TEST_CASE("entries beyond one frame are sent in pieces") {
  TestServer s;
  TestWorker& w = s.add_worker(16);
  SubmitDescription value = submit().array(0, 16).value();
  value.entries.emplace();
  for (int i = 0; i < 16; ++i) value.entries->add(std::string(size_t{1} << 20, char('a' + i)));
  msg::Submit message;
  message.submit = value;

  s.ask<msg::Submitted>(message);

  for (const Bytes& frame : s.workers.sent[w.peer]) CHECK(frame.size() < limits::kMaxWorkerFrame);
  uint64_t n = 0;
  for (const msg::Run& run : w.runs()) {
    size_t i = 0;
    for (uint32_t id = run.ids.first; id <= run.ids.last; ++id, ++n) {
      CHECK(run.entries->at(i++)[0] == char('a' + id));
    }
  }
  CHECK(n == 16);
}

TEST_CASE("starts and ends are recorded and acknowledged by the number of the report") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  const JobId job = s.submit(submit().array(1, 2));
  w.runs();

  w.started(job, 1);
  CHECK(s.task(job, 1) == TaskState::kRunning);
  CHECK(w.heard<msg::Ack>().report == 1);
  w.ended(job, 1);
  w.failed(job, 2);

  CHECK(s.task(job, 1) == TaskState::kFinished);
  CHECK(s.task(job, 2) == TaskState::kFailed);
  CHECK(w.heard<msg::Ack>().report == 2);
  CHECK(w.heard<msg::Ack>().report == 3);
}

TEST_CASE("a report that came before changes nothing and is acknowledged again") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 3));
  w.runs();
  w.ended(job, 1);
  w.heard<msg::Ack>();
  const size_t commits = s.journal.commits().size();

  --w.reports;
  w.ended(job, 1);

  CHECK(s.job(job).count(TaskState::kFinished) == 1);
  CHECK(s.journal.commits().size() == commits);
  w.runs();
  CHECK(w.heard<msg::Ack>().report == 1);
}

TEST_CASE("reports of tasks that are not assigned there change nothing and are acknowledged") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 3));
  w.runs();
  auto told = [&](msg::Report report) {
    report.number = ++w.reports;
    w.say(report);
    s.turn();
    CHECK(w.heard<msg::Ack>().report == w.reports);
  };

  told({0, {{job, TaskId(2), InstanceId(0), 0, 0}}, {}});  // not handed out
  told({0, {{job, TaskId(1), InstanceId(4), 0, 0}}, {}});  // another instance
  told({0, {{JobId(9), TaskId(1), InstanceId(0), 0, 0}}, {}});
  told({0, {}, {w.end_of(job, 77)}});                        // no such task
  told({0, {}, {w.end_of(JobId(9), 1)}});                    // no such job
  told({0, {}, {w.end_of(job, 1, Outcome::kFinished, 4)}});  // another instance
  msg::EndedTask foreign = w.end_of(job, 1);
  foreign.job_uid = JobUid(1);
  told({0, {}, {foreign}});

  CHECK(s.job(job).count(TaskState::kWaiting) == 3);
  told({0, {}, {w.end_of(job, 1)}});
  CHECK(s.task(job, 1) == TaskState::kFinished);
}

TEST_CASE("a start in another variant than planned moves the claim") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  SubmitDescription value = submit().cpus(4).value();
  value.task.request.variants.push_back(ResourceRequest::cpus(1).variants[0]);
  msg::Submit message;
  message.submit = value;
  const JobId job = s.ask<msg::Submitted>(message).job;
  w.runs();

  w.started(job, 0, 0, 1);

  CHECK(s.worker(w).free.at(*s.state().classes().find_resource("cpus")) == Amount::units(3));
}

TEST_CASE("a start in a variant that does not exist changes nothing") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit());
  w.runs();

  w.started(job, 0, 0, 9);

  CHECK(s.task(job, 0) == TaskState::kWaiting);
}

// --- canceling
// ----------------------------------------------------------------------------------------------

TEST_CASE("a canceled task holds its resources until its worker says that it has ended") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 5));
  w.runs();
  w.started(job, 1);
  w.heard<msg::Ack>();

  const msg::ItemResult result = s.cancel(job);

  CHECK(result.canceled == 5);
  CHECK(s.job(job).count(TaskState::kCanceled) == 5);
  CHECK(w.heard<msg::CancelTasks>() == msg::CancelTasks{job, {}});
  const JobId next = s.submit(submit());
  CHECK(w.runs().empty());  // no room
  w.ended(job, 1, Outcome::kStopped);
  CHECK(w.heard<msg::Ack>().report == 2);
  CHECK(w.runs().size() == 1);
  CHECK(s.task(next, 0) == TaskState::kWaiting);
  CHECK(s.task(job, 1) == TaskState::kCanceled);
}

TEST_CASE("canceling a job takes its tasks from every backlog") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 1000));
  w.runs();
  msg::EndedTask quick = w.end_of(job, 1);
  quick.usage.ran_s = 0.001F;
  w.say(msg::Report{++w.reports, {}, {quick}});
  s.turn();
  REQUIRE(s.worker(w).backlog > 0);

  s.cancel(job);

  CHECK(s.worker(w).backlog == 0);
  CHECK(s.worker(w).idle());
  CHECK(s.job(job).count(TaskState::kCanceled) == 999);
}

TEST_CASE("canceling ten million waiting tasks touches none of them") {
  TestServer s;
  const JobId job = s.submit(submit().array(0, 10'000'000));

  const msg::ItemResult result =
      s.ask<msg::ItemResults>(msg::CancelJobs{TestServer::selection(1), "why"}).items.at(0);

  CHECK(result.canceled == 10'000'000);
  CHECK(s.job(job).cancel_reason == "why");
  CHECK(s.job(job).groups[0]->columns.find(0) == nullptr);
}

TEST_CASE("canceling answers for each job what became of it") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId done = s.submit(submit());
  w.runs();
  w.ended(done, 0);
  const JobId waiting = s.submit(submit().cpus(2));
  msg::CancelJobs message;
  message.jobs.ids.parts = {{IdRange{1, 3, 1}, 3}};

  const auto items = s.ask<msg::ItemResults>(message).items;

  using Item = msg::ItemResult;
  REQUIRE(items.size() == 3);
  CHECK(items[0] == Item{done.value, Item::Outcome::kAlreadyEnded, 0, 0});
  CHECK(items[1] == Item{waiting.value, Item::Outcome::kOk, 1, 0});
  CHECK(items[2] == Item{3, Item::Outcome::kNotFound, 0, 0});
}

TEST_CASE("more failures than max-fails abort what is left of the job") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().array(1, 10), 1);
  w.runs();
  w.started(job, 3);
  w.failed(job, 1);
  CHECK(s.job(job).count(TaskState::kAborted) == 0);

  w.failed(job, 2);

  CHECK(s.job(job).count(TaskState::kFailed) == 2);
  CHECK(s.job(job).count(TaskState::kAborted) == 8);
  CHECK(s.worker(w).lingering.size() == 1);
  w.ended(job, 3, Outcome::kStopped);
  CHECK(s.worker(w).idle());
}

TEST_CASE("no more tasks fail than max-fails lets, also when one report tells of all of them") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().array(1, 10), 1);
  w.runs();
  w.started(job, 3);
  const auto failed = msg::EndedTask::Outcome::kFailed;

  w.say(msg::Report{++w.reports,
                    {},
                    {w.end_of(job, 1, failed), w.end_of(job, 2, failed), w.end_of(job, 3, failed),
                     w.end_of(job, 4, failed)}});
  s.turn();

  CHECK(s.job(job).count(TaskState::kFailed) == 2);
  CHECK(s.job(job).count(TaskState::kAborted) == 8);
  CHECK(s.worker(w).idle());
}

TEST_CASE("what depends on a failed task is aborted, the rest of the graph runs") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().task(1).task(2, {1}).task(3, {2}).task(4));
  CHECK(w.runs().size() == 2);

  w.failed(job, 1);

  CHECK(s.task(job, 2) == TaskState::kAborted);
  CHECK(s.task(job, 3) == TaskState::kAborted);
  w.ended(job, 4);
  CHECK(s.task(job, 4) == TaskState::kFinished);
  CHECK(s.job(job).terminated());
}

TEST_CASE("each task of a graph runs under its own definition") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  SubmitDescription value = submit().task(1).task(2).task(3).value();
  for (GraphTask& task : value.graph) task.task.program.args = {"prog" + task.id.text()};
  msg::Submit message;
  message.submit = value;

  s.ask<msg::Submitted>(message);

  uint64_t n = 0;
  for (const msg::Run& run : w.runs()) {
    const auto definition = std::find_if(w.definitions.begin(), w.definitions.end(),
                                         [&](const auto& d) { return d.definition == run.definition; });
    REQUIRE(run.ids.count() == 1);
    CHECK(definition->task->program.args[0] == "prog" + std::to_string(run.ids.first));
    ++n;
  }
  CHECK(n == 3);
}

TEST_CASE("nothing starts before what it depends on has finished") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().task(1).task(2).task(3, {1, 2}));
  CHECK(w.runs().size() == 2);

  w.ended(job, 1);
  w.heard<msg::Ack>();
  CHECK(w.runs().empty());
  w.ended(job, 2);
  w.heard<msg::Ack>();

  const auto runs = w.runs();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].ids.first == 3);
  CHECK(runs[0].eager == false);  // nothing depends on it any more, and nobody waits
}

// --- backlogs
// ------------------------------------------------------------------------------------------------

namespace {

// One worker with a backlog of a job's tasks.
struct WithBacklog {
  TestServer s;
  TestWorker* w;
  JobId job;
  std::vector<msg::Run> backlog;

  explicit WithBacklog(uint32_t tasks = 30) {
    w = &s.add_worker(1);
    job = s.submit(submit().array(1, tasks));
    w->runs();
    msg::EndedTask quick = w->end_of(job, 1);
    quick.usage.ran_s = 0.001F;
    w->say(msg::Report{++w->reports, {}, {quick}});
    s.turn();
    w->heard<msg::Ack>();
    for (msg::Run& run : w->runs()) {
      if (!run.slot) backlog.push_back(std::move(run));
    }
  }
};

}  // namespace

TEST_CASE("a backlog that stands still is taken back for an idle worker, one request at a time") {
  WithBacklog b;
  REQUIRE(b.s.worker(*b.w).backlog > 2);
  b.w->started(b.job, 2);
  b.w->heard<msg::Ack>();
  TestWorker& idle = b.s.add_worker(2);

  b.s.advance(100ms);

  const auto retract = b.w->heard<msg::Retract>();
  CHECK(b.w->heard_nothing());
  CHECK(retract.count == 2);
  b.w->say(msg::Returned{retract.number, {{b.job, {29, 30, 1}, InstanceId(0)}}});
  b.s.turn();
  const auto runs = idle.runs();
  REQUIRE_FALSE(runs.empty());
  CHECK(runs[0].ids.first == 29);
  CHECK(runs[0].instance == InstanceId(0));
}

TEST_CASE("a worker that gives back less than it was asked for is not asked again at once") {
  WithBacklog b;
  b.w->started(b.job, 2);
  b.w->heard<msg::Ack>();
  b.s.add_worker(2);
  b.s.advance(100ms);
  const auto first = b.w->heard<msg::Retract>();
  REQUIRE(first.count == 2);

  b.w->say(msg::Returned{first.number, {{b.job, {30, 30, 1}, InstanceId(0)}}});
  b.s.settle();
  CHECK(b.w->heard_nothing());
  b.s.advance(15ms);
  CHECK(b.w->heard_nothing());
  REQUIRE(b.s.deadline);
  CHECK(*b.s.deadline - b.s.now.mono <= 5ms);
  b.s.advance(10ms);

  const auto second = b.w->heard<msg::Retract>();
  CHECK(second.count == 1);
  b.w->say(msg::Returned{second.number, {{b.job, {29, 29, 1}, InstanceId(0)}}});
  b.s.settle();
  CHECK(b.w->heard_nothing());
}

TEST_CASE("a retraction that the worker's full socket did not take comes when it does") {
  WithBacklog b;
  b.w->started(b.job, 2);
  b.w->heard<msg::Ack>();
  TestWorker& idle = b.s.add_worker(1);
  b.s.workers.full.insert(b.w->peer);
  b.s.advance(200ms);
  CHECK(b.w->heard_nothing());

  b.s.workers.full.clear();
  b.s.advance(1s);

  CHECK(b.w->heard<msg::Retract>().count == 1);
  CHECK(idle.heard_nothing());
}

TEST_CASE("a wall clock that is set back or forward neither delays a retraction nor ends a worker's life") {
  for (const Duration step : {Duration(-1h), Duration(1h)}) {
    WithBacklog b;
    b.w->started(b.job, 2);
    b.w->heard<msg::Ack>();
    b.s.now.wall = b.s.now.wall + step;
    WorkerConfig limited = worker_config(1);
    limited.time_limit = 30min;
    TestWorker& idle = b.s.add_worker(limited);
    b.s.now.wall = b.s.now.wall + step;

    b.s.advance(100ms);

    const auto retract = b.w->heard<msg::Retract>();
    b.w->say(msg::Returned{retract.number, {{b.job, {30, 30, 1}, InstanceId(0)}}});
    b.s.turn();
    CHECK(idle.runs().size() == 1);
  }
}

TEST_CASE("what a worker gives back unasked is ready again") {
  WithBacklog b;
  const uint64_t before = b.s.worker(*b.w).backlog;
  REQUIRE(before > 1);
  TestWorker& other = b.s.add_worker(1);

  b.w->say(msg::Returned{0, {{b.job, {3, 3, 1}, InstanceId(0)}}});
  b.s.turn();

  CHECK(b.s.worker(*b.w).backlog < before + 1);
  const auto runs = other.runs();
  REQUIRE_FALSE(runs.empty());
  CHECK(runs[0].ids.first == 3);
}

TEST_CASE("tasks that run are not given back, whatever a worker says") {
  WithBacklog b;
  b.w->started(b.job, 2);

  b.w->say(
      msg::Returned{0, {{b.job, {1, 2, 1}, InstanceId(0)}, {b.job, {0, 4'000'000'000, 1}, InstanceId(0)}}});
  b.s.turn();

  CHECK(b.s.task(b.job, 2) == TaskState::kRunning);
  CHECK(b.s.task(b.job, 1) == TaskState::kFinished);
}
