// The commands about jobs and tasks: submit, job, task. Each prints its answer and returns the exit code.
#pragma once

#include "cli/commands/context.h"
#include "cli/commands/options.h"
#include "cli/output/formatter.h"

namespace hq::cli {

int run_submit(const SubmitOptions& options, const CommandContext& context, Output& output);

int run_job_list(const JobListOptions& options, const CommandContext& context, Output& output);
int run_job_summary(const JobSummaryOptions& options, const CommandContext& context, Output& output);
int run_job_info(const JobInfoOptions& options, const CommandContext& context, Output& output);
int run_job_cancel(const JobCancelOptions& options, const CommandContext& context, Output& output);
int run_job_forget(const JobForgetOptions& options, const CommandContext& context, Output& output);
int run_job_cat(const JobCatOptions& options, const CommandContext& context, Output& output);
int run_job_wait(const JobWaitOptions& options, const CommandContext& context, Output& output);
int run_job_progress(const JobProgressOptions& options, const CommandContext& context, Output& output);
int run_job_task_ids(const JobTaskIdsOptions& options, const CommandContext& context, Output& output);
int run_job_resubmit(const JobResubmitOptions& options, const CommandContext& context, Output& output);
int run_job_open(const JobOpenOptions& options, const CommandContext& context, Output& output);
int run_job_close(const JobCloseOptions& options, const CommandContext& context, Output& output);

int run_task_list(const TaskListOptions& options, const CommandContext& context, Output& output);
int run_task_info(const TaskInfoOptions& options, const CommandContext& context, Output& output);
int run_task_explain(const TaskExplainOptions& options, const CommandContext& context, Output& output);
int run_task_notify(const TaskNotifyOptions& options, const CommandContext& context, Output& output);
int run_task_tail(const TaskTailOptions& options, const CommandContext& context, Output& output);

}  // namespace hq::cli
