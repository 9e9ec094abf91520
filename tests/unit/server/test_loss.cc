#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

namespace {

WorkerConfig quick_worker(uint32_t cpus, Duration heartbeat = 1s) {
  WorkerConfig config = worker_config(cpus);
  config.heartbeat_interval = heartbeat;
  return config;
}

std::optional<LossReason> lost(const TestServer& s, const TestWorker& w) {
  return s.worker(w).lost;
}

}  // namespace

TEST_CASE("a closed connection loses the worker at once, and its tasks wait again") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  const JobId job = s.submit(submit().array(1, 2));
  w.runs();
  w.started(job, 1);

  s.close(w);

  CHECK(lost(s, w) == LossReason::kConnectionLost);
  CHECK(s.task(job, 1) == TaskState::kWaiting);
  CHECK(s.instance(job, 1) == 1);
  TestWorker& next = s.add_worker(2);
  uint64_t n = 0;
  for (const msg::Run& run : next.runs()) {
    n += run.ids.count();
    CHECK(run.instance == InstanceId(1));
  }
  CHECK(n == 2);
}

TEST_CASE("a hint of a closed connection harms nobody who is still there") {
  TestServer s;
  TestWorker& w = s.add_worker(1);

  s.workers.disconnects = 3;
  s.turn();

  CHECK_FALSE(lost(s, w));
}

TEST_CASE("many hints of closed connections do not become as many probes of many workers") {
  TestServer s;
  for (int i = 0; i < 200; ++i) s.add_worker(1);
  TestWorker& w = s.add_worker(1);
  s.workers.probes = 0;

  for (int ms = 0; ms < 200; ++ms) {
    ++s.workers.disconnects;
    s.advance(1ms);
  }
  CHECK(s.workers.probes >= 201);
  CHECK(s.workers.probes <= 201 * 25);  // one in 10 ms and a few, instead of 200

  s.close(w);
  s.advance(20ms);
  CHECK(lost(s, w) == LossReason::kConnectionLost);
}

TEST_CASE("with a journal a closed connection leaves half a second for the next one") {
  TestServer s(true);
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);

  s.close(w);
  s.advance(400ms);
  CHECK_FALSE(lost(s, w));
  TestWorker& again = s.reconnect(w);
  msg::Hello hello = again.hello();
  hello.held = {again.held(job, 0, true)};
  again.say(hello);
  s.turn();
  again.heard<msg::Welcome>();
  s.advance(1s);
  CHECK_FALSE(lost(s, w));
  CHECK(s.task(job, 0) == TaskState::kRunning);

  s.close(again);
  s.advance(600ms);
  CHECK(lost(s, w) == LossReason::kConnectionLost);
}

TEST_CASE("heartbeats are answered at once with their counter") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  s.journal.hold();

  w.say(msg::Heartbeat{41});
  w.say(msg::Heartbeat{42});
  s.turn();

  CHECK(w.heard<msg::HeartbeatAck>().counter == 41);
  CHECK(w.heard<msg::HeartbeatAck>().counter == 42);
}

TEST_CASE("an answer to a heartbeat is kept for a worker whose socket is full just then") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  w.beating = false;
  s.workers.full.insert(w.peer);
  w.say(msg::Heartbeat{7});
  s.turn();

  s.workers.full.clear();
  s.advance(10ms);

  CHECK(w.heard<msg::HeartbeatAck>().counter == 7);
}

TEST_CASE("a silent worker is lost after two intervals and the time its tasks need to end") {
  TestServer s;
  TestWorker& silent = s.add_worker(quick_worker(1));
  TestWorker& beating = s.add_worker(quick_worker(1));
  silent.beating = false;

  s.advance(2900ms);
  CHECK_FALSE(lost(s, silent));
  s.advance(1500ms);

  CHECK(lost(s, silent) == LossReason::kHeartbeatLost);
  CHECK_FALSE(lost(s, beating));
}

TEST_CASE("a server that was away itself blames nobody") {
  TestServer s;
  TestWorker& w = s.add_worker(quick_worker(1));
  w.beating = false;
  s.advance(500ms);

  s.sleep(30s);
  s.turn();
  CHECK_FALSE(lost(s, w));
  s.advance(1s);
  CHECK_FALSE(lost(s, w));
  s.advance(4s);

  CHECK(lost(s, w) == LossReason::kHeartbeatLost);
}

