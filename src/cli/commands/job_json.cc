#include "cli/commands/job_json.h"

#include <optional>
#include <string_view>

#include "hq/core/text/duration_text.h"
#include "hq/core/text/failure_text.h"
#include "hq/core/text/placeholders.h"

namespace hq::cli {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void write_crash_limit(JsonWriter& json, CrashLimit limit) {
  if (limit.value == CrashLimit::kNeverRestart) {
    json.value("never-restart");
  } else if (limit.value == CrashLimit::kUnlimited) {
    json.value("unlimited");
  } else {
    json.value(limit.value);
  }
}

void write_pin_mode(JsonWriter& json, PinMode pin) {
  switch (pin) {
    case PinMode::kNone:
      return json.null();
    case PinMode::kTaskset:
      return json.value("taskset");
    case PinMode::kOpenMp:
      return json.value("openmp");
  }
}

void write_channel(JsonWriter& json, const StdioSpec& spec, const std::string& path) {
  switch (spec.kind) {
    case StdioSpec::Kind::kNull:
      return json.null();
    case StdioSpec::Kind::kStream:
      return json.value("<pipe>");
    case StdioSpec::Kind::kFile:
      return json.value(path);
  }
}

void write_program(JsonWriter& json, const ProgramDescription& program) {
  json.begin_object();
  json.key("args");
  json.begin_array();
  for (const std::string& arg : program.args) json.value(arg);
  json.end_array();
  json.member("cwd", program.cwd);
  json.key("env");
  json.begin_object();
  for (const auto& [name, value] : program.env) json.member(name, value);
  json.end_object();
  json.key("stderr");
  write_channel(json, program.stderr_spec, program.stderr_spec.path);
  json.key("stdout");
  write_channel(json, program.stdout_spec, program.stdout_spec.path);
  json.end_object();
}

std::string_view policy_name(Policy policy) {
  switch (policy) {
    case Policy::kCompact:
      return "Compact";
    case Policy::kForceCompact:
      return "ForceCompact";
    case Policy::kTight:
      return "Tight";
    case Policy::kForceTight:
      return "ForceTight";
    case Policy::kScatter:
      return "Scatter";
    case Policy::kAll:
      break;
  }
  return "All";
}

void write_variant(JsonWriter& json, const ResourceVariant& variant) {
  json.begin_object();
  json.member("min_time", seconds(variant.min_time));
  json.member("n_nodes", variant.nodes);
  json.key("resources");
  json.begin_array();
  for (const ResourceEntry& entry : variant.entries) {
    json.begin_object();
    json.key("request");
    write_entry_policy(json, entry);
    json.member("resource", entry.name);
    json.end_object();
  }
  json.end_array();
  json.member("weight", variant.weight);
  json.end_object();
}

void write_description(JsonWriter& json, const TaskDescription& task) {
  json.begin_object();
  json.key("crash_limit");
  write_crash_limit(json, task.crash_limit);
  if (task.memory_limit) json.member("memory_limit", *task.memory_limit);
  json.key("pin_mode");
  write_pin_mode(json, task.pin);
  json.member("priority", task.priority);
  json.key("program");
  write_program(json, task.program);
  json.key("resources");
  json.begin_array();
  for (const ResourceVariant& variant : task.request.variants) write_variant(json, variant);
  json.end_array();
  json.member("task_dir", task.task_dir);
  json.key("time_limit");
  task.time_limit ? json.value(seconds(*task.time_limit)) : json.null();
  json.end_object();
}

}  // namespace

void write_entry_policy(JsonWriter& json, const ResourceEntry& entry) {
  if (entry.policy == Policy::kAll) return json.value(policy_name(entry.policy));
  json.begin_object();
  json.member(policy_name(entry.policy), entry.amount.scaled);
  json.end_object();
}

void write_job_summary(JsonWriter& json, const msg::JobSummary& job) {
  json.begin_object();
  json.member("cancel_reason", job.cancel_reason);
  json.member("id", job.id.value);
  json.member("is_open", job.is_open);
  json.member("name", job.name);
  json.member("task_count", job.task_count);
  json.key("task_stats");
  json.begin_object();
  for (TaskState state : {TaskState::kAborted, TaskState::kCanceled, TaskState::kFailed, TaskState::kFinished,
                          TaskState::kRunning, TaskState::kWaiting}) {
    json.member(task_state_text(state), job.counts[size_t(state)]);
  }
  json.end_object();
  json.end_object();
}

void write_submit(JsonWriter& json, const SubmitDescription& submit) {
  json.begin_object();
  if (submit.is_graph()) {
    json.key("graph");
    json.begin_array();
    for (const GraphTask& task : submit.graph) write_description(json, task.task);
    json.end_array();
  } else {
    json.key("array");
    write_description(json, submit.task);
  }
  json.end_object();
}

void TaskJson::write(const msg::TaskRow& row) {
  for_each_id(row, [&](TaskId id) { write_task(row, id); });
}

void TaskJson::write_task(const msg::TaskRow& row, TaskId id) {
  const bool life = row.state != TaskState::kCanceled && row.state != TaskState::kAborted;
  const TaskDescription* task = shows_paths(row) ? descriptions_.find(row, id) : nullptr;
  std::optional<TaskPaths> paths;
  if (task != nullptr) {
    const JobPathValues values{job_.info.id, server_uid_, job_.submits[row.submit].submit_dir};
    paths = resolve_task_paths(task->program, values, id, row.instance);
  }
  json_.begin_object();
  if (paths) json_.member("cwd", paths->cwd);
  if (row.state == TaskState::kFailed && row.failure) json_.member("error", failure_text(*row.failure));
  if (life && row.end) json_.member("finished_at", rfc3339_text(*row.end));
  json_.member("id", id.value);
  if (row.usage) json_.member("peak_memory", uint64_t{row.usage->peak_kib} * 1024);
  if (life && row.started) json_.member("started_at", rfc3339_text(row.start));
  json_.member("state", task_state_text(row.state));
  if (paths) {
    json_.key("stderr");
    write_channel(json_, task->program.stderr_spec, paths->stderr_path);
    json_.key("stdout");
    write_channel(json_, task->program.stdout_spec, paths->stdout_path);
  }
  if (row.usage) {
    json_.member("system_time", row.usage->system_s);
    json_.member("user_time", row.usage->user_s);
  }
  if (life && row.started && row.workers.size() == 1) json_.member("worker", row.workers.front().value);
  if (life && row.started && row.workers.size() > 1) {
    json_.key("workers");
    json_.begin_array();
    for (WorkerId worker : row.workers) json_.value(worker.value);
    json_.end_array();
  }
  json_.end_object();
}

}  // namespace hq::cli
