// Connecting, the hello, heartbeats, coming back.
#include "hq/base/log.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "world.h"

using namespace hq;

namespace {

struct LogBook {
  std::vector<std::string> lines;
  LogBook() {
    log::set_sink([this](log::Level, std::string_view line) { lines.emplace_back(line); });
  }
  ~LogBook() { log::set_sink(nullptr); }
  size_t count(std::string_view text) const {
    return size_t(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    }));
  }
};

}  // namespace

TEST_CASE("a worker introduces itself and says nothing more before the welcome") {
  World w;
  w.start();
  const auto hello = w.heard<msg::Hello>();
  CHECK(hello.protocol == kProtocol);
  CHECK(hello.counter == 1);
  CHECK(hello.worker == WorkerId(0));
  CHECK(hello.worker_uid.value != 0);
  CHECK(hello.last_page);
  REQUIRE(hello.config);
  CHECK(hello.config->hostname == "n1");
  w.advance(10s);
  CHECK(w.network.link().from_worker.empty());
  CHECK_FALSE(w.worker->take_registration());

  w.welcome();
  const auto registration = w.worker->take_registration();
  REQUIRE(registration);
  CHECK(registration->worker == WorkerId(5));
  CHECK(registration->server_uid == "abcdef");
  CHECK_FALSE(w.worker->take_registration());
}

TEST_CASE("heartbeats leave each interval and keep the fence up") {
  World w;
  w.register_worker(false, 16s);
  CHECK(w.fence == 16s);
  // The first one at once: it tells the server that its welcome has arrived.
  for (uint64_t n = 1; n <= 5; ++n) {
    if (n > 1) w.advance(8s);
    CHECK(w.heard<msg::Heartbeat>().counter == n);
    w.say(msg::HeartbeatAck{n});
    CHECK(*w.fence > 15s);
  }
  CHECK_FALSE(w.worker->finished());
}

TEST_CASE("without a server the worker tries for a while, says so, and gives up") {
  World w;
  LogBook book;
  w.network.new_links = DealerChannel::State::kClosed;
  w.start();
  w.advance(60s);
  CHECK_FALSE(w.worker->finished());
  CHECK(book.count("Could not connect to server, error: Connection reset by peer (os error 104)") >= 20);
  CHECK(book.count("Worker registration attempt 1/8 failed: Connection reset by peer (os error 104); "
                   "retrying in 10s") == 1);
  w.advance(400s);
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.worker->final_error());
  CHECK(w.network.links.size() == 160);
  CHECK(book.count("Worker registration attempt 7/8") == 1);
  CHECK(book.count("Worker stopping") == 0);
}

TEST_CASE("a key that is not accepted ends the worker at once") {
  World w;
  w.network.new_links = DealerChannel::State::kRefused;
  w.start();
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.network.links.size() == 1);
}

TEST_CASE("a refusal by the server ends the worker with its reason") {
  World w;
  w.start();
  w.say(msg::Refused{"too old"});
  CHECK(w.worker->finished());
  CHECK(w.worker->final_error()->message == "too old");
}

TEST_CASE("an access file that can't be read is final, but under a manager it may come late") {
  World impatient;
  impatient.network.error = Error("Cannot load access record");
  impatient.start();
  CHECK(impatient.worker->finished());
  CHECK(impatient.worker->final_error()->message == "Cannot load access record");

  World w;
  w.options.config.manager = ManagerKind::kSlurm;
  w.network.error = Error("Cannot load access record");
  w.start();
  w.advance(30s);
  CHECK_FALSE(w.worker->finished());
  w.network.error.reset();
  w.advance(3s);
  CHECK(w.heard<msg::Hello>().counter == 1);
}

TEST_CASE("a server that never answers the hello costs a registration attempt") {
  World w;
  LogBook book;
  w.start();
  w.advance(16s);
  CHECK(book.count("Worker registration attempt 1/8 failed") == 1);
  w.advance(10s);
  CHECK(w.network.links.size() == 2);
  CHECK(w.heard<msg::Hello>().counter == 2);
}

