// Servers that come back with their journal, and workers that were given up.
#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

namespace {

constexpr Duration kHeartbeat = 1s;
constexpr Duration kWindow = 60s;      // of TestServer
constexpr Duration kGrace = 2s;        // a little more than the server's
constexpr Duration kSilence = 4500ms;  // until a silent worker is given up

WorkerConfig quick(uint32_t cpus) {
  WorkerConfig config = worker_config(cpus);
  config.heartbeat_interval = kHeartbeat;
  return config;
}

std::set<uint32_t> ids_of(const std::vector<msg::Run>& runs) {
  std::set<uint32_t> ids;
  for (const msg::Run& run : runs) {
    for (uint64_t id = run.ids.first; id <= run.ids.last; id += run.ids.step) ids.insert(uint32_t(id));
  }
  return ids;
}

std::optional<LossReason> lost(const TestServer& s, const TestWorker& w) {
  return s.worker(w).lost;
}

// A worker with two cpus, two of three tasks there, of which task 1 was reported as started; then it says no
// more.
struct Apart {
  TestServer s{true};
  TestWorker* old;
  JobId job;

  Apart() {
    old = &s.add_worker(quick(2));
    job = s.submit(submit().array(1, 3));
    old->runs();
    old->started(job, 1);
    old->beating = false;
  }
  // Its next hello, still to be filled in.
  TestWorker& again(msg::Hello& hello) {
    TestWorker& worker = s.reconnect(*old);
    hello = worker.hello();
    return worker;
  }
  msg::Welcome come_back(TestWorker& worker, const msg::Hello& hello) {
    worker.say(hello);
    s.turn();
    msg::Welcome welcome = worker.heard<msg::Welcome>();
    worker.id = welcome.worker;
    return welcome;
  }
};

}  // namespace

// --- a restart of the server
// ------------------------------------------------------------------------------

TEST_CASE("a restarted server keeps its uid, its jobs and its workers") {
  Apart a;
  a.s.options.info.server_uid = "other";

  a.s.restart();

  CHECK(a.s.state().server_uid() == "abcdef");
  CHECK(a.s.ask<msg::ServerInfo>(msg::GetServerInfo{}).server_uid == "abcdef");
  CHECK_FALSE(lost(a.s, *a.old));
  CHECK(a.s.task(a.job, 1) == TaskState::kRunning);
  CHECK(a.s.submit(submit()) == JobId(2));
  CHECK(a.s.add_worker(1).id == WorkerId(2));
}

TEST_CASE("after a restart what was assigned is in doubt, all else is planned at once") {
  Apart a;
  a.s.restart();

  TestWorker& other = a.s.add_worker(quick(8));

  CHECK(ids_of(other.runs()) == std::set<uint32_t>{3});
  a.s.advance(kWindow);
  CHECK(a.s.task(a.job, 1) == TaskState::kRunning);
  CHECK_FALSE(lost(a.s, *a.old));
  CHECK(other.runs().empty());
}

TEST_CASE("a worker that is not back in time after a restart is lost, and its tasks go elsewhere") {
  Apart a;
  a.s.restart();
  TestWorker& other = a.s.add_worker(quick(8));
  other.runs();

  a.s.advance(kWindow + kGrace);

  CHECK(lost(a.s, *a.old) == LossReason::kHeartbeatLost);
  CHECK(ids_of(other.runs()) == std::set<uint32_t>{1, 2});
  CHECK(a.s.instance(a.job, 1) == 1);
}

TEST_CASE("the window in doubt is the one that the workers were told") {
  Apart a;
  a.s.options.resume_window = 5s;
  a.s.restart();
  a.s.options.resume_window = 1s;
  a.s.restart();

  a.s.advance(kWindow);
  CHECK_FALSE(lost(a.s, *a.old));
  a.s.advance(kGrace);

  CHECK(lost(a.s, *a.old));
}

TEST_CASE("the window is never shorter than two heartbeats") {
  TestServer s(true);
  s.options.resume_window = 1s;
  s.restart();

  TestWorker& w = s.connect(quick(1));
  w.config.heartbeat_interval = 10s;
  w.say(w.hello());
  s.turn();

  CHECK(w.heard<msg::Welcome>().window == 20s);
}

