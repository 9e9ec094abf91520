// One declaration per command: what the command line may hold and where it is stored. The tree that names
// them is in command_line.cc.
#pragma once

#include "cli/args/declaration.h"
#include "cli/commands/options.h"

namespace hq::cli {

// All of them make their struct the chosen one of `line` first.
void declare_server_start(Command& command, CommandLine& line);
void declare_server_stop(Command& command, CommandLine& line);
void declare_server_info(Command& command, CommandLine& line);
void declare_server_wait(Command& command, CommandLine& line);
void declare_generate_access(Command& command, CommandLine& line);
void declare_debug_dump(Command& command, CommandLine& line);

void declare_journal_export(Command& command, CommandLine& line);
void declare_journal_check(Command& command, CommandLine& line);
void declare_journal_stream(Command& command, CommandLine& line);
void declare_journal_replay(Command& command, CommandLine& line);
void declare_journal_prune(Command& command, CommandLine& line);
void declare_journal_flush(Command& command, CommandLine& line);

void declare_worker_start(Command& command, CommandLine& line);
void declare_worker_stop(Command& command, CommandLine& line);
void declare_worker_resume(Command& command, CommandLine& line);
void declare_worker_list(Command& command, CommandLine& line);
void declare_hwdetect(Command& command, CommandLine& line);
void declare_worker_info(Command& command, CommandLine& line);
void declare_worker_address(Command& command, CommandLine& line);
void declare_worker_wait(Command& command, CommandLine& line);
void declare_deploy_ssh(Command& command, CommandLine& line);

void declare_alloc_add_pbs(Command& command, CommandLine& line);
void declare_alloc_add_slurm(Command& command, CommandLine& line);
void declare_alloc_dry_run_pbs(Command& command, CommandLine& line);
void declare_alloc_dry_run_slurm(Command& command, CommandLine& line);
void declare_alloc_list(Command& command, CommandLine& line);
void declare_alloc_info(Command& command, CommandLine& line);
void declare_alloc_log(Command& command, CommandLine& line);
void declare_alloc_pause(Command& command, CommandLine& line);
void declare_alloc_resume(Command& command, CommandLine& line);
void declare_alloc_remove(Command& command, CommandLine& line);

void declare_submit(Command& command, CommandLine& line);

void declare_job_list(Command& command, CommandLine& line);
void declare_all_jobs(Command& command, CommandLine& line);  // `hq jobs`
void declare_job_summary(Command& command, CommandLine& line);
void declare_job_info(Command& command, CommandLine& line);
void declare_job_info_by_selector(Command& command, CommandLine& line);  // `hq job SELECTOR`
void declare_job_cancel(Command& command, CommandLine& line);
void declare_job_forget(Command& command, CommandLine& line);
void declare_job_cat(Command& command, CommandLine& line);
void declare_job_wait(Command& command, CommandLine& line);
void declare_job_progress(Command& command, CommandLine& line);
void declare_job_task_ids(Command& command, CommandLine& line);
void declare_job_resubmit(Command& command, CommandLine& line);
void declare_job_open(Command& command, CommandLine& line);
void declare_job_close(Command& command, CommandLine& line);

void declare_task_list(Command& command, CommandLine& line);
void declare_task_info(Command& command, CommandLine& line);
void declare_task_explain(Command& command, CommandLine& line);
void declare_task_notify(Command& command, CommandLine& line);
void declare_task_tail(Command& command, CommandLine& line);

// `hq output-log` and `hq log`: the first of each declares what stands before the subcommand.
void declare_output_log(Command& command, CommandLine& line);
void declare_output_log_summary(Command& command, CommandLine& line);
void declare_output_log_jobs(Command& command, CommandLine& line);
void declare_output_log_show(Command& command, CommandLine& line);
void declare_output_log_cat(Command& command, CommandLine& line);
void declare_output_log_export(Command& command, CommandLine& line);
void declare_log(Command& command, CommandLine& line);
void declare_log_show(Command& command, CommandLine& line);
void declare_log_cat(Command& command, CommandLine& line);
void declare_log_export(Command& command, CommandLine& line);

// Parts that several commands share.
void declare_global_options(Command& command, CommandLine& line);
// `texts` gets what was written for some of them, if anybody wants to know.
void declare_worker_config(Command& command, WorkerConfigOptions& o, WorkerConfigTexts* texts = nullptr);
// --on-server-lost; the default differs.
void declare_on_server_lost(Command& command, WorkerConfigOptions& o, const char* usual);
void declare_task_config(Command& command, TaskConfigOptions& o);

}  // namespace hq::cli
