// What tasks say by `hq task notify`.
#include "hq/protocol/limits.h"
#include "world.h"

using namespace hq;

namespace {

struct Speaking : World {
  Speaking() : World(2) {
    options.notice_socket = "/tmp/hq-lc-x";
    register_worker(true);
    say(task(1).message());
    say(msg::RunTasks{{run(1, 1, 3)}});
    network.link().from_worker.clear();
  }
  // As the task knows it.
  [[nodiscard]] std::string token(uint32_t task_id) const {
    const std::string key = launcher.env(launcher.launch_of(task_id), kAccessKeyVariable);
    const size_t colon = key.rfind(':');
    CHECK(key.substr(0, colon) == options.notice_socket);
    return key.substr(colon + 1);
  }
};

}  // namespace

TEST_CASE("what a task says goes to the server, and is confirmed when it is on its way") {
  Speaking w;
  const uint64_t said = w.notices.say(w.token(2), "half done");
  w.turn();

  CHECK(w.heard<msg::Notice>() == msg::Notice{1, JobId(1), TaskId(2), InstanceId(0), "half done"});
  CHECK(w.notices.confirmed == std::vector<uint64_t>{said});
}

TEST_CASE("each task has a token of its own, and who has none is refused") {
  Speaking w;
  CHECK(w.token(1) != w.token(2));
  std::string other = w.token(1);
  other.back() = other.back() == 'x' ? 'y' : 'x';
  for (const std::string& wrong :
       {other, std::string("hq0"), std::string(), std::string("hq-"), "hq99" + other})
    w.notices.say(wrong, "x");
  w.turn();

  CHECK(w.notices.refused.size() == 5);
  CHECK(w.notices.confirmed.empty());
  CHECK(w.said_nothing());
}

TEST_CASE("the token of a task that has ended is worth nothing") {
  Speaking w;
  const std::string token = w.token(1);
  w.launcher.end(w.launcher.launch_of(1));
  w.turn();
  w.notices.say(token, "x");
  w.turn();

  CHECK(w.notices.refused.size() == 1);
}

TEST_CASE("more is taken only as the server acknowledges") {
  Speaking w;
  for (size_t i = 0; i < 3 * limits::kNoticesUnderWay; ++i) w.notices.say(w.token(1), std::to_string(i));
  w.turn();
  CHECK(w.notices.confirmed.size() == limits::kNoticesUnderWay);
  CHECK(w.notices.waiting() == 2 * limits::kNoticesUnderWay);

  w.say(msg::NoticeAck{3});
  CHECK(w.notices.confirmed.size() == limits::kNoticesUnderWay + 3);
}

TEST_CASE("a socket that takes nothing keeps messages waiting outside") {
  Speaking w;
  w.network.link().full = true;
  for (int i = 0; i < 40; ++i) w.notices.say(w.token(1), "x");
  for (int i = 0; i < 5; ++i) w.turn();
  CHECK(w.notices.confirmed.size() <= limits::kNoticesUnderWay);
}

TEST_CASE("what was not acknowledged is said again after a lost connection") {
  Speaking w;
  w.notices.say(w.token(1), "a");
  w.notices.say(w.token(1), "b");
  w.turn();
  w.say(msg::NoticeAck{1});
  w.close_link();
  w.notices.say(w.token(2), "c");
  w.advance(1s);
  CHECK(w.notices.confirmed.size() == 2);

  (void)w.heard<msg::Hello>();
  w.welcome(true);
  CHECK(w.heard<msg::Notice>().text == "b");
  CHECK(w.heard<msg::Notice>().text == "c");
  CHECK(w.notices.confirmed.size() == 3);
}

TEST_CASE("without a server nobody listens, and nobody is kept waiting") {
  World w(1);
  w.options.notice_socket = "/tmp/s";
  w.options.config.on_server_lost = OnServerLost::kFinishRunning;
  w.register_worker(false);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  const std::string key = w.launcher.env(w.launcher.launch_of(1), kAccessKeyVariable);
  w.close_link();
  w.notices.say(key.substr(key.rfind(':') + 1), "x");
  w.turn();

  CHECK(w.notices.confirmed.size() == 1);
}

TEST_CASE("tasks of a worker without a socket get no key") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  CHECK(w.launcher.env(w.launcher.launch_of(1), kAccessKeyVariable).empty());
}
