// Multi-node tasks, and what the server says about tasks that wait.
#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

namespace {

WorkerConfig node(const std::string& host, const std::string& group = "default") {
  WorkerConfig config = worker_config(4);
  config.hostname = host;
  config.group = group;
  return config;
}

SubmitBuilder on_nodes(uint32_t n) {
  return submit().nodes(n);
}

}  // namespace

TEST_CASE("the first worker of a multi-node task hears the names of all, the others hear nothing") {
  TestServer s;
  TestWorker& root = s.add_worker(node("n1.site"));
  TestWorker& other = s.add_worker(node("n2.site"));
  s.add_worker(node("n3", "elsewhere"));

  s.submit(on_nodes(2));

  const auto runs = root.runs();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].hosts == std::vector<std::string>{"n1.site", "n2.site"});
  CHECK(other.heard_nothing());
}

TEST_CASE("a multi-node task ends with any of its workers and starts anew when its program has ended") {
  TestServer s;
  TestWorker& root = s.add_worker(node("n1"));
  TestWorker& other = s.add_worker(node("n2"));
  TestWorker& spare = s.add_worker(node("n3"));
  const JobId job = s.submit(on_nodes(2));
  root.runs();
  root.started(job, 0);
  root.heard<msg::Ack>();
  s.close(other);
  s.settle();

  CHECK(root.heard<msg::CancelTasks>().job == job);
  CHECK(s.job(job).count(TaskState::kRunning) == 1);
  root.ended(job, 0, Outcome::kStopped);
  root.heard<msg::Ack>();

  const auto again = root.runs();
  REQUIRE(again.size() == 1);
  CHECK(again[0].instance == InstanceId(1));
  CHECK(again[0].hosts == std::vector<std::string>{"n1", "n3"});
  CHECK(spare.heard_nothing());
}

TEST_CASE("a multi-node task goes on when the server comes back") {
  TestServer s(true);
  TestWorker& root = s.add_worker(node("n1"));
  TestWorker& other = s.add_worker(node("n2"));
  const JobId job = s.submit(on_nodes(2));
  root.runs();
  root.started(job, 0);
  s.restart();

  TestWorker& root_again = s.reconnect(root);
  msg::Hello hello = root_again.hello();
  hello.held = {root.held(job, 0, true)};
  root_again.say(hello);
  TestWorker& other_again = s.reconnect(other);
  other_again.say(other_again.hello());
  s.settle();

  CHECK(root_again.heard<msg::Welcome>().unwanted.empty());
  CHECK(root_again.heard_nothing());
  CHECK(s.job(job).count(TaskState::kRunning) == 1);
  root_again.ended(job, 0);
  CHECK(s.task(job, 0) == TaskState::kFinished);
}

TEST_CASE(
    "a multi-node task whose first worker was given up is ended when that is back, and only then starts "
    "anew") {
  bool running = true;
  SUBCASE("and runs it") {}
  SUBCASE("and is about to begin it") {
    running = false;
  }
  TestServer s(true);
  WorkerConfig quick = node("n1");
  quick.heartbeat_interval = 1s;
  TestWorker& root = s.add_worker(quick);
  TestWorker& other = s.add_worker(node("n2"));
  TestWorker& spare = s.add_worker(node("n3"));
  const JobId job = s.submit(on_nodes(2));
  root.runs();
  if (running) root.started(job, 0);
  root.beating = false;
  s.advance(20s);
  REQUIRE(s.worker(root).lost == LossReason::kHeartbeatLost);

  TestWorker& again = s.reconnect(root);
  msg::Hello hello = again.hello();
  hello.held = {again.held(job, 0, running)};
  again.say(hello);
  s.settle();

  const msg::Welcome welcome = again.heard<msg::Welcome>();
  again.id = welcome.worker;
  CHECK(welcome.unwanted == hello.held);
  s.advance(5s);
  const auto runs = [&] { return again.runs().size() + other.runs().size() + spare.runs().size(); };
  CHECK(runs() == 0);  // it may still be ending
  s.advance(60s);
  CHECK(s.instance(job, 0) == 1);
  CHECK(runs() == 1);
}

TEST_CASE("a placed task that comes back is not sent there again before something has ended") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId small = s.submit(submit().cpus(1));
  REQUIRE(w.runs().size() == 1);
  w.started(small, 0);
  w.heard<msg::Ack>();
  const JobId job = s.submit(submit().cpus(2));
  REQUIRE(w.runs().size() == 1);
  w.say(msg::Returned{0, {{job, {0, 0, 1}, InstanceId(0)}}});
  s.settle();
  CHECK(w.runs().empty());
  w.ended(small, 0);
  w.heard<msg::Ack>();
  const auto runs = w.runs();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].instance == InstanceId(0));
}

TEST_CASE("a waiting task is explained by what each worker offers and has free") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId big = s.submit(submit().cpus(8));
  const JobId holder = s.submit(submit().cpus(3));
  const JobId waits = s.submit(submit().cpus(2));
  w.runs();
  w.started(holder, 0);

  const auto ask = [&](JobId job) {
    return s.ask<msg::TaskExplanation>(
        msg::ExplainTask{{msg::Selection::Kind::kIds, IdArray::single(job.value)}, TaskId(0)});
  };
  const auto too_big = ask(big);
  REQUIRE(too_big.workers.size() == 1);
  CHECK(too_big.workers[0].enabled() == 0);
  CHECK(too_big.workers[0].variants[0][0].offered == Amount::units(4));
  const auto waiting = ask(waits);
  CHECK(waiting.workers[0].enabled() == 1);
  CHECK(waiting.workers[0].now == "cpus: 1 of 4 are free");
  CHECK(ask(holder).workers[0].now.empty());
}
