#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

TEST_CASE("a worker is given a number and a session, and is welcomed once") {
  TestServer s;
  TestWorker& a = s.connect(worker_config(4));
  TestWorker& b = s.connect(worker_config(2));

  const msg::Welcome welcome = a.register_now();
  b.register_now();

  CHECK(welcome.worker == WorkerId(1));
  CHECK(welcome.server_uid == "abcdef");
  CHECK_FALSE(welcome.resumable);
  CHECK(welcome.window == 2 * a.config.heartbeat_interval);
  CHECK(b.id == WorkerId(2));
  CHECK(b.session != a.session);
  CHECK(a.heard_nothing());
  CHECK(s.worker(a).config->resources == a.config.resources);
}

TEST_CASE("with a journal workers may wait for the server's return") {
  TestServer s(true);

  const msg::Welcome welcome = s.connect(worker_config(1)).register_now();

  CHECK(welcome.resumable);
  CHECK(welcome.window == 60s);
}

TEST_CASE("a worker that cannot be served is refused with the reason") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));
  auto refusal = [&](const msg::Hello& hello) {
    w.say(hello);
    s.turn();
    return w.heard<msg::Refused>().reason;
  };

  msg::Hello newer = w.hello();
  newer.protocol = newer.min_protocol = kProtocol + 7;
  CHECK(refusal(newer).find("speaks protocol 8 to 8, this server 1 to 1") != std::string::npos);
  msg::Hello older = w.hello();
  older.protocol = older.min_protocol = 0;
  CHECK(refusal(older).find("speaks protocol 0 to 0") != std::string::npos);
  msg::Hello hasty = w.hello();
  hasty.config->heartbeat_interval = 150ms;
  CHECK(refusal(hasty) == "The heartbeat interval has to be longer than 150ms");
  msg::Hello bare = w.hello();
  bare.config->resources.items.clear();
  CHECK(refusal(bare) == "The hello has no worker configuration");
  CHECK(s.state().workers().empty());
}

TEST_CASE("nothing is answered before the last page of a hello") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));
  msg::Hello first = w.hello();
  first.last_page = false;
  msg::Hello middle = first;
  middle.page = 1;
  middle.config.reset();
  msg::Hello last = middle;
  last.page = 2;
  last.last_page = true;

  w.say(first);
  w.say(middle);
  s.turn();
  CHECK(w.heard_nothing());
  w.say(last);
  s.turn();

  CHECK(w.heard<msg::Welcome>().worker == WorkerId(1));
}

TEST_CASE("pages that do not follow each other are not taken for a hello") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));
  msg::Hello first = w.hello();
  first.last_page = false;
  msg::Hello last = first;
  last.page = 2;  // 1 is missing
  last.last_page = true;

  w.say(first);
  w.say(last);
  s.turn();

  CHECK(w.heard_nothing());
  CHECK(s.state().workers().empty());
}

TEST_CASE("an unknown connection is asked who it is") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));

  w.say(msg::Heartbeat{1});
  s.turn();

  CHECK(w.heard<msg::HelloPlease>() == msg::HelloPlease{});
}

TEST_CASE("a worker that comes back under a new connection keeps its number and its tasks") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  const JobId job = s.submit(submit().array(1, 2));
  w.runs();
  w.started(job, 1);
  TestWorker& again = s.reconnect(w);
  msg::Hello hello = again.hello();
  hello.held = {again.held(job, 1, true), again.held(job, 2, false)};

  again.say(hello);
  s.turn();

  const auto welcome = again.heard<msg::Welcome>();
  CHECK(welcome.worker == w.id);
  CHECK(welcome.unwanted.empty());
  CHECK(s.state().workers().size() == 1);
  CHECK(s.task(job, 1) == TaskState::kRunning);
  CHECK(s.worker(w).slots == 1);
  // What the old connection still brings is of an earlier session.
  w.ended(job, 1);
  CHECK(s.task(job, 1) == TaskState::kRunning);
}

TEST_CASE("a hello that was overtaken by a later one displaces nothing") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  TestWorker& newer = s.reconnect(w);
  newer.hellos = 5;
  newer.register_now();
  TestWorker& older = s.reconnect(w);
  older.hellos = 2;

  older.say(older.hello());
  s.turn();

  CHECK(older.heard_nothing());
  const JobId job = s.submit(submit());
  CHECK(newer.runs().size() == 1);
  newer.ended(job, 0);
  CHECK(s.task(job, 0) == TaskState::kFinished);
}

TEST_CASE("the same hello twice on one connection is answered once") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));
  const msg::Hello hello = w.hello();

  w.say(hello);
  w.say(hello);
  s.turn();

  w.heard<msg::Welcome>();
  CHECK(w.heard_nothing());
  CHECK(s.state().workers().size() == 1);
}

TEST_CASE("a worker whose welcome was lost is not registered a second time") {
  TestServer s(true);
  TestWorker& w = s.add_worker(2);
  TestWorker& again = s.reconnect(w);
  again.id = WorkerId(0);  // it never heard its number

  const msg::Welcome welcome = again.register_now();

  CHECK(welcome.worker == w.id);
  CHECK(s.state().workers().size() == 1);
}

// --- the inventory table
// ------------------------------------------------------------------------------------

namespace {

// A worker with two tasks placed and told, of which the first was reported as started; its next connection.
struct Returning {
  TestServer s;
  TestWorker* old;
  TestWorker* again;
  JobId job;
  msg::Hello hello;

  Returning() {
    old = &s.add_worker(2);
    job = s.submit(submit().array(1, 2));
    old->runs();
    old->started(job, 1);
    again = &s.reconnect(*old);
    hello = again->hello();
  }
  msg::Welcome come_back() {
    again->say(hello);
    s.turn();
    return again->heard<msg::Welcome>();
  }
};

}  // namespace

