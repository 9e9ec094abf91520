#include "hq/core/alloc_script.h"

#include <fmt/format.h>

#include "hq/base/text_parts.h"
#include "hq/core/text/duration_text.h"

namespace hq {

namespace {

constexpr Duration kIdleTimeout = 5min;

// "HH:MM:SS"; hours may exceed 24.
std::string walltime_text(Duration time) {
  const auto seconds = uint64_t(time / 1s);
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

// As one word of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string job_name(const AllocScriptInput& input) {
  const std::string queue = input.params.name.value_or("hq-" + input.queue.text());
  return queue + "-" + std::to_string(input.number);
}

std::string slurm_script(const AllocSite& site, const AllocScriptInput& input) {
  const AllocParams& params = input.params;
  const std::string nodes = std::to_string(input.workers);
  std::string command = allocation_worker_command(site, params);
  if (input.workers > 1) {
    // What is more than a program and its arguments is for a shell, on each of the nodes.
    if (params.worker_start_cmd || params.worker_stop_cmd || site.rust_log)
      command = "bash -l -c " + quoted(command);
    command = "srun --overlap --ntasks=" + nodes + " --nodes=" + nodes + " " + command;
  }
  std::string text = "#!/bin/bash\n#SBATCH --nodes=" + nodes + "\n#SBATCH --job-name=" + job_name(input) +
                     "\n#SBATCH --output=" + input.directory + "/stdout\n#SBATCH --error=" + input.directory +
                     "/stderr\n#SBATCH --time=" + walltime_text(params.time_limit) + "\n";
  if (!params.additional_args.empty()) text += "#SBATCH " + joined(params.additional_args) + "\n";
  return text + "\n" + command;
}

std::string pbs_script(const AllocSite& site, const AllocScriptInput& input) {
  const AllocParams& params = input.params;
  std::string command = allocation_worker_command(site, params);
  if (input.workers > 1) command = "pbsdsh -- bash -l -c " + quoted(command);
  std::string text = "#!/bin/bash\n#PBS -l select=" + std::to_string(input.workers) + "\n#PBS -N " +
                     job_name(input) + "\n#PBS -o " + input.directory + "/stdout\n#PBS -e " +
                     input.directory + "/stderr\n#PBS -l walltime=" + walltime_text(params.time_limit) + "\n";
  if (!params.additional_args.empty()) text += "#PBS " + joined(params.additional_args) + "\n";
  if (input.trial) text += "#PBS -h\n";
  return text + "\n" + command;
}

}  // namespace

std::string allocation_directory(const std::string& server_dir, AllocQueueId queue, const AllocParams& params,
                                 uint32_t number) {
  const std::string name = params.name ? "-" + *params.name : "";
  return fmt::format("{}/autoalloc/{}{}/{:03}", server_dir, queue.value, name, number);
}

std::string allocation_worker_command(const AllocSite& site, const AllocParams& params) {
  std::string command;
  if (params.worker_start_cmd) command += *params.worker_start_cmd + " && ";
  if (site.rust_log) command += "RUST_LOG=" + *site.rust_log + " ";
  if (params.worker_wrap_cmd) command.append(trim(*params.worker_wrap_cmd)) += " ";
  command += site.program + " worker start --idle-timeout \"" +
             duration_text(params.idle_timeout.value_or(kIdleTimeout)) + "\" --manager \"" +
             (params.manager == ManagerKind::kPbs ? "pbs" : "slurm") + "\" --server-dir \"" +
             site.server_dir + "\"";
  if (!params.worker_args.empty()) command += " " + joined(params.worker_args);
  if (params.worker_stop_cmd) command += "; " + *params.worker_stop_cmd;
  return command;
}

std::string allocation_script(const AllocSite& site, const AllocScriptInput& input) {
  return input.params.manager == ManagerKind::kPbs ? pbs_script(site, input) : slurm_script(site, input);
}

}  // namespace hq
