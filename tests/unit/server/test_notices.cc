// What running tasks say, on its way to who waits for them.
#include "hq/protocol/limits.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct Talking : TestServer {
  TestWorker& worker;
  JobId job;
  uint64_t said = 0;

  Talking() : worker(add_worker(4)), job(submit(hq::test::submit().array(0, 3))) {
    (void)worker.runs();
    worker.started(job, 0);
    turn();
    workers.sent[worker.peer].clear();
  }
  msg::Notice notice(std::string text, uint32_t task = 0, uint32_t instance = 0) {
    return {++said, job, TaskId(task), InstanceId(instance), std::move(text)};
  }
  void say(const std::string& text) {
    worker.say(notice(text));
    turn();
  }
  PeerId wait(bool notices = true) {
    const PeerId client = new_client();
    msg::WaitJobs message{selection(job.value)};
    message.notices = notices;
    request(client, message);
    return client;
  }
  std::vector<std::string> texts(PeerId client) {
    std::vector<std::string> out;
    for (const auto& reply : replies(client)) {
      if (const auto* told = std::get_if<msg::TaskNotice>(&reply.message)) out.push_back(told->text);
    }
    return out;
  }
  std::optional<uint64_t> acknowledged() {
    std::optional<uint64_t> number;
    for (const Bytes& frame : std::exchange(workers.sent[worker.peer], {})) {
      auto decoded = decode_to_worker(frame);
      REQUIRE(decoded);
      if (const auto* ack = std::get_if<msg::NoticeAck>(&decoded->message)) number = ack->number;
    }
    return number;
  }
};

}  // namespace

TEST_CASE("what a task says is told to those who wait for its job and want to hear it") {
  Talking w;
  const PeerId listener = w.wait();
  const PeerId deaf = w.wait(false);
  w.say("half done");

  const auto replies = w.replies(listener);
  REQUIRE(replies.size() == 1);
  const auto& told = std::get<msg::TaskNotice>(replies[0].message);
  CHECK(told.job == w.job);
  CHECK(told.task == TaskId(0));
  CHECK(told.worker == w.worker.id);
  CHECK(told.text == "half done");
  CHECK(told.at == w.now.wall);
  CHECK(w.replies(deaf).empty());
  CHECK(w.acknowledged() == 1);
}

TEST_CASE("who submits may listen from the first moment on") {
  TestServer s;
  TestWorker& worker = s.add_worker(1);
  const PeerId client = s.new_client();
  msg::Submit message;
  message.name = "job";
  message.submit = submit().value();
  message.notices = true;
  const RequestId id = s.request(client, message);
  (void)worker.runs();
  worker.say(msg::Notice{1, JobId(1), TaskId(0), InstanceId(0), "early"});
  worker.ended(JobId(1), 0);

  const auto replies = s.replies(client);
  REQUIRE(replies.size() == 3);
  CHECK(std::holds_alternative<msg::Submitted>(replies[0].message));
  CHECK(std::get<msg::TaskNotice>(replies[1].message).text == "early");
  CHECK(std::holds_alternative<msg::WaitFinished>(replies[2].message));
  for (const auto& reply : replies) CHECK(reply.id == id);
}

TEST_CASE("without a listener it is lost, and acknowledged all the same") {
  Talking w;
  w.say("a");
  CHECK(w.acknowledged() == 1);
  const PeerId late = w.wait();
  CHECK(w.texts(late).empty());
}

TEST_CASE("live followers of events hear it too, and hold up nobody") {
  Talking w;
  const PeerId follower = w.new_client();
  w.request(follower, msg::FollowEvents{true});
  w.clients.full.insert(follower);
  for (int i = 0; i < 500; ++i) w.say(std::to_string(i));
  CHECK(w.acknowledged() == 500);
  w.clients.full.clear();
  w.settle();
  CHECK(w.texts(follower).size() <= 65);
  w.say("last");
  CHECK(w.texts(follower) == std::vector<std::string>{"last"});
}

TEST_CASE("a client that takes nothing holds up those who speak to it, and grows nothing") {
  Talking w;
  const PeerId listener = w.wait();
  w.clients.full.insert(listener);
  for (int i = 0; i < 500; ++i) w.say(std::to_string(i));
  const auto acknowledged = w.acknowledged();
  REQUIRE(acknowledged);
  CHECK(*acknowledged == 64);

  w.clients.full.clear();
  w.settle();
  w.advance(100ms);
  // What was beyond the window had not been taken from the task.
  CHECK(w.texts(listener).size() == 64 + limits::kNoticesUnderWay);
  CHECK(w.acknowledged() == 64 + limits::kNoticesUnderWay);
}

TEST_CASE("what was held back comes before the end of the wait") {
  Talking w;
  w.worker.started(w.job, 1);
  w.worker.started(w.job, 2);
  const PeerId listener = w.wait();
  w.clients.full.insert(listener);
  for (int i = 0; i < 70; ++i) w.say("x");
  for (uint32_t task = 0; task < 3; ++task) w.worker.ended(w.job, task);
  w.clients.full.clear();
  w.settle();

  const auto replies = w.replies(listener);
  REQUIRE(replies.size() == 71);
  CHECK(std::holds_alternative<msg::WaitFinished>(replies.back().message));
}

TEST_CASE("said twice after a lost connection, it is told once") {
  Talking w;
  const PeerId listener = w.wait();
  const msg::Notice notice = w.notice("once");
  w.worker.say(notice);
  w.worker.say(notice);
  w.turn();

  CHECK(w.texts(listener) == std::vector<std::string>{"once"});
  CHECK(w.acknowledged() == 1);
}

TEST_CASE("what an attempt says that is not that worker's is not heard") {
  Talking w;
  const PeerId listener = w.wait();
  w.worker.say(w.notice("later instance", 0, 3));
  w.worker.say(w.notice("unknown task", 77));
  w.turn();

  CHECK(w.texts(listener).empty());
  CHECK(w.acknowledged() == 2);
}

TEST_CASE("a listener that goes away frees those it held up") {
  Talking w;
  const PeerId listener = w.wait();
  w.clients.full.insert(listener);
  for (int i = 0; i < 70; ++i) w.say("x");
  CHECK(w.acknowledged() == 64);
  w.clients.gone.insert(listener);
  ++w.clients.disconnects;
  w.turn();
  w.turn();
  CHECK(w.acknowledged() == 70);
}