TEST_CASE("after a restart, inventory: what is assigned here and held is adopted") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, true)};

  const msg::Welcome welcome = a.come_back(again, hello);

  CHECK(welcome.worker == a.old->id);
  CHECK(welcome.unwanted.empty());
  CHECK(welcome.resumable);
  CHECK(a.s.task(a.job, 2) == TaskState::kRunning);
  again.ended(a.job, 1);
  CHECK(a.s.task(a.job, 1) == TaskState::kFinished);
  CHECK(a.s.instance(a.job, 1) == 0);
  a.s.advance(kWindow + kGrace);
  CHECK_FALSE(lost(a.s, again));
}

TEST_CASE(
    "after a restart, inventory: what the worker stopped, as it ends itself, waits under a new instance") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {};
  hello.ended = {again.end_of(a.job, 2, Outcome::kStopped)};

  (void)a.come_back(again, hello);

  CHECK(a.s.instance(a.job, 2) == 1);
}

TEST_CASE("after a restart, inventory: what ended is recorded, and acknowledged when that is safe") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 2, false)};
  hello.ended = {again.end_of(a.job, 1)};
  hello.last_report = 4;
  a.s.journal.hold();

  again.say(hello);
  a.s.turn();
  CHECK(again.heard_nothing());
  a.s.journal.release();
  a.s.turn();

  CHECK(again.heard<msg::Welcome>().acknowledged == 4);
  CHECK(a.s.task(a.job, 1) == TaskState::kFinished);
}

TEST_CASE("after a restart, inventory: what is not listed is ready under the same instance") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);

  CHECK(a.come_back(again, hello).unwanted.empty());

  CHECK(a.s.instance(a.job, 1) == 0);
  CHECK(a.s.job(a.job).losses.empty());
  CHECK(ids_of(again.runs()) == std::set<uint32_t>{1, 2});
}

TEST_CASE("after a restart, inventory: what was canceled meanwhile is to be killed or dropped") {
  Apart a;
  a.s.restart();
  a.s.cancel(a.job);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, false)};

  CHECK(a.come_back(again, hello).unwanted == hello.held);

  CHECK(a.s.worker(again).lingering.size() == 1);
  again.ended(a.job, 1, Outcome::kStopped);
  CHECK(a.s.worker(again).idle());
}

TEST_CASE("after a restart, inventory: attempts of no task of ours are to be killed and are acknowledged") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  msg::HeldTask newer = again.held(a.job, 1, true, 3);
  msg::HeldTask unknown = again.held(JobId(99), 1, true);
  msg::HeldTask foreign = again.held(a.job, 2, false);
  foreign.job_uid = JobUid(4711);
  hello.held = {newer, unknown, foreign};
  hello.ended = {again.end_of(a.job, 3)};
  hello.last_report = 7;

  const msg::Welcome welcome = a.come_back(again, hello);

  CHECK(welcome.unwanted == hello.held);
  CHECK(welcome.acknowledged == 7);
  CHECK(a.s.task(a.job, 3) == TaskState::kWaiting);
}

TEST_CASE("a cancel reaches tasks that a worker holds since before its last hello") {
  Apart a;
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, true)};
  a.come_back(again, hello);

  a.s.cancel(a.job);

  CHECK(again.heard<msg::CancelTasks>().job == a.job);
}

TEST_CASE("what was not safe when the server crashed has not happened, and nobody was told that it had") {
  TestServer s(true);
  TestWorker& w = s.add_worker(quick(1));
  s.journal.hold();
  const PeerId client = s.new_client();
  msg::Submit message;
  message.submit = submit().value();
  s.request(client, message);
  s.settle();
  CHECK(s.replies(client).empty());
  CHECK(w.runs().empty());

  s.restart();

  CHECK(s.state().find_job(JobId(1)) == nullptr);
}

TEST_CASE("a worker that is told to stop before it is back hears of it when it comes") {
  Apart a;
  a.s.restart();
  a.s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(a.old->id.value), false});
  a.s.advance(40s);
  CHECK_FALSE(lost(a.s, *a.old));
  msg::Hello hello;
  TestWorker& again = a.again(hello);

  a.come_back(again, hello);

  CHECK(again.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kStop);
}

