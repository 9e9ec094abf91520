// How a worker ends, and what becomes of its tasks.
#include "world.h"

using namespace hq;

namespace {

struct Busy : World {
  explicit Busy(bool resumable = false, Duration window = 16s) : World(1) {
    register_worker(resumable, window);
    say(task(1).message());
    say(msg::RunTasks{{run(1, 1, 3)}});
    advance(5ms);
    (void)heard<msg::Report>();
  }
};

// Time passes with a server that answers.
void live(World& w, Duration duration) {
  for (; duration > 0s; duration -= std::min(duration, Duration(4s))) {
    w.advance(std::min(duration, Duration(4s)));
    w.answer_heartbeats();
  }
}

}  // namespace

TEST_CASE("a stopped worker stops its tasks, says goodbye and exits with 0") {
  Busy w;
  w.launcher.obedient = false;
  w.say(msg::StopWorker{});
  CHECK(w.launcher.processes.at(LaunchId(1)).stops == 1);
  CHECK(w.said_nothing());
  CHECK_FALSE(w.worker->finished());

  w.launcher.end(LaunchId(1), -1, 9);
  w.turn();
  // What we stopped is not reported: it starts anew elsewhere.
  const auto goodbye = w.heard<msg::Goodbye>();
  CHECK(goodbye.reason == msg::Goodbye::Reason::kStopped);
  CHECK(goodbye.last_lines == std::vector<std::string>{"last line"});
  const auto beat = w.heard<msg::Heartbeat>();
  CHECK_FALSE(w.worker->finished());
  w.say(msg::HeartbeatAck{beat.counter});
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 0);
  CHECK_FALSE(w.worker->final_error());
  CHECK(w.launcher.started_tasks() == Ids{1});
}

TEST_CASE("nobody has to answer the goodbye") {
  Busy w;
  w.say(msg::StopWorker{});
  CHECK_FALSE(w.worker->finished());
  w.advance(300ms);
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 0);
}

TEST_CASE("tasks that do not obey are left to the launcher after five seconds") {
  Busy w;
  w.launcher.obedient = false;
  w.say(msg::StopWorker{});
  w.advance(4900ms);
  CHECK(w.said_nothing());
  w.advance(200ms);
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kStopped);
}

TEST_CASE("the last results are acknowledged before the goodbye") {
  Busy w;
  w.launcher.end(LaunchId(1), 0, 0, 1s);
  w.say(msg::StopWorker{});
  const auto report = w.heard<msg::Report>();
  CHECK(ended_in(report) == Ids{1});
  CHECK(w.said_nothing());
  w.say(msg::Ack{report.number});
  (void)w.heard<msg::Goodbye>();
}

TEST_CASE("a signal stops the tasks and the worker exits with 0") {
  Busy w;
  w.worker->on_signal();
  w.turn();
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kSignal);
  CHECK(w.launcher.running().empty());
  w.advance(1s);
  CHECK(w.worker->exit_code() == 0);
}

TEST_CASE("a signal before the first connection ends the worker") {
  World w;
  w.network.new_links = DealerChannel::State::kConnecting;
  w.start();
  w.worker->on_signal();
  w.turn();
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 0);
}

TEST_CASE("the time limit counts from the start of the worker") {
  World w(1);
  w.options.config.time_limit = 10s;
  w.register_worker(true, 100s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  (void)w.heard<msg::Report>();
  w.advance(9900ms);
  CHECK(w.launcher.running_tasks() == Ids{1});
  w.advance(100ms);
  CHECK(w.launcher.running().empty());
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kTimeLimit);
  w.advance(1s);
  CHECK(w.worker->exit_code() == 0);
}

TEST_CASE("before the batch system ends the worker its tasks are stopped and its goodbye is said") {
  World w(1);
  w.options.config.time_limit = 1h;
  w.options.walltime = 10min;
  w.register_worker(true, 1h);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  (void)w.heard<msg::Report>();
  live(w, 10min - 11s);
  CHECK(w.launcher.running_tasks() == Ids{1});
  w.advance(1s);
  CHECK(w.launcher.processes.at(LaunchId(1)).stops == 1);
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kTimeLimit);
}

TEST_CASE("a short walltime loses a tenth of itself, and a time limit before it counts") {
  World w(1);
  w.options.walltime = 20s;
  SUBCASE("walltime") {
    w.register_worker(true, 1h);
    live(w, 17900ms);
    CHECK_FALSE(w.worker->finished());
    w.advance(200ms);
  }
  SUBCASE("time limit") {
    w.options.config.time_limit = 5s;
    w.register_worker(true, 1h);
    live(w, 4900ms);
    CHECK_FALSE(w.worker->finished());
    w.advance(200ms);
  }
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kTimeLimit);
}