TEST_CASE("nobody is judged while the socket has more to read") {
  TestServer s;
  TestWorker& w = s.add_worker(quick_worker(1, 500ms));
  TestWorker& noisy = s.add_worker(quick_worker(1));
  w.beating = noisy.beating = false;

  for (int i = 0; i < 20; ++i) {
    s.sleep(200ms);
    while (s.workers.inbox.size() < 2500) noisy.say(msg::Heartbeat{1});
    s.turn();
    s.workers.sent[noisy.peer].clear();
  }
  CHECK_FALSE(lost(s, w));
  s.settle();

  s.advance(3s);
  CHECK(lost(s, w) == LossReason::kHeartbeatLost);
}

TEST_CASE("what a worker said last in its log is shown, and no more of it than is of use") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  std::vector<std::string> lines(30, std::string(1000, 'x'));
  lines.back() = "Worker stopping";
  w.say(msg::Goodbye{msg::Goodbye::Reason::kError, "out of memory", lines});
  s.turn();

  const PeerId client = s.new_client();
  s.request(client, msg::GetWorkers{TestServer::selection(w.id.value)});
  const auto replies = s.replies(client);
  REQUIRE(replies.size() == 2);
  const auto& shown = std::get<msg::WorkerList>(replies[0].message);
  REQUIRE(shown.workers.size() == 1);
  CHECK(shown.workers[0].last_lines.size() == 20);
  CHECK(shown.workers[0].last_lines.front().size() == 500);
  CHECK(shown.workers[0].last_lines.back() == "Worker stopping");
}

TEST_CASE("losses count as crashes by their reason and end the task at its crash limit") {
  auto runs_and_is_lost = [](TestServer& s, JobId job, auto&& lose) {
    TestWorker& w = s.add_worker(1);
    for (const msg::Run& run : w.runs()) w.started(job, 0, run.instance.value);
    lose(w);
    s.turn();
  };
  auto connection_lost = [](TestServer& s) { return [&s](TestWorker& w) { s.close(w); }; };
  auto stopped = [](TestServer& s) {
    return [&s](TestWorker& w) {
      s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(w.id.value), false});
      s.close(w);
    };
  };

  SUBCASE("a crash limit of two") {
    TestServer s;
    const JobId job = s.submit(submit().crash_limit(2));
    runs_and_is_lost(s, job, connection_lost(s));
    CHECK(s.task(job, 0) == TaskState::kWaiting);
    runs_and_is_lost(s, job, stopped(s));
    CHECK(s.task(job, 0) == TaskState::kWaiting);
    runs_and_is_lost(s, job, connection_lost(s));
    CHECK(s.task(job, 0) == TaskState::kFailed);
    const auto place = s.job(job).find(TaskId(0));
    CHECK(s.job(job).failure_of(TaskId(0), *place).kind == FailureKind::kCrashLimit);
    CHECK(s.job(job).failure_of(TaskId(0), *place).code == 2);
  }
  SUBCASE("a heartbeat that was lost counts too") {
    TestServer s;
    const JobId job = s.submit(submit().crash_limit(1));
    runs_and_is_lost(s, job, [&](TestWorker& w) {
      w.beating = false;
      s.advance(25s);
    });
    CHECK(s.task(job, 0) == TaskState::kFailed);
  }
  SUBCASE("a task that is never to be restarted fails by any loss") {
    TestServer s;
    const JobId job = s.submit(submit().crash_limit(CrashLimit::kNeverRestart));
    runs_and_is_lost(s, job, stopped(s));
    CHECK(s.task(job, 0) == TaskState::kFailed);
    const auto place = s.job(job).find(TaskId(0));
    CHECK(s.job(job).failure_of(TaskId(0), *place).kind == FailureKind::kNeverRestart);
  }
  SUBCASE("a worker at its time limit is no crash") {
    TestServer s;
    const JobId job = s.submit(submit().crash_limit(1));
    runs_and_is_lost(s, job, [&](TestWorker& w) {
      w.say(msg::Goodbye{msg::Goodbye::Reason::kTimeLimit, "Time limit reached", {}});
      s.turn();
      CHECK(lost(s, w) == LossReason::kTimeLimitReached);
    });
    CHECK(s.task(job, 0) == TaskState::kWaiting);
  }
  SUBCASE("without a limit no number of crashes fails it") {
    TestServer s;
    const JobId job = s.submit(submit().crash_limit(CrashLimit::kUnlimited));
    for (int i = 0; i < 20; ++i) runs_and_is_lost(s, job, connection_lost(s));
    CHECK(s.task(job, 0) == TaskState::kWaiting);
    CHECK(s.instance(job, 0) == 20);
  }
}

