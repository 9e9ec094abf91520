// Output of tasks through the server, from wherever it is kept, while it grows.
#pragma once

#include "cli/commands/context.h"
#include "cli/commands/options.h"
#include "cli/output/formatter.h"
#include "hq/base/result.h"

namespace hq::cli {

// Prints what there is of a channel. False if it can't be read where it is kept; then nothing was printed.
[[nodiscard]] Result<bool> print_whole_output(Client& client, JobId job, TaskId task, StdStream stream,
                                              Output& output);

// `job cat --follow`: goes on until all tasks chosen have ended.
int follow_jobs(const JobCatOptions& options, const CommandContext& context, Output& output);

}  // namespace hq::cli
