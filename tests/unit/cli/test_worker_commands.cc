#include <doctest/doctest.h>

#include "cli/commands/service_commands.h"
#include "unit/cli/played_server.h"

namespace hq::cli {
namespace {

using Replies = std::vector<msg::ClientReply>;

msg::WorkerDetail worker(uint32_t id, std::optional<LossReason> lost = {}) {
  msg::WorkerDetail detail;
  detail.id = WorkerId(id);
  detail.config.hostname = "node" + std::to_string(id);
  detail.lost = lost;
  return detail;
}

TEST_CASE("the list comes in pages and is printed as one") {
  PlayedServer server([](const msg::ClientRequest& request) {
    REQUIRE(std::get<msg::ListWorkers>(request).offline);
    return Replies{msg::WorkerList{{worker(1)}}, msg::WorkerList{{worker(2, LossReason::kStopped)}},
                   msg::End{}};
  });

  CHECK(server.run(run_worker_list, WorkerListOptions{true, {}}, OutputMode::kQuiet) == 0);

  CHECK(server.out == "1 RUNNING\n2 STOPPED\n");
}

TEST_CASE("offline workers alone are listed when asked for") {
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::WorkerList{{worker(1), worker(2, LossReason::kHeartbeatLost)}}, msg::End{}};
  });

  CHECK(server.run(run_worker_list, WorkerListOptions{false, WorkerFilter::kOffline}, OutputMode::kQuiet) ==
        0);

  CHECK(server.out == "2 HEARTBEAT LOST\n");
}

TEST_CASE("suspect workers are pointed at in the list, and listed alone when asked for") {
  PlayedServer server([](const msg::ClientRequest&) {
    msg::WorkerDetail suspect = worker(2);
    suspect.suspicion.emplace();
    return Replies{msg::WorkerList{{worker(1), suspect}}, msg::End{}};
  });

  CHECK(server.run(run_worker_list, WorkerListOptions{false, WorkerFilter::kSuspect}, OutputMode::kQuiet) ==
        0);
  CHECK(server.out == "2 RUNNING\n");
  CHECK(server.logged.empty());

  CHECK(server.run(run_worker_list, WorkerListOptions{}) == 0);
  CHECK(server.logged ==
        std::vector<std::string>{"WARN 1 of them is suspect (see `hq worker list --filter=suspect`)"});
}

TEST_CASE("resuming workers is told by one log line for each, in every mode") {
  PlayedServer server([](const msg::ClientRequest& request) {
    using Outcome = msg::ItemResult::Outcome;
    REQUIRE(std::holds_alternative<msg::ResumeWorkers>(request));
    return Replies{msg::ItemResults{
        {{2, Outcome::kAlreadyEnded, 0, 0}, {3, Outcome::kOk, 0, 0}, {9, Outcome::kNotFound, 0, 0}}}};
  });
  const std::vector<std::string> lines = {"WARN Resuming worker 2 failed; worker is not suspect",
                                          "INFO Worker 3 resumed",
                                          "ERROR Resuming worker 9 failed; worker not found"};

  for (OutputMode mode : {OutputMode::kCli, OutputMode::kQuiet, OutputMode::kJson}) {
    server.logged.clear();
    CHECK(server.run(run_worker_resume, WorkerResumeOptions{}, mode) == 0);
    CHECK(server.logged == lines);
  }
  CHECK(server.out == "{}\n");
}

TEST_CASE("info logs workers that are not there and shows the others") {
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::WorkerList{{worker(1)}}, msg::WorkerNotFound{WorkerId(9)}, msg::End{}};
  });

  CHECK(server.run(run_worker_info, WorkerInfoOptions{}) == 0);

  CHECK(server.logged == std::vector<std::string>{"ERROR Worker 9 not found"});
  CHECK(server.out.find("| Worker            | 1") != std::string::npos);
}

TEST_CASE("an address is a line in every mode, and the document follows") {
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::WorkerList{{worker(2)}}, msg::End{}};
  });

  CHECK(server.run(run_worker_address, WorkerAddressOptions{2}, OutputMode::kQuiet) == 0);
  CHECK(server.run(run_worker_address, WorkerAddressOptions{2}, OutputMode::kJson) == 0);

  CHECK(server.out == "node2\nnode2\n{}\n");
}

TEST_CASE("the address of an unknown worker is an error") {
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::WorkerNotFound{WorkerId(9)}, msg::End{}};
  });

  CHECK(server.run(run_worker_address, WorkerAddressOptions{9}) == 1);

  CHECK(server.err == "Worker 9 not found\n");
}

TEST_CASE("stop tells of each worker what became of it") {
  PlayedServer server([](const msg::ClientRequest&) {
    using Outcome = msg::ItemResult::Outcome;
    return Replies{msg::ItemResults{
        {{2, Outcome::kAlreadyEnded, 0, 0}, {3, Outcome::kOk, 0, 0}, {9, Outcome::kNotFound, 0, 0}}}};
  });

  CHECK(server.run(run_worker_stop, WorkerStopOptions{}) == 0);

  CHECK(server.out.empty());
  CHECK(server.logged == std::vector<std::string>{"WARN Stopping worker 2 failed; worker is already stopped",
                                                  "INFO Worker 3 stopped",
                                                  "ERROR Stopping worker 9 failed; worker not found"});
}

TEST_CASE("wait asks until enough workers are there") {
  size_t online = 0;
  PlayedServer server([&](const msg::ClientRequest&) {
    msg::WorkerList list;
    for (size_t i = 0; i < online; ++i) list.workers.push_back(worker(uint32_t(i) + 1));
    return Replies{list, msg::End{}};
  });
  server.at(10s, [&] { online = 1; });
  server.at(20s, [&] { online = 2; });

  CHECK(server.run(run_worker_wait, WorkerWaitOptions{2}) == 0);

  CHECK(server.elapsed() >= 20s);
  CHECK(server.elapsed() < 22s);
  CHECK(server.requests.size() < 40);
}

TEST_CASE("a wait ends with its server") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::End{}}; });
  server.at(10s, [&] { server.die(); });

  CHECK(server.run(run_worker_wait, WorkerWaitOptions{1}) == 1);

  CHECK(server.elapsed() < 11s);
  CHECK(server.err.starts_with("Tako error: "));
}

}  // namespace
}  // namespace hq::cli
