#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

constexpr auto kAllocationFilters =
    std::to_array<Choice<AllocationFilter>>({{"queued", AllocationFilter::kQueued},
                                             {"running", AllocationFilter::kRunning},
                                             {"finished", AllocationFilter::kFinished},
                                             {"failed", AllocationFilter::kFailed}});

Result<uint32_t> parse_backlog(std::string_view text) {
  Result<uint32_t> number = parse_u32(text);
  if (number && *number == 0) return Error("Backlog has to be at least 1");
  return number;
}

void declare_queue(Command& command, AllocQueueOptions& o, ManagerKind manager) {
  o.manager = manager;
  command
      .option("time-limit", o.time_limit, parse_duration,
              "Walltime of each allocation: 90 (seconds), 10m, 1h 30m or 01:30:00.")
      .short_as('t')
      .required();
  command
      .option("backlog", o.backlog, parse_backlog,
              "How many allocations may wait in the batch system at a time.")
      .short_as('b')
      .default_is("1");
  command
      .option("max-workers-per-alloc", o.max_workers_per_alloc, parse_u32,
              "Most nodes of one allocation; a worker runs on each.")
      .short_as('m')
      .default_is("1");
  command.option("workers-per-alloc", o.max_workers_per_alloc, parse_u32, "").short_as('w').hidden();
  command.option("max-worker-count", o.max_worker_count, parse_u32,
                 "Most workers of the queue at a time, waiting ones counted.");
  command.option("name", o.name, parse_text, "Name of the queue, for job names and directories.")
      .short_as('n');
  declare_worker_config(command, o.config, &o.texts);
  declare_on_server_lost(command, o.config, "finish-running");
  command.option("worker-start-cmd", o.worker_start_cmd, parse_text,
                 "Shell command that each node runs before its worker.");
  command.option("worker-stop-cmd", o.worker_stop_cmd, parse_text,
                 "Shell command that each node runs after its worker; not if the batch system kills it.");
  command.option("worker-wrap-cmd", o.worker_wrap_cmd, parse_text,
                 "Words that are put before the command of the worker.");
  command
      .option("worker-time-limit", o.worker_time_limit, parse_duration,
              "How long a worker lives; less than the allocation, to leave time for the stop command.")
      .default_is("the time limit of the queue");
}

void declare_trailing(Command& command, AllocQueueOptions& o) {
  command.trailing("ADDITIONAL_ARGS", o.additional_args,
                   "Options for sbatch or qsub, after `--`: account, partition, queue and so on.");
}

void declare_add(Command& command, CommandLine& line, ManagerKind manager) {
  auto& o = line.options.emplace<AllocAddOptions>();
  declare_queue(command, o.queue, manager);
  command.flag("no-dry-run", o.queue.no_dry_run, "Don't submit an allocation for a trial.");
  declare_trailing(command, o.queue);
}

void declare_dry_run(Command& command, CommandLine& line, ManagerKind manager) {
  auto& o = line.options.emplace<AllocDryRunOptions>();
  declare_queue(command, o.queue, manager);
  command.flag("no-dry-run", o.queue.no_dry_run, "").hidden();
  declare_trailing(command, o.queue);
}

}  // namespace

void declare_alloc_add_pbs(Command& command, CommandLine& line) {
  declare_add(command, line, ManagerKind::kPbs);
}
void declare_alloc_add_slurm(Command& command, CommandLine& line) {
  declare_add(command, line, ManagerKind::kSlurm);
}
void declare_alloc_dry_run_pbs(Command& command, CommandLine& line) {
  declare_dry_run(command, line, ManagerKind::kPbs);
}
void declare_alloc_dry_run_slurm(Command& command, CommandLine& line) {
  declare_dry_run(command, line, ManagerKind::kSlurm);
}

void declare_alloc_list(Command&, CommandLine& line) {
  line.options.emplace<AllocListOptions>();
}

void declare_alloc_info(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<AllocInfoOptions>();
  command.positional("QUEUE", o.queue, parse_u32, "Id of the queue.").required();
  command.choice("filter", o.filter, Choices<AllocationFilter>(kAllocationFilters),
                 "Show allocations in this state only.");
}

void declare_alloc_log(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<AllocLogOptions>();
  command.positional("ALLOCATION", o.allocation, parse_text, "Id of the allocation in the batch system.")
      .required();
  command.positional_choice("CHANNEL", o.channel, Choices<StdStream>(kStreams), "What to print.").required();
}

void declare_alloc_pause(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<AllocPauseOptions>();
  command.positional("QUEUE", o.queue, parse_u32, "Id of the queue.").required();
}

void declare_alloc_resume(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<AllocResumeOptions>();
  command.positional("QUEUE", o.queue, parse_u32, "Id of the queue.").required();
}

void declare_alloc_remove(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<AllocRemoveOptions>();
  command.positional("QUEUE", o.queue, parse_u32, "Id of the queue.").required();
  command.flag("force", o.force, "Also when allocations of it run; they are canceled.");
}

}  // namespace hq::cli
