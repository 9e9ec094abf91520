// Output that the server keeps: the second connection of a worker.
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

constexpr const char* kLog = "/home/u/out.log";

struct Logging : TestServer {
  TestWorker& worker;
  JobId job;
  TestWorker& output;  // the second connection
  uint64_t hellos = 0;

  Logging() : TestServer(true), worker(add_worker(4)), job(submit_logged()), output(reconnect(worker)) {
    logs.automatic = false;
    output.session = worker.session;
  }
  JobId submit_logged() {
    msg::Submit message;
    message.name = "job";
    message.submit = SubmitBuilder().array(1, 4).value();
    message.submit.log_path = kLog;
    return ask<msg::Submitted>(message).job;
  }
  void say(TestWorker& on, const msg::FromWorker& message) {
    on.say(message);
    turn();
  }
  msg::OutputWelcome greet(TestWorker& on) {
    say(on, msg::OutputHello{worker.uid, ++hellos});
    return on.heard<msg::OutputWelcome>();
  }
  msg::OutputData data(uint64_t number, const std::string& bytes, const std::string& path = kLog) {
    msg::OutputData message{number, job, state().find_job(job)->uid, path, {}};
    RecordHeader record;
    record.key = {job, TaskId(1), InstanceId(0)};
    put_batch_record(message.records, record, bytes);
    return message;
  }
};

}  // namespace

TEST_CASE("output is confirmed when it is in the file") {
  Logging w;
  const auto welcome = w.greet(w.output);
  CHECK(welcome.last == 0);
  CHECK(welcome.window == 256 * 1024);
  w.say(w.output, w.data(1, "one "));
  w.say(w.output, w.data(2, "two"));
  CHECK(w.output.heard_nothing());

  REQUIRE(w.logs.batches.size() == 2);
  CHECK(w.logs.batches.begin()->second.first == LogPlace{kLog, "abcdef", w.state().find_job(w.job)->uid});
  w.logs.keep(w.logs.batches.begin()->first);
  w.turn();
  CHECK(w.output.heard<msg::OutputKept>() == msg::OutputKept{1, 256 * 1024, {}});
  w.logs.keep(w.logs.batches.begin()->first);
  w.turn();
  CHECK(w.output.heard<msg::OutputKept>().number == 2);
  CHECK(w.logs.stdouts[kLog] == "one two");
}

TEST_CASE("output that can't be kept is told with the cause") {
  Logging w;
  (void)w.greet(w.output);
  w.say(w.output, w.data(1, "lost"));
  w.logs.fail(w.logs.batches.begin()->first, {w.job, TaskId(1), InstanceId(0)}, "no room");
  w.turn();

  const auto kept = w.output.heard<msg::OutputKept>();
  REQUIRE(kept.failures.size() == 1);
  CHECK(kept.failures[0] == msg::OutputFailure{TaskId(1), InstanceId(0), "no room"});
}

TEST_CASE("a new connection learns what has arrived and what is not safe yet, and nothing is taken twice") {
  Logging w;
  (void)w.greet(w.output);
  for (uint64_t number = 1; number <= 3; ++number) w.say(w.output, w.data(number, std::to_string(number)));
  w.close(w.output);
  w.logs.keep(w.logs.batches.begin()->first);  // confirmed to nobody
  w.turn();
  TestWorker& again = w.reconnect(w.worker);
  again.session = w.worker.session;
  const auto welcome = w.greet(again);

  CHECK(welcome.last == 3);
  CHECK(welcome.pending == std::vector<uint64_t>{2, 3});
  w.say(again, w.data(3, "3"));
  CHECK(w.logs.batches.size() == 2);
  while (!w.logs.batches.empty()) w.logs.keep(w.logs.batches.begin()->first);
  w.turn();
  CHECK(again.heard<msg::OutputKept>().number == 2);
  CHECK(again.heard<msg::OutputKept>().number == 3);
  CHECK(w.logs.stdouts[kLog] == "123");
}

TEST_CASE("a failure is told again after a new hello") {
  Logging w;
  (void)w.greet(w.output);
  w.say(w.output, w.data(1, "lost"));
  w.close(w.output);
  w.logs.fail(w.logs.batches.begin()->first, {w.job, TaskId(1), InstanceId(0)}, "no room");
  w.turn();
  TestWorker& again = w.reconnect(w.worker);
  again.session = w.worker.session;
  w.say(again, msg::OutputHello{w.worker.uid, ++w.hellos});

  CHECK(again.heard<msg::OutputKept>().failures.size() == 1);
  CHECK(again.heard<msg::OutputWelcome>().last == 1);
}

TEST_CASE("a worker may write to the logs of its jobs only") {
  Logging w;
  (void)w.greet(w.output);
  w.say(w.output, w.data(1, "x", "/etc/passwd"));

  CHECK(w.logs.batches.empty());
  CHECK(w.output.heard<msg::OutputKept>().number == 1);
}

TEST_CASE("an unknown session, or output without a hello, is asked to begin anew") {
  Logging w;
  w.say(w.output, w.data(1, "x"));
  (void)w.output.heard<msg::HelloPlease>();
  w.output.session = SessionId(w.worker.session.value + 1000);
  w.say(w.output, msg::OutputHello{w.worker.uid, ++w.hellos});
  (void)w.output.heard<msg::HelloPlease>();

  CHECK(w.logs.batches.empty());
}

TEST_CASE("the window shrinks when many connections share the pool") {
  Logging w;
  for (int i = 0; i < 63; ++i) {
    TestWorker& worker = w.add_worker(1);
    TestWorker& output = w.reconnect(worker);
    output.session = worker.session;
    w.say(output, msg::OutputHello{worker.uid, 1});
    (void)output.heard<msg::OutputWelcome>();
  }
  CHECK(w.greet(w.output).window == 128 * 1024);
}
