// Waiting for jobs, with or without a line that shows how far they are.
#pragma once

#include <optional>

#include "cli/commands/context.h"
#include "cli/commands/follower.h"
#include "cli/commands/notify_callback.h"
#include "cli/output/formatter.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

struct WaitFor {
  msg::Selection jobs;
  bool without_close = false;
  const NotifyCallback* callback = nullptr;  // gets whatever their tasks say meanwhile
  // A submit that asked for notices: its further answers are those of this wait.
  std::optional<RequestId> begun = std::nullopt;
};
// Returns when all of them are done (and closed, unless `without_close`). On a terminal a line shows how far
// they are.
[[nodiscard]] Result<void> wait_for_jobs(Follower& follower, const WaitFor& what,
                                         const CommandContext& context, Output& output);
// The same for a job that was submitted just now, with the progress line.
[[nodiscard]] Result<void> show_progress_of_submitted(Follower& follower, JobId job, Output& output);

}  // namespace hq::cli
