// hq task notify: to the worker on this machine, not to the server.
#include <fmt/format.h>

#include "cli/commands/job_commands.h"
#include "hq/os/notice_socket.h"

namespace hq::cli {
namespace {

Result<void> notify(const std::string& message, const Environment& environment) {
  if (message.size() > kMostNoticeBytes) {
    return Error(fmt::format("Notify message limit exceeded. Message has {} bytes, the limit is {} bytes",
                             message.size(), kMostNoticeBytes));
  }
  const char* key = environment(kAccessKeyVariable);
  if (key == nullptr) {
    return Error(fmt::format("{} variable not found. Are you running this command inside a task?",
                             kAccessKeyVariable));
  }
  const std::string_view text(key);
  const size_t colon = text.rfind(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size())
    return Error(fmt::format("Value of {} has a wrong format", kAccessKeyVariable));
  return say_notice(std::string(text.substr(0, colon)), text.substr(colon + 1), message);
}

}  // namespace

int run_task_notify(const TaskNotifyOptions& options, const CommandContext& context, Output& output) {
  if (auto said = notify(options.message, context.environment); !said)
    return output.print_error(said.error());
  return output.finish();
}

}  // namespace hq::cli
