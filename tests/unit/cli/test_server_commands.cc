#include <doctest/doctest.h>

#include "cli/commands/service_commands.h"
#include "unit/cli/played_server.h"

namespace hq::cli {
namespace {

using Replies = std::vector<msg::ClientReply>;

Replies answer_info(const msg::ClientRequest&) {
  msg::ServerInfo info;
  info.server_uid = "SrvUID";
  return {info};
}
Replies answer_done(const msg::ClientRequest&) {
  return {msg::Done{}};
}

TEST_CASE("info asks once and prints what came") {
  PlayedServer server(answer_info);

  CHECK(server.run(run_server_info, ServerInfoOptions{}) == 0);

  CHECK(server.out.find("| Server UID   | SrvUID") != std::string::npos);
  CHECK(server.requests == std::vector<std::string>{"get_server_info"});
}

TEST_CASE("a server that is not there is an error with advice") {
  PlayedServer nobody;

  CHECK(nobody.run(run_server_info, ServerInfoOptions{}) == 1);

  CHECK(nobody.out.empty());
  CHECK(
      nobody.err.starts_with("Access token found but HQ server n1:40001 is unreachable.\n"
                             "Try to (re)start the server using `hq server start`\n\nCaused by:\n"));
}

TEST_CASE("stop is told once the server has taken it") {
  PlayedServer server(answer_done);

  CHECK(server.run(run_server_stop, ServerStopOptions{}, OutputMode::kJson) == 0);

  CHECK(server.out == "{}\n");
  CHECK(server.logged == std::vector<std::string>{"INFO Stopping server"});
}

TEST_CASE("a stop that reaches nobody is not told") {
  PlayedServer nobody;

  CHECK(nobody.run(run_server_stop, ServerStopOptions{}) == 1);

  CHECK(nobody.logged.empty());
}

TEST_CASE("wait returns at once from a server that answers") {
  PlayedServer server(answer_info);

  CHECK(server.run(run_server_wait, ServerWaitOptions{}) == 0);

  CHECK(server.logged ==
        std::vector<std::string>{"INFO Waiting for server to become available (timeout: 5m)...",
                                 "INFO Successfully connected to server"});
  CHECK(server.elapsed() < 1s);
}

TEST_CASE("wait tries again after five seconds") {
  PlayedServer server(answer_info);
  server.die();
  server.at(2s, [&] { server.start(); });

  CHECK(server.run(run_server_wait, ServerWaitOptions{90s}) == 0);

  CHECK(server.connections == 2);
  CHECK(server.elapsed() >= 5s);
  CHECK(server.elapsed() < 6s);
  CHECK(server.logged.front() == "INFO Waiting for server to become available (timeout: 1m 30s)...");
}

TEST_CASE("wait ends exactly at its timeout") {
  PlayedServer nobody;

  CHECK(nobody.run(run_server_wait, ServerWaitOptions{7s}) == 1);

  CHECK(nobody.elapsed() == 7s);
  CHECK(nobody.err ==
        "Timeout after 7s: Could not connect to server at `/home/u/.hq-server`. Make sure that the server "
        "is running.\n");
}

TEST_CASE("wait gives up a server that does not answer") {
  PlayedServer mute([](const auto&) { return Replies{}; });

  CHECK(mute.run(run_server_wait, ServerWaitOptions{3s}) == 1);

  CHECK(mute.elapsed() == 3s);
}

TEST_CASE("wait without any time fails, whatever there is") {
  PlayedServer server(answer_info);

  CHECK(server.run(run_server_wait, ServerWaitOptions{0s}) == 1);

  CHECK(server.err.starts_with("Timeout after 0s: "));
}

TEST_CASE("a dump is announced and its failure is the server's") {
  PlayedServer server([](const msg::ClientRequest& request) {
    if (std::holds_alternative<msg::GetServerInfo>(request)) return Replies{msg::ServerInfo{}};
    return Replies{msg::Failed{"Error: Could not write debug dump: no"}};
  });

  CHECK(server.run(run_debug_dump, DebugDumpOptions{"d.json"}) == 1);

  CHECK(server.logged == std::vector<std::string>{"INFO Dumping server state ..."});
  CHECK(server.err == "Error: Could not write debug dump: no\n");
}

TEST_CASE("why a connection failed is told as users know it") {
  const ServerDir dir{"/d", false};
  RoleAccess access{"n1", 5001, {}, false, {}, {}};

  CHECK(connection_error(dir, access, {false, "Connection refused (os error 111)", false}).full_text() ==
        "Access token found but HQ server n1:5001 is unreachable.\n"
        "Try to (re)start the server using `hq server start --server-dir /d`\n\n"
        "Caused by:\n    Connection refused (os error 111)");
  CHECK(connection_error(dir, access, {true, "Cannot verify challenge", false}).full_text() ==
        "Access token found but HQ server n1:5001 is unreachable.\n"
        "Try to (re)start the server using `hq server start --server-dir /d`\n\n"
        "Caused by:\n    0: Tako error: Cannot verify challenge\n    1: Cannot verify challenge");
  CHECK(connection_error(dir, access, {false, "Connection closed", true}).full_text() ==
        "Tako error: Connection closed\n\nCaused by:\n    Connection closed");
  access.secret_key_unusable = true;
  CHECK(connection_error(dir, access, {false, "Creating sealer failed", false}).causes ==
        std::vector<std::string>{"Tako error: Creating sealer failed", "Creating sealer failed"});
}

}  // namespace
}  // namespace hq::cli
