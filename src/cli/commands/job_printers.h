// What commands about jobs and tasks print of the server's answers. The parts that need no server, so that
// tests can hand in answers of their own; nothing is printed after an Error but the Error itself, by the
// caller.
#pragma once

#include "cli/commands/answers.h"
#include "cli/commands/options.h"
#include "cli/output/formatter.h"
#include "hq/base/clock.h"
#include "hq/base/result.h"

namespace hq::cli {

// Of the answers to a ListJobs.
[[nodiscard]] Result<void> print_job_list(Answers& answers, const JobListOptions& options, Output& output);
[[nodiscard]] Result<void> print_job_statuses(Answers& answers, Output& output);

// Of the answers to a GetJobs.
[[nodiscard]] Result<void> print_job_info(Answers& answers, WallTime now, const AskServerUid& ask_uid,
                                          Output& output);
[[nodiscard]] Result<void> print_task_ids(Answers& answers, const std::vector<StatusFilter>& filter,
                                          Output& output);
[[nodiscard]] Result<void> print_task_list(Answers& answers, const TaskListOptions& options, WallTime now,
                                           const AskServerUid& ask_uid, Output& output);
[[nodiscard]] Result<void> print_task_info(Answers& answers, const TaskInfoOptions& options, WallTime now,
                                           const AskServerUid& ask_uid, Output& output);
// Gets output that is not visible here from the server; false: the server can't see it either.
using ReadThroughServer = std::function<Result<bool>(JobId job, TaskId task)>;
[[nodiscard]] Result<void> print_job_output(Answers& answers, const JobCatOptions& options,
                                            const AskServerUid& ask_uid, LocalFiles& files,
                                            const ReadThroughServer& through_server, Output& output);

// Of the answers to a WaitJobs with progress. False if there was nothing to wait for, and nothing is printed.
[[nodiscard]] Result<bool> print_progress(Answers& answers, Output& output);

}  // namespace hq::cli
