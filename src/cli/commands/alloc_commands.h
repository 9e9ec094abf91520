// `hq alloc ...`: each prints its answer and returns the exit code.
#pragma once

#include "cli/commands/context.h"
#include "cli/commands/options.h"
#include "cli/output/formatter.h"

namespace hq::cli {

int run_alloc_add(const AllocAddOptions& options, const CommandContext& context, Output& output);
int run_alloc_dry_run(const AllocDryRunOptions& options, const CommandContext& context, Output& output);
int run_alloc_list(const AllocListOptions& options, const CommandContext& context, Output& output);
int run_alloc_info(const AllocInfoOptions& options, const CommandContext& context, Output& output);
int run_alloc_log(const AllocLogOptions& options, const CommandContext& context, Output& output);
int run_alloc_pause(const AllocPauseOptions& options, const CommandContext& context, Output& output);
int run_alloc_resume(const AllocResumeOptions& options, const CommandContext& context, Output& output);
int run_alloc_remove(const AllocRemoveOptions& options, const CommandContext& context, Output& output);

}  // namespace hq::cli