TEST_CASE("inventory: what is assigned here and held is adopted") {
  Returning r;
  r.hello.held = {r.again->held(r.job, 1, true), r.again->held(r.job, 2, true)};

  CHECK(r.come_back().unwanted.empty());

  CHECK(r.s.task(r.job, 1) == TaskState::kRunning);
  CHECK(r.s.task(r.job, 2) == TaskState::kRunning);  // its start report was lost, the hello says it
  r.again->ended(r.job, 2);
  CHECK(r.s.task(r.job, 2) == TaskState::kFinished);
}

TEST_CASE("inventory: what ended is recorded and acknowledged") {
  Returning r;
  r.hello.held = {r.again->held(r.job, 2, false)};
  r.hello.ended = {r.again->end_of(r.job, 1)};
  r.hello.last_report = 4;

  const msg::Welcome welcome = r.come_back();

  CHECK(welcome.acknowledged == 4);
  CHECK(r.s.task(r.job, 1) == TaskState::kFinished);
  // Numbers go on from there.
  r.again->reports = 4;
  r.again->ended(r.job, 2);
  CHECK(r.s.task(r.job, 2) == TaskState::kFinished);
}

TEST_CASE("inventory: what is not listed is ready again under the same instance") {
  Returning r;

  CHECK(r.come_back().unwanted.empty());

  CHECK(r.s.task(r.job, 1) == TaskState::kWaiting);
  CHECK(r.s.instance(r.job, 1) == 0);
  CHECK(r.s.job(r.job).losses.empty());
  std::set<uint32_t> sent;
  for (const msg::Run& run : r.again->runs()) {
    for (uint32_t id = run.ids.first; id <= run.ids.last; ++id) sent.insert(id);
  }
  CHECK(sent == std::set<uint32_t>{1, 2});
}

TEST_CASE("inventory: what is final here is to be killed, and acknowledged when it has ended") {
  Returning r;
  r.s.cancel(r.job);
  r.hello.held = {r.again->held(r.job, 1, true), r.again->held(r.job, 2, false)};

  const msg::Welcome welcome = r.come_back();

  CHECK(welcome.unwanted == r.hello.held);
  CHECK(r.s.task(r.job, 1) == TaskState::kCanceled);
  CHECK(r.s.worker(*r.again).lingering.size() == 1);
  r.again->ended(r.job, 1, Outcome::kStopped);
  CHECK(r.s.worker(*r.again).lingering.empty());
  CHECK(r.again->heard<msg::Ack>().report == r.again->reports);
}

TEST_CASE("inventory: what was canceled and has ended before the hello holds nothing any more") {
  Returning r;
  r.s.cancel(r.job);
  r.hello.ended = {r.again->end_of(r.job, 1, Outcome::kStopped)};
  r.hello.last_report = 2;

  r.come_back();

  CHECK(r.s.worker(*r.again).lingering.empty());
  CHECK(r.s.worker(*r.again).idle());
}

TEST_CASE("inventory: what was canceled and is not listed holds nothing any more") {
  Returning r;
  r.s.cancel(r.job);

  r.come_back();

  CHECK(r.s.worker(*r.again).lingering.empty());
  CHECK(r.s.worker(*r.again).idle());
}

TEST_CASE("inventory: attempts of another instance, another job and another life are to be killed") {
  Returning r;
  msg::HeldTask newer = r.again->held(r.job, 1, true, 3);
  msg::HeldTask unknown = r.again->held(JobId(99), 1, true);
  msg::HeldTask foreign = r.again->held(r.job, 2, false);
  foreign.job_uid = JobUid(4711);
  r.hello.held = {newer, unknown, foreign};
  msg::EndedTask stale = r.again->end_of(r.job, 1, Outcome::kFinished, 9);
  msg::EndedTask other = r.again->end_of(r.job, 2);
  other.job_uid = JobUid(4711);
  r.hello.ended = {stale, other};
  r.hello.last_report = 7;

  const msg::Welcome welcome = r.come_back();

  CHECK(welcome.unwanted == std::vector{newer, unknown, foreign});
  CHECK(welcome.acknowledged == 7);
  CHECK(r.s.task(r.job, 1) == TaskState::kWaiting);
  CHECK(r.s.task(r.job, 2) == TaskState::kWaiting);
}

TEST_CASE("inventory: a task that another worker has now is to be killed") {
  TestServer s;
  TestWorker& first = s.add_worker(1);
  const JobId job = s.submit(submit());
  first.runs();
  first.started(job, 0);
  s.close(first);
  TestWorker& second = s.add_worker(1);
  REQUIRE(second.runs().size() == 1);
  TestWorker& back = s.reconnect(first);
  msg::Hello hello = back.hello();
  hello.held = {back.held(job, 0, true, 0)};

  back.say(hello);
  s.turn();

  const msg::Welcome welcome = back.heard<msg::Welcome>();
  CHECK(welcome.worker == WorkerId(3));  // the number of a lost worker is closed
  CHECK(welcome.unwanted == hello.held);
  second.ended(job, 0, Outcome::kFinished, 1);
  CHECK(s.task(job, 0) == TaskState::kFinished);
}

TEST_CASE("the same task listed twice is adopted once") {
  Returning r;
  r.hello.held = {r.again->held(r.job, 1, true), r.again->held(r.job, 1, true)};

  CHECK(r.come_back().unwanted.size() <= 1);

  CHECK(r.s.task(r.job, 1) == TaskState::kRunning);
}