TEST_CASE("a lost server without a journal ends the tasks and the worker with 1") {
  Busy w(false);
  w.close_link();
  CHECK(w.launcher.running().empty());
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.worker->final_error()->message == "Server connection closed");
  CHECK(w.network.links.size() == 1);
}

TEST_CASE("finish-running lets what runs end, starts nothing more, and exits with 1") {
  World w(1);
  w.options.config.on_server_lost = OnServerLost::kFinishRunning;
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 3)}});
  w.close_link();
  CHECK(w.launcher.running_tasks() == Ids{1});
  CHECK_FALSE(w.fence);
  w.advance(100s);
  CHECK_FALSE(w.worker->finished());
  w.launcher.end(LaunchId(1));
  w.turn();
  CHECK(w.launcher.started_tasks() == Ids{1});
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
}

TEST_CASE("an orderly stop of the server is final even with a journal") {
  Busy w(true, 100s);
  w.say(msg::StopWorker{msg::StopWorker::Reason::kServerStops});
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.launcher.running().empty());
}

TEST_CASE("without an answer tasks end when the window after the last answered heartbeat is over") {
  Busy w(false, 16s);
  w.advance(8s);
  w.answer_heartbeats();
  w.advance(15s);
  CHECK(w.launcher.running_tasks() == Ids{1});
  w.advance(2s);
  CHECK(w.launcher.running().empty());
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
}

TEST_CASE("the connection of a worker whose window is over ends after its tasks, never before") {
  Busy w(false, 16s);
  w.launcher.obedient = false;
  w.advance(17s);
  CHECK(w.launcher.running_tasks() == Ids{1});
  CHECK(w.network.link().state == DealerChannel::State::kOpen);
  w.launcher.end(LaunchId(1), -1, 9);
  w.turn();
  CHECK(w.worker->finished());
  CHECK(w.network.link().state == DealerChannel::State::kClosed);
}

TEST_CASE("the window ends tasks even if they may finish running") {
  World w(1);
  w.options.config.on_server_lost = OnServerLost::kFinishRunning;
  w.register_worker(false, 16s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.advance(17s);
  CHECK(w.launcher.running().empty());
}

TEST_CASE("ends that the fence made while the worker was frozen are not reported") {
  Busy w(true, 20s);
  w.freeze(25s);
  w.launcher.end(LaunchId(1), -1, 15);
  w.turn();
  CHECK(w.said_nothing());
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
}

TEST_CASE("a worker whose launcher died tells why and exits with 1") {
  Busy w;
  w.launcher.events.push_back({.kind = ProcessEvent::Kind::kLauncherGone});
  w.turn();
  CHECK(w.heard<msg::Goodbye>().reason == msg::Goodbye::Reason::kError);
  w.advance(1s);
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.worker->final_error());
}

TEST_CASE("while the server is away an idle worker ends by its own idle timeout, a busy one does not") {
  World w;
  w.options.config.idle_timeout = 5s;
  w.register_worker(true, 600s);
  w.advance(7s);
  CHECK_FALSE(w.worker->finished());  // the server is there: it decides
  w.network.new_links = DealerChannel::State::kClosed;

  SUBCASE("idle") {
    w.close_link();
    w.advance(6s);
    REQUIRE(w.worker->finished());
    CHECK(w.worker->exit_code() == 0);
  }
  SUBCASE("busy, then with a result that nobody has heard of") {
    w.say(task(1).message());
    w.say(msg::RunTasks{{slot(1, 7)}});
    w.close_link();
    w.advance(60s);
    CHECK_FALSE(w.worker->finished());
    w.launcher.end(w.launcher.running().at(0));
    w.turn();
    w.advance(60s);
    CHECK_FALSE(w.worker->finished());
  }
}

TEST_CASE("a worker that ends and says hello once more tells of the tasks that it has stopped") {
  World w(2);
  w.options.config.time_limit = 10s;
  w.register_worker(true, 100s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{slot(1, 1), slot(1, 2)}});
  (void)w.heard<msg::Report>();
  w.launcher.obedient = false;
  live(w, 9950ms);
  w.network.new_links = DealerChannel::State::kClosed;
  w.close_link();
  w.advance(50ms);
  REQUIRE(w.launcher.running_tasks() == Ids{1, 2});
  REQUIRE_FALSE(w.worker->finished());
  w.network.new_links = DealerChannel::State::kOpen;
  w.launcher.end(LaunchId(1), -1, 9);

  for (int i = 0; i < 40 && w.network.link().from_worker.empty(); ++i) w.advance(100ms);
  const auto hello = w.heard<msg::Hello>();

  REQUIRE(hello.held.size() == 1);
  CHECK(hello.held[0].task == TaskId(2));
  REQUIRE(hello.ended.size() == 1);
  CHECK(hello.ended[0].task == TaskId(1));
  CHECK(hello.ended[0].outcome == msg::EndedTask::Outcome::kStopped);
}
