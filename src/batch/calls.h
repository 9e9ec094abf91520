// How one batch system is spoken to: its command lines, and what their output means. No command is run here.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/batch/batch_system.h"
#include "hq/os/command.h"

namespace hq {

// Runs a command; an error means that it could not be started, or not be waited for.
using RunBatchCommand = std::function<Result<CommandOutput>(const std::vector<std::string>& argv)>;
using BatchStatuses = std::map<std::string, BatchStatus>;

struct BatchCalls {
  std::string submit_program;
  std::string cancel_program;
  // The id in what the submit program printed.
  std::optional<std::string> (*submitted_id)(std::string_view output);
  BatchStatuses (*query)(const std::vector<std::string>& ids, const RunBatchCommand& run);
};
[[nodiscard]] const BatchCalls& batch_calls(ManagerKind manager);

// slurm.cc
[[nodiscard]] std::optional<std::string> sbatch_id(std::string_view output);
[[nodiscard]] BatchStatus scontrol_status(std::string_view output);
// Of several jobs: `squeue -h -o "%i|%T|%S|%e"`, `sacct -X -n -P -o JobID,State,Start,End`.
[[nodiscard]] BatchStatuses slurm_table(std::string_view output);
[[nodiscard]] BatchStatuses query_slurm(const std::vector<std::string>& ids, const RunBatchCommand& run);

// pbs.cc
[[nodiscard]] std::optional<std::string> qsub_id(std::string_view output);
[[nodiscard]] BatchStatuses qstat_statuses(const std::vector<std::string>& ids, const CommandOutput& output);
[[nodiscard]] BatchStatuses query_pbs(const std::vector<std::string>& ids, const RunBatchCommand& run);

// The failure of a program: how it ended and what it wrote, or why it was not started.
[[nodiscard]] std::optional<BatchFailure> failure_of(const std::string& program,
                                                     const Result<CommandOutput>& output);
// What a command said, in one line.
[[nodiscard]] std::string said(const Result<CommandOutput>& output);
// A moment in the zone of the machine, by a format of strptime.
[[nodiscard]] std::optional<WallTime> local_time(const std::string& text, const char* format);

}  // namespace hq
