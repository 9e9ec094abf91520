// Waiting for jobs, with or without a line that shows how far they are.
#pragma once

#include "cli/commands/context.h"
#include "cli/commands/follower.h"
#include "cli/commands/notify_callback.h"
#include "cli/output/formatter.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

// Returns when all of them are done (and closed, unless `without_close`).
[[nodiscard]] Result<void> wait_for_jobs(Follower& follower, const msg::Selection& jobs, bool without_close);
// The same, and whatever their tasks say meanwhile is given to `callback`.
[[nodiscard]] Result<void> wait_and_listen(Follower& follower, const msg::Selection& jobs,
                                           const NotifyCallback& callback);
// The same for a job that was submitted just now, with the progress line.
[[nodiscard]] Result<void> show_progress_of_submitted(Follower& follower, JobId job, Output& output);

}  // namespace hq::cli
