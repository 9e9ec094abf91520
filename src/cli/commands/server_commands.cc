// `hq server stop|info|wait|debug-dump`.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/service_commands.h"
#include "cli/commands/show_server.h"
#include "hq/base/log.h"
#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

constexpr Duration kDefaultPatience = 5min;
constexpr Duration kLongestPatience = 24h * 365 * 100;  // what can be added to any moment
constexpr Duration kRetryPause = 5s;

// Whether a server answers, found out before `deadline`.
bool answers(const CommandContext& context, TimePoint deadline) {
  auto client = context.connect();
  if (!client) return false;
  auto answer = client->next_until(client->send(msg::GetServerInfo{}), deadline);
  return answer && answer->has_value();
}

Error not_there_in_time(Duration patience, const CommandContext& context) {
  return Error(fmt::format(
      "Timeout after {}: Could not connect to server at `{}`. Make sure that the server is running.",
      duration_text(patience), context.server_dir.path));
}

}  // namespace

int run_server_stop(const ServerStopOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  if (auto done = client->call<msg::Done>(msg::StopServer{options.keep_workers}); !done)
    return output.print_error(done.error());
  log::info("Stopping server");
  return output.finish();
}

int run_server_info(const ServerInfoOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto info = client->call<msg::ServerInfo>(msg::GetServerInfo{});
  if (!info) return output.print_error(info.error());
  print_server_info(*info, std::nullopt, output);
  return output.finish();
}

int run_server_wait(const ServerWaitOptions& options, const CommandContext& context, Output& output) {
  const Duration patience = std::min(options.timeout.value_or(kDefaultPatience), kLongestPatience);
  log::info(fmt::format("Waiting for server to become available (timeout: {})...", duration_text(patience)));
  const TimePoint deadline = context.clock->now().mono + patience;
  while (context.clock->now().mono < deadline) {
    if (answers(context, deadline)) {
      log::info("Successfully connected to server");
      return output.finish();
    }
    log::debug("Server not yet available, retrying in 5s...");
    context.sleep_until(std::min(deadline, context.clock->now().mono + kRetryPause));
  }
  return output.print_error(not_there_in_time(patience, context));
}

int run_debug_dump(const DebugDumpOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  // Nothing is announced before a server is known to be there.
  auto info = client->call<msg::ServerInfo>(msg::GetServerInfo{});
  if (!info) return output.print_error(info.error());
  log::info("Dumping server state ...");
  auto done = client->call<msg::Done>(msg::DebugDump{options.path});
  if (!done) return output.print_error(done.error());
  log::info("Dump finished");
  return output.finish();
}

}  // namespace hq::cli
