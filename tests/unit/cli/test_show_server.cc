#include <doctest/doctest.h>

#include "cli/commands/show_server.h"

namespace hq::cli {
namespace {

std::string shown(OutputMode mode, const std::optional<std::string>& server_dir,
                  const std::optional<std::string>& journal) {
  const msg::ServerInfo info = {
      "SrvUID", "n1", 40001, "n2", 40002, "0.26.2", 61, WallTime{1'767'261'600'123'456'789}, journal};
  std::string text;
  Output output(
      mode, Style(), [&](std::string_view bytes) { return text += bytes, 0; },
      [](std::string_view) { return 0; });
  print_server_info(info, server_dir, output);
  return text;
}

TEST_CASE("info of a server is a table without its directory") {
  CHECK(shown(OutputMode::kCli, std::nullopt, std::nullopt) ==
        R"(+--------------+-------------------------+
| Server UID   | SrvUID                  |
| Client host  | n1                      |
| Client port  | 40001                   |
| Worker host  | n2                      |
| Worker port  | 40002                   |
| Version      | 0.26.2                  |
| Pid          | 61                      |
| Start date   | 2026-01-01 10:00:00 UTC |
| Journal path |                         |
+--------------+-------------------------+
)");
}

TEST_CASE("a started server names its directory first") {
  CHECK(shown(OutputMode::kCli, "/home/u/.hq-server", "j").find("| Server directory | /home/u/.hq-server") !=
        std::string::npos);
  CHECK(shown(OutputMode::kQuiet, "/home/u/.hq-server", std::nullopt) == "/home/u/.hq-server\n");
}

TEST_CASE("info of a server is silent in quiet mode") {
  CHECK(shown(OutputMode::kQuiet, std::nullopt, std::nullopt).empty());
}

TEST_CASE("the document of a server has all its keys") {
  CHECK(shown(OutputMode::kJson, std::nullopt, "../w/my.journal") == R"({
  "client_host": "n1",
  "client_port": 40001,
  "journal_path": "../w/my.journal",
  "pid": 61,
  "server_dir": null,
  "server_uid": "SrvUID",
  "start_date": "2026-01-01T10:00:00.123456789Z",
  "version": "0.26.2",
  "worker_host": "n2",
  "worker_port": 40002
}
)");
}

TEST_CASE("info of a server tells when its journal can't be written, for how long and why") {
  msg::ServerInfo info;
  info.journal_stalled = 75s;
  info.journal_trouble = "/fs/j: No space left on device (os error 28)";
  std::string text;
  Output output(
      OutputMode::kCli, Style(), [&](std::string_view bytes) { return text += bytes, 0; },
      [](std::string_view) { return 0; });
  print_server_info(info, std::nullopt, output);
  CHECK(text.find("| Journal stalled | for 1m 15s") != std::string::npos);
  CHECK(text.find("| Journal trouble | /fs/j: No space left on device (os error 28)") != std::string::npos);
}

}  // namespace
}  // namespace hq::cli
