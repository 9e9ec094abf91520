#include "worker/launch_plan.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hq/core/text/failure_text.h"

namespace hq {

namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

// "gpus/nvidia" -> "gpus_nvidia"
std::string variable_part(std::string_view resource) {
  std::string name(resource);
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain) c = '_';
  }
  return name;
}

bool user_set(const ProgramDescription& program, std::string_view name) {
  return std::any_of(program.env.begin(), program.env.end(), [&](auto& item) { return item.first == name; });
}

std::string joined(const std::vector<std::string>& labels) {
  return fmt::format("{}", fmt::join(labels, ","));
}

std::optional<int> cpu_number(const std::string& label) {
  int number = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (error != std::errc() || end != label.data() + label.size() || number < 0) return std::nullopt;
  return number;
}

// Within the devices that ROCR_VISIBLE_DEVICES leaves, these count from 0.
void renumber_masks(const ProgramDescription& program, const GpuMasks& gpus, size_t count, Environment& env) {
  std::vector<std::string> numbers;
  for (size_t i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  for (const std::string& name : gpus.within_rocr) {
    if (!user_set(program, name)) env.emplace_back(name, joined(numbers));
  }
}

void hide_gpus(const Task& task, const GpuMasks& gpus, Environment& env) {
  if (!gpus.hide_unrequested) return;
  const auto& entries = task.request().variant.entries;
  const auto hide = [&](std::string_view resource, const char* name) {
    const bool asked = std::any_of(entries.begin(), entries.end(),
                                   [&](const ResourceEntry& entry) { return entry.name == resource; });
    if (!asked && !user_set(task.definition->task->program, name)) env.emplace_back(name, "");
  };
  hide(kNvidiaGpus, "CUDA_VISIBLE_DEVICES");
  hide(kAmdGpus, "ROCR_VISIBLE_DEVICES");
}

void add_resources(const Task& task, const ResourceClaim& claim, const GpuMasks& gpus, Environment& env) {
  const ProgramDescription& program = task.definition->task->program;
  hide_gpus(task, gpus, env);
  for (const ResourceEntry& entry : task.request().variant.entries) {
    const std::string labels = joined(claim.labels(entry.name));
    if (!labels.empty()) {
      if (entry.name == kCpus) env.emplace_back("HQ_CPUS", labels);
      env.emplace_back("HQ_RESOURCE_VALUES_" + variable_part(entry.name), labels);
    }
    if (entry.name == kNvidiaGpus) {
      env.emplace_back("CUDA_VISIBLE_DEVICES", masked(gpus.nvidia, claim.labels(entry.name)));
      env.emplace_back("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    }
    if (entry.name == kAmdGpus) {
      env.emplace_back("ROCR_VISIBLE_DEVICES", masked(gpus.amd, claim.labels(entry.name)));
      renumber_masks(program, gpus, claim.labels(entry.name).size(), env);
    }
  }
  const Amount cpus = claim.amount(kCpus);
  if (!cpus.is_zero() && cpus.fraction() == 0 && !user_set(program, "OMP_NUM_THREADS")) {
    env.emplace_back("OMP_NUM_THREADS", std::to_string(cpus.whole()));
  }
}

// Affinity is set in the child: the command stays as the user wrote it.
Result<void> add_pinning(const Task& task, const ResourceClaim& claim, LaunchRequest& request) {
  const TaskDescription& description = *task.definition->task;
  if (description.pin == PinMode::kNone) return {};
  const std::vector<std::string> labels = claim.labels(kCpus);
  if (labels.empty()) return Error(std::string(kPinningFailed));
  if (description.pin == PinMode::kOpenMp) {
    if (!user_set(description.program, "OMP_PROC_BIND")) request.env.emplace_back("OMP_PROC_BIND", "close");
    if (!user_set(description.program, "OMP_PLACES")) {
      request.env.emplace_back("OMP_PLACES", "{" + joined(labels) + "}");
    }
    return {};
  }
  for (const std::string& label : labels) {
    const auto cpu = cpu_number(label);
    if (!cpu) return Error("Pinning failed, '" + label + "' is not the number of a CPU");
    request.cpus.push_back(*cpu);
  }
  return {};
}

// "n1.site.org" -> "n1"; an address stays whole.
std::string short_name(const std::string& host) {
  if (host.find_first_not_of("0123456789.") == std::string::npos) return host;
  return host.substr(0, host.find('.'));
}

void add_node_files(const Task& task, LaunchRequest& request) {
  for (const std::string& host : task.hosts) {
    request.host_file_text += host + "\n";
    request.node_file_text += short_name(host) + "\n";
  }
  request.env.emplace_back("HQ_HOST_FILE", request.task_dir + "/hq-hostfile");
  request.env.emplace_back("HQ_NODE_FILE", request.task_dir + "/hq-nodefile");
}

Result<OutputTarget> output_target(const Task& task, const StdioSpec& spec, std::string path) {
  switch (spec.kind) {
    case StdioSpec::Kind::kNull:
      break;
    case StdioSpec::Kind::kFile:
      return OutputTarget{OutputTarget::Kind::kFile, std::move(path)};
    case StdioSpec::Kind::kStream:
      if (task.definition->stream_dir.empty() && task.definition->log_path.empty()) {
        return Error("Streaming: no directory was given");
      }
      return OutputTarget{OutputTarget::Kind::kPipe, ""};
  }
  return OutputTarget{};
}

}  // namespace

LaunchTemplate make_launch_template(const Definition& definition, uint8_t variant, const WorkerFacts& facts) {
  const TaskDescription& task = *definition.task;
  const ResourceVariant& request = definition.requests[variant]->variant;
  LaunchTemplate base{task.program.args, facts.task_environment, task.program.stdin_data,
                      task.memory_limit.value_or(0)};
  // In this order: ours come last and win over the user's.
  base.env.insert(base.env.end(), task.program.env.begin(), task.program.env.end());
  base.env.emplace_back("HQ_JOB_ID", definition.job.text());
  base.env.emplace_back("HQ_SUBMIT_DIR", definition.submit_dir);
  base.env.emplace_back("HQ", facts.executable);
  if (task.pin == PinMode::kTaskset) base.env.emplace_back("HQ_PIN", "taskset");
  if (task.pin == PinMode::kOpenMp) base.env.emplace_back("HQ_PIN", "omp");
  if (request.nodes > 0) {
    base.env.emplace_back("HQ_NUM_NODES", std::to_string(request.nodes));
    return base;
  }
  for (const ResourceEntry& entry : request.entries) {
    base.env.emplace_back("HQ_RESOURCE_REQUEST_" + variable_part(entry.name), entry.text());
  }
  if (definition.requests.size() > 1) {
    base.env.emplace_back("HQ_RESOURCE_VARIANT", std::to_string(variant));
  }
  return base;
}

TaskPaths paths_of(const Task& task) {
  const Definition& definition = *task.definition;
  const JobPathValues values{definition.job, definition.server_uid, definition.submit_dir};
  return resolve_task_paths(definition.task->program, values, task.attempt.task, task.attempt.instance);
}

bool has_task_dir(const Task& task) {
  return task.definition->task->task_dir || task.request().variant.nodes > 0;
}

Result<LaunchRequest> plan_launch(const Task& task, const ResourceClaim& claim, std::string_view dir_name,
                                  const WorkerFacts& facts) {
  const TaskDescription& description = *task.definition->task;
  const bool several_nodes = task.request().variant.nodes > 0;
  LaunchRequest request;
  request.env.emplace_back("HQ_TASK_ID", task.attempt.task.text());
  request.env.emplace_back("HQ_INSTANCE_ID", task.attempt.instance.text());
  if (task.entry) request.env.emplace_back("HQ_ENTRY", *task.entry);
  if (!several_nodes) {
    add_resources(task, claim, facts.gpus, request.env);
    if (auto pinned = add_pinning(task, claim, request); !pinned) return pinned.error();
  }
  if (has_task_dir(task)) {
    request.task_dir = facts.work_dir + "/" + std::string(dir_name);
    request.env.emplace_back("HQ_TASK_DIR", request.task_dir);
    request.env.emplace_back("HQ_ERROR_FILENAME", request.task_dir + "/hq-error");
    if (several_nodes) add_node_files(task, request);
  }
  TaskPaths paths = paths_of(task);
  auto out = output_target(task, description.program.stdout_spec, std::move(paths.stdout_path));
  if (!out) return out.error();
  auto err = output_target(task, description.program.stderr_spec, std::move(paths.stderr_path));
  if (!err) return err.error();
  request.cwd = std::move(paths.cwd);
  request.out = *std::move(out);
  request.err = *std::move(err);
  request.unlink_outputs_first = task.attempt.instance.value > 0;
  return request;
}

Failure launch_failure(const Task& task, LaunchStage stage, int errnum) {
  const ProgramDescription& program = task.definition->task->program;
  const auto before = [&](std::string text) {
    return Failure{FailureKind::kBeforeLaunch, errnum, std::move(text)};
  };
  const auto launch = [&](std::string text) {
    return Failure{FailureKind::kLaunch, errnum, std::move(text)};
  };
  switch (stage) {
    case LaunchStage::kStdoutDirectory:
      return before(
          stdout_directory_text(paths_of(task).stdout_path, program.stdout_spec.remove_if_finished, errnum));
    case LaunchStage::kStderrDirectory:
      return before(
          stderr_directory_text(paths_of(task).stderr_path, program.stderr_spec.remove_if_finished, errnum));
    case LaunchStage::kWorkingDirectory:
      return before(working_directory_text(errnum));
    case LaunchStage::kTaskDirectory:
      return before(task_directory_text(errnum));
    case LaunchStage::kOpenStdout:
    case LaunchStage::kOpenStderr:
      return launch(open_output_text(errnum));
    case LaunchStage::kStdin:
      return launch("Cannot hand the input to the program: " + os_error_text(errnum));
    case LaunchStage::kSpawn:
    case LaunchStage::kSpawnNotSearched:
      return launch(cannot_execute_text(program.args, errnum, paths_of(task).cwd,
                                        stage == LaunchStage::kSpawnNotSearched));
    case LaunchStage::kNoArguments:
      return launch(std::string(kNoCommandArguments));
    case LaunchStage::kLauncher:
      break;
  }
  return launch("The launcher cannot start the program: " + os_error_text(errnum));
}

}  // namespace hq
