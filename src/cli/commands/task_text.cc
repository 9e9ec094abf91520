#include "cli/commands/task_text.h"

#include <fmt/format.h>

#include "hq/core/text/display_text.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/core/text/resource_request_text.h"

namespace hq::cli {
namespace {

bool holds_server_uid(const ProgramDescription& program) {
  for (const std::string* path : {&program.cwd, &program.stdout_spec.path, &program.stderr_spec.path}) {
    if (has_placeholder(*path, "SERVER_UID")) return true;
  }
  return false;
}

}  // namespace
std::string command_cell(const ProgramDescription& program) {
  std::string out;
  for (const std::string& arg : program.args) {
    if (&arg != &program.args.front()) out += '\n';
    out += fmt::format("{}", fmt::join(wrap_text(arg, kArgumentWidth), "\n"));
  }
  return out;
}

std::string environment_cell(const ProgramDescription& program) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : program.env) {
    if (!name.starts_with("HQ_")) lines.push_back(name + "=" + value);
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string resources_cell(const ResourceRequest& request) {
  return fmt::format("{}", fmt::join(request_lines(request), "\n"));
}

std::string channel_cell(const StdioSpec& spec, const std::string& path) {
  switch (spec.kind) {
    case StdioSpec::Kind::kNull:
      return "<None>";
    case StdioSpec::Kind::kStream:
      return "<Stream>";
    case StdioSpec::Kind::kFile:
      break;
  }
  return path;
}

std::string_view pin_text(PinMode pin) {
  switch (pin) {
    case PinMode::kTaskset:
      return "taskset";
    case PinMode::kOpenMp:
      return "omp";
    case PinMode::kNone:
      break;
  }
  return "none";
}

std::string time_limit_text(const std::optional<Duration>& limit) {
  return limit ? duration_text(*limit) : "None";
}

HostNames host_names(const msg::JobDetail& job) {
  return {job.workers.begin(), job.workers.end()};
}

std::string workers_cell(const msg::TaskRow& task, const HostNames& names) {
  if (!shows_paths(task)) return "";
  std::vector<std::string> hosts;
  for (WorkerId worker : task.workers) {
    const auto found = names.find(worker);
    hosts.push_back(found == names.end() ? "N/A" : found->second);
  }
  return fmt::format("{}", fmt::join(hosts, "\n"));
}

std::string makespan_cell(const msg::TaskRow& task, WallTime now) {
  if (!task.started) return "";
  if (!task.end && is_final(task.state)) return "";
  return short_duration_text(task.end.value_or(now) - task.start);
}

Descriptions::Descriptions(const msg::JobDetail& job) : job_(job) {
  for (const SubmitDescription& submit : job.submits) {
    for (const GraphTask& task : submit.graph) graph_.emplace(task.id, &task);
  }
}

const TaskDescription* Descriptions::find(const msg::TaskRow& row, TaskId id) const {
  if (row.submit >= job_.submits.size()) return nullptr;
  const SubmitDescription& submit = job_.submits[row.submit];
  if (!submit.is_graph()) return &submit.task;
  const auto found = graph_.find(id);
  return found == graph_.end() ? nullptr : &found->second->task;
}

std::vector<TaskId> Descriptions::dependencies(TaskId id) const {
  const auto found = graph_.find(id);
  return found == graph_.end() ? std::vector<TaskId>() : found->second->deps;
}

bool needs_server_uid(const msg::JobDetail& job) {
  for (const SubmitDescription& submit : job.submits) {
    if (holds_server_uid(submit.task.program)) return true;
    for (const GraphTask& task : submit.graph) {
      if (holds_server_uid(task.task.program)) return true;
    }
  }
  return false;
}

}  // namespace hq::cli