TEST_CASE("messages of another session are not heard") {
  World w;
  w.register_worker();
  w.network.link().to_worker.push_back(encode(SessionId(99), msg::ToWorker(msg::StopWorker{})));
  w.turn();
  w.network.link().to_worker.push_back(encode(SessionId(0), msg::ToWorker(msg::StopWorker{})));
  w.turn();
  CHECK_FALSE(w.worker->finished());
  CHECK(w.said_nothing());
}

TEST_CASE("a message that can't be read ends the session") {
  World w;
  w.register_worker(true);
  w.network.link().to_worker.push_back("nonsense");
  w.turn();
  CHECK(w.network.links.size() == 2);
  CHECK(w.heard<msg::Hello>().counter == 2);
}

TEST_CASE("tasks without a definition end the session") {
  World w;
  w.register_worker(true);
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.turn();
  CHECK(w.network.links.size() == 2);
}

TEST_CASE("a resumable server is come back to with a complete inventory") {
  World w(1);
  w.register_worker(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 3), slot(1, 9)}});
  CHECK(w.launcher.running_tasks() == Ids{9});
  w.advance(5ms);
  CHECK(started_in(w.heard<msg::Report>()) == Ids{9});
  w.launcher.end(w.launcher.launch_of(9), 0, 0, 1s);
  w.turn();
  w.advance(5ms);
  CHECK(ended_in(w.heard<msg::Report>()) == Ids{9});

  w.close_link();
  w.turn();
  CHECK(w.network.links.size() == 2);
  const auto hello = w.heard<msg::Hello>();
  CHECK(hello.counter == 2);
  CHECK(hello.worker == WorkerId(5));
  CHECK(hello.server_uid == "abcdef");
  REQUIRE(hello.held.size() == 3);
  for (const auto& held : hello.held) CHECK(held.running == (held.task == TaskId(1)));
  REQUIRE(hello.ended.size() == 1);
  CHECK(hello.ended[0].task == TaskId(9));
  const uint64_t last_report = hello.last_report;
  CHECK(w.launcher.running_tasks() == Ids{1});

  w.welcome(true, 60s);
  w.say(msg::Ack{last_report});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  w.close_link();
  w.turn();
  const auto third = w.heard<msg::Hello>();
  REQUIRE(third.ended.size() == 1);
  CHECK(third.ended[0].task == TaskId(1));
  CHECK(third.last_report > last_report);
}

TEST_CASE("ends that were never reported are in the inventory under a number of their own") {
  World w(2);
  w.register_worker(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 9)}});
  w.network.link().from_worker.clear();
  w.network.link().full = true;
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  w.advance(10ms);
  w.close_link();
  w.turn();
  const auto hello = w.heard<msg::Hello>();
  REQUIRE(hello.ended.size() == 1);
  w.welcome(true, 60s);
  w.say(msg::Ack{hello.last_report});
  w.close_link();
  w.turn();
  CHECK(w.heard<msg::Hello>().ended.empty());
}

TEST_CASE("what the server does not want is dropped and stopped after the hello") {
  World w(1);
  w.register_worker(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 3)}});
  w.close_link();
  w.turn();
  auto held = w.heard<msg::Hello>().held;
  REQUIRE(held.size() == 3);
  std::erase_if(held, [](const auto& task) { return task.task == TaskId(2); });
  w.welcome(true, 60s, held);
  CHECK(w.launcher.running_tasks() == Ids{2});
  CHECK(w.launcher.started_tasks() == Ids{1, 2});
}

TEST_CASE("after coming back a definition that is the same keeps its template") {
  World w(1);
  w.register_worker(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.close_link();
  w.turn();
  (void)w.heard<msg::Hello>();
  w.welcome(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 2, 2)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.templates.size() == 1);
  CHECK(w.launcher.running_tasks() == Ids{2});
}