TEST_CASE("a host that was booted anew proves that its earlier worker is gone") {
  TestServer s(true);
  WorkerConfig config = quick(1);
  config.hostname = "n1";
  config.boot_id = "first";
  TestWorker& w = s.add_worker(config);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);
  s.restart();

  SUBCASE("another worker of the same boot says nothing about it") {
    TestWorker& next = s.add_worker(config);
    CHECK(next.runs().empty());
    CHECK_FALSE(lost(s, w));
  }
  SUBCASE("a new boot does") {
    config.boot_id = "second";
    TestWorker& next = s.add_worker(config);
    CHECK(next.runs().size() == 1);
    CHECK(lost(s, w) == LossReason::kConnectionLost);
  }
}

TEST_CASE("an orderly stop is final: after it all tasks start again, and no worker is waited for") {
  Apart a;
  a.s.ask<msg::Done>(msg::StopServer{});
  a.s.settle();
  REQUIRE(a.s.server->finished());

  a.s.restart();

  CHECK(a.s.state().alive_workers().empty());
  CHECK(a.s.task(a.job, 1) == TaskState::kWaiting);
  CHECK(a.s.instance(a.job, 1) == 1);
  CHECK(a.s.job(a.job).losses.empty());
  CHECK(ids_of(a.s.add_worker(8).runs()) == std::set<uint32_t>{1, 2, 3});
}

TEST_CASE("a worker that could not hear of the stop keeps its tasks held") {
  Apart a;
  a.s.restart();
  a.s.ask<msg::Done>(msg::StopServer{});
  a.s.settle();
  a.s.restart();

  TestWorker& other = a.s.add_worker(quick(8));

  CHECK(ids_of(other.runs()) == std::set<uint32_t>{3});
  a.s.advance(kWindow + kGrace);
  CHECK(ids_of(other.runs()) == std::set<uint32_t>{1, 2});
}

// --- silence
// ------------------------------------------------------------------------------

TEST_CASE("tasks of a silent worker show as waiting at once and go elsewhere when its window is over") {
  Apart a;
  TestWorker& other = a.s.add_worker(quick(8));
  other.runs();

  a.s.advance(kSilence);
  CHECK(lost(a.s, *a.old) == LossReason::kHeartbeatLost);
  CHECK(a.s.task(a.job, 1) == TaskState::kWaiting);
  a.s.advance(kWindow - kSilence);
  CHECK(other.runs().empty());

  SUBCASE("of the running server") {
    a.s.advance(kGrace);
  }
  SUBCASE("counted anew after a restart") {
    a.s.restart();
    TestWorker& again = a.s.reconnect(other);
    msg::Hello hello = again.hello();
    hello.held = {again.held(a.job, 3, true)};
    again.say(hello);
    a.s.turn();
    again.heard<msg::Welcome>();
    a.s.advance(kWindow);
    CHECK(again.runs().empty());
    a.s.advance(kGrace);
    CHECK(ids_of(again.runs()) == std::set<uint32_t>{1, 2});
    return;
  }
  CHECK(ids_of(other.runs()) == std::set<uint32_t>{1, 2});
}

TEST_CASE("tasks of a worker whose connection was closed go elsewhere at once") {
  Apart a;
  TestWorker& other = a.s.add_worker(quick(8));
  other.runs();

  a.s.close(*a.old);
  a.s.advance(600ms);

  CHECK(lost(a.s, *a.old) == LossReason::kConnectionLost);
  CHECK(ids_of(other.runs()) == std::set<uint32_t>{1, 2});
}

TEST_CASE("a connection that closes before its welcome was heard proves nothing") {
  Apart a;
  a.s.close(*a.old);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, true)};
  again.beating = false;
  a.come_back(again, hello);

  a.s.close(again);
  a.s.advance(2s);

  CHECK_FALSE(lost(a.s, *a.old));
  a.s.advance(kSilence);
  CHECK(lost(a.s, *a.old) == LossReason::kHeartbeatLost);
  CHECK(ids_of(a.s.add_worker(quick(8)).runs()) == std::set<uint32_t>{3});
}

// --- given up, and back
// ------------------------------------------------------------------------------