TEST_CASE("a result of a lost worker changes nothing") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);
  s.close(w);

  w.ended(job, 0);

  CHECK(s.task(job, 0) == TaskState::kWaiting);
}

TEST_CASE("a worker that is told to stop gets no tasks, and is stopped when it has gone") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 2));
  w.runs();
  w.started(job, 1);
  w.heard<msg::Ack>();

  const auto items = s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(1), false}).items;

  CHECK(items.at(0).outcome == msg::ItemResult::Outcome::kOk);
  CHECK(w.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kStop);
  CHECK(s.task(job, 1) == TaskState::kRunning);
  w.ended(job, 1, Outcome::kStopped);
  w.heard<msg::Ack>();
  CHECK(w.runs().empty());
  w.say(msg::Goodbye{msg::Goodbye::Reason::kStopped, "", {}});
  s.turn();
  CHECK(lost(s, w) == LossReason::kStopped);
  CHECK(s.task(job, 1) == TaskState::kWaiting);
  const auto again = s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(1), false}).items;
  CHECK(again.at(0).outcome == msg::ItemResult::Outcome::kAlreadyEnded);
  const auto unknown = s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(9), false}).items;
  CHECK(unknown.at(0).outcome == msg::ItemResult::Outcome::kNotFound);
}

TEST_CASE("a worker that does not stop is removed after a minute, or at once by force") {
  TestServer s;
  TestWorker& slow = s.add_worker(1);
  TestWorker& other = s.add_worker(1);
  s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(1), false});
  s.advance(59s);
  CHECK_FALSE(lost(s, slow));
  s.advance(2s);
  CHECK(lost(s, slow) == LossReason::kStopped);

  s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(2), true});

  CHECK(other.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kStop);
  CHECK(lost(s, other) == LossReason::kStopped);
}

TEST_CASE("an idle worker is stopped after its idle timeout, a busy one is not") {
  TestServer s;
  WorkerConfig config = worker_config(1);
  config.idle_timeout = 5s;
  TestWorker& idle = s.add_worker(config);
  s.advance(3s);
  const JobId job = s.submit(submit());
  idle.runs();
  idle.started(job, 0);
  s.advance(20s);
  CHECK_FALSE(lost(s, idle));
  idle.ended(job, 0);
  while (!idle.heard_nothing()) idle.heard<msg::Ack>();
  s.advance(4s);
  CHECK(idle.heard_nothing());

  s.advance(2s);

  CHECK(idle.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kIdle);
  idle.say(msg::Goodbye{msg::Goodbye::Reason::kStopped, "", {}});
  s.turn();
  CHECK(lost(s, idle) == LossReason::kIdleTimeout);
}

TEST_CASE("a task lost twice from backlogs is only placed after that") {
  TestServer s;
  const JobId fast = s.submit(submit().array(1, 400));
  for (int i = 0; i < 2; ++i) {
    TestWorker& w = s.add_worker(1);
    const auto runs = w.runs();
    if (i == 0) {
      msg::EndedTask quick = w.end_of(fast, runs.at(0).ids.first);
      quick.usage.ran_s = 0.001F;
      w.say(msg::Report{++w.reports, {}, {quick}});
      s.turn();
    }
    CHECK(s.worker(w).backlog > 0);
    s.close(w);
  }
  std::set<TaskId> twice;
  for (const auto& [task, losses] : s.job(fast).losses) {
    if (losses.from_backlog >= 2) twice.insert(task);
  }
  REQUIRE_FALSE(twice.empty());

  TestWorker& w = s.add_worker(1);

  for (const msg::Run& run : w.runs()) {
    for (uint32_t id = run.ids.first; id <= run.ids.last; ++id)
      CHECK((run.slot || !twice.contains(TaskId(id))));
  }
}