TEST_CASE("a large inventory comes in pages") {
  World w(1);
  w.register_worker(true, 60s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 50'000)}});
  w.close_link();
  w.turn();
  size_t held = 0;
  for (uint32_t page = 0; page < 3; ++page) {
    const auto hello = w.heard<msg::Hello>();
    CHECK(hello.page == page);
    CHECK(hello.counter == 2);
    CHECK(hello.config.has_value() == (page == 0));
    CHECK(hello.last_page == (page == 2));
    CHECK(hello.held.size() <= limits::kInventoryPage);
    held += hello.held.size();
  }
  CHECK(held == 50'000);
  CHECK(w.said_nothing());
}

TEST_CASE("HelloPlease gets a new session even from a server without a journal") {
  World w(1);
  w.register_worker(false);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.network.link().to_worker.push_back(encode(SessionId(), msg::ToWorker(msg::HelloPlease{})));
  w.turn();
  w.turn();
  CHECK(w.network.links.size() == 2);
  CHECK(w.heard<msg::Hello>().held.size() == 1);
  CHECK(w.launcher.running_tasks() == Ids{1});
}

TEST_CASE("coming back is tried at once, then with growing pauses, until the window ends") {
  World w(1);
  w.register_worker(true, 30s);
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  w.network.new_links = DealerChannel::State::kClosed;
  w.close_link();
  w.advance(1ms);
  CHECK(w.network.links.size() == 2);
  w.advance(20s);
  CHECK(w.network.links.size() > 6);
  CHECK(w.network.links.size() < 30);
  CHECK(w.launcher.running_tasks() == Ids{1});
  CHECK_FALSE(w.worker->finished());

  w.advance(11s);
  CHECK(w.launcher.running().empty());
  CHECK(w.worker->finished());
  CHECK(w.worker->exit_code() == 1);
  CHECK(w.worker->final_error()->message == "Server connection closed");
}

TEST_CASE("a resumable server that falls silent is connected to anew") {
  World w(1);
  w.register_worker(true, 60s);
  w.advance(8s);
  w.answer_heartbeats();
  w.advance(23s);
  CHECK(w.network.links.size() == 1);
  w.advance(2s);
  CHECK(w.network.links.size() == 2);
}

TEST_CASE("reports wait for company while there is a backlog, at most two milliseconds") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 200)}});
  CHECK(w.said_nothing());
  w.advance(1ms);
  CHECK(w.said_nothing());
  w.advance(1ms);
  CHECK(started_in(w.heard<msg::Report>()) == Ids{1});

  for (uint32_t id = 1; id <= 64; ++id) {
    CHECK(w.said_nothing());
    w.launcher.end(w.launcher.launch_of(id), 0, 0, 1ms);
    w.turn();
  }
  const auto report = w.heard<msg::Report>();
  CHECK(report.number == 2);
  CHECK(report.ended.size() == limits::kReportTasks);
}

TEST_CASE("reports leave at once when the backlog is empty or somebody waits") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  auto eager = run(1, 1, 1);
  eager.eager = true;
  w.say(msg::RunTasks{{eager, run(1, 2, 3)}});
  CHECK(started_in(w.heard<msg::Report>()) == Ids{1});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  CHECK(ended_in(w.heard<msg::Report>()) == Ids{1});
  w.advance(1ms);
  CHECK(w.said_nothing());
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1s);
  w.turn();  // 3 runs, nothing waits
  CHECK(ended_in(w.heard<msg::Report>()) == Ids{2});
}

TEST_CASE("a start and an end that would share a report are told as the end alone") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 3)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1ms);
  w.turn();
  w.advance(3ms);
  const auto report = w.heard<msg::Report>();
  CHECK(started_in(report) == Ids{2});
  CHECK(ended_in(report) == Ids{1});
}

TEST_CASE("a socket that takes no more gets the rest later, in order") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.network.link().full = true;
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.launcher.end(LaunchId(1), 0, 0, 1s);
  w.turn();
  CHECK(w.said_nothing());
  w.network.link().full = false;
  w.advance(30ms);
  CHECK(w.heard<msg::Report>().number == 1);
}