TEST_CASE("a worker that was given up is back under a new number, and goes on with what it has") {
  Apart a;
  const WallTime started = a.s.now.wall;
  a.s.advance(20s);
  REQUIRE(lost(a.s, *a.old) == LossReason::kHeartbeatLost);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true)};
  hello.ended = {again.end_of(a.job, 2)};

  const msg::Welcome welcome = a.come_back(again, hello);

  CHECK(welcome.worker == WorkerId(2));
  CHECK(welcome.unwanted.empty());
  CHECK(a.s.task(a.job, 1) == TaskState::kRunning);
  CHECK(a.s.instance(a.job, 1) == 0);
  CHECK(a.s.task(a.job, 2) == TaskState::kFinished);
  CHECK(a.s.job(a.job).losses.at(TaskId(1)).crashes == 0);
  // It started when it started.
  const auto place = a.s.job(a.job).find(TaskId(1));
  const Duration since = started - a.s.job(a.job).submitted;
  CHECK(place->chunk().start_ms(place->row()) <= uint32_t(since / 1ms));
  CHECK(ids_of(again.runs()) == std::set<uint32_t>{3});
  again.ended(a.job, 1);
  CHECK(a.s.task(a.job, 1) == TaskState::kFinished);
}

TEST_CASE("what a returning worker does not list any more is free for all") {
  Apart a;
  a.s.advance(20s);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 2, false)};

  CHECK(a.come_back(again, hello).unwanted.empty());

  const std::vector<msg::Run> runs = again.runs();
  CHECK(ids_of(runs).contains(1));
  CHECK_FALSE(ids_of(runs).contains(2));
  CHECK(a.s.instance(a.job, 1) == 1);
  CHECK(a.s.instance(a.job, 2) == 0);
}

TEST_CASE("what somebody else has got meanwhile does not count any more") {
  Apart a;
  TestWorker& other = a.s.add_worker(quick(8));
  a.s.advance(kWindow + kGrace);
  REQUIRE(ids_of(other.runs()).size() == 3);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true)};
  hello.ended = {again.end_of(a.job, 2)};
  hello.last_report = 3;

  const msg::Welcome welcome = a.come_back(again, hello);

  CHECK(welcome.unwanted == hello.held);
  CHECK(welcome.acknowledged == 3);
  CHECK(a.s.task(a.job, 2) == TaskState::kWaiting);
  other.ended(a.job, 2, Outcome::kFinished, 1);
  CHECK(a.s.task(a.job, 2) == TaskState::kFinished);
}

TEST_CASE("a worker that was given up is known across a restart of the server") {
  Apart a;
  a.s.advance(20s);
  a.s.restart();
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, true)};

  CHECK(a.come_back(again, hello).unwanted.empty());

  CHECK(a.s.task(a.job, 1) == TaskState::kRunning);
  CHECK(a.s.instance(a.job, 2) == 0);
}

TEST_CASE("a worker that never heard its new number still has it") {
  Apart a;
  a.s.advance(20s);
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true), again.held(a.job, 2, true)};
  a.come_back(again, hello);
  TestWorker& third = a.s.reconnect(again);
  third.id = a.old->id;
  msg::Hello next = third.hello();
  next.held = hello.held;

  const msg::Welcome welcome = a.come_back(third, next);

  CHECK(welcome.worker == WorkerId(2));
  CHECK(welcome.unwanted.empty());
  CHECK(a.s.task(a.job, 1) == TaskState::kRunning);
}

TEST_CASE("a hello that was said before the worker was given up registers nobody") {
  Apart a;
  TestWorker& late = a.s.reconnect(*a.old);
  late.hellos = 0;
  late.beating = false;
  a.s.advance(20s);
  REQUIRE(lost(a.s, *a.old));

  late.say(late.hello());
  a.s.turn();

  CHECK(late.heard_nothing());
  CHECK(a.s.state().workers().size() == 1);
}

TEST_CASE("a worker that was stopped is not taken back") {
  Apart a;
  a.s.ask<msg::ItemResults>(msg::StopWorkers{TestServer::selection(a.old->id.value), true});
  msg::Hello hello;
  TestWorker& again = a.again(hello);
  hello.held = {again.held(a.job, 1, true)};

  again.say(hello);
  a.s.turn();

  CHECK(again.heard<msg::Refused>().reason == "The worker has been stopped");
}
