// The commands about the server and its workers, without the two that serve. Each prints its answer and
// returns the exit code.
#pragma once

#include "cli/commands/context.h"
#include "cli/commands/options.h"
#include "cli/output/formatter.h"

namespace hq::cli {

int run_server_stop(const ServerStopOptions& options, const CommandContext& context, Output& output);
int run_server_info(const ServerInfoOptions& options, const CommandContext& context, Output& output);
int run_server_wait(const ServerWaitOptions& options, const CommandContext& context, Output& output);
int run_generate_access(const GenerateAccessOptions& options, const CommandContext& context, Output& output);
int run_debug_dump(const DebugDumpOptions& options, const CommandContext& context, Output& output);

int run_journal_export(const JournalExportOptions& options, const CommandContext& context, Output& output);
int run_journal_check(const JournalCheckOptions& options, const CommandContext& context, Output& output);
int run_journal_stream(const JournalStreamOptions& options, const CommandContext& context, Output& output);
int run_journal_replay(const JournalReplayOptions& options, const CommandContext& context, Output& output);
int run_journal_prune(const JournalPruneOptions& options, const CommandContext& context, Output& output);
int run_journal_flush(const JournalFlushOptions& options, const CommandContext& context, Output& output);

int run_worker_stop(const WorkerStopOptions& options, const CommandContext& context, Output& output);
int run_worker_resume(const WorkerResumeOptions& options, const CommandContext& context, Output& output);
int run_worker_list(const WorkerListOptions& options, const CommandContext& context, Output& output);
int run_worker_info(const WorkerInfoOptions& options, const CommandContext& context, Output& output);
int run_worker_address(const WorkerAddressOptions& options, const CommandContext& context, Output& output);
int run_worker_wait(const WorkerWaitOptions& options, const CommandContext& context, Output& output);
int run_worker_hwdetect(const HwDetectOptions& options, const CommandContext& context, Output& output);
int run_worker_deploy_ssh(const DeployOptions& options, const CommandContext& context, Output& output);

}  // namespace hq::cli
