// hq task explain.
#include <fmt/format.h>

#include "cli/commands/job_commands.h"
#include "cli/commands/selection.h"
#include "hq/core/id_ranges.h"
#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

std::string type_text(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::kTime:
      return "time";
    case Condition::Kind::kNodes:
      return "nodes";
    case Condition::Kind::kResource:
      break;
  }
  return condition.resource;
}

std::string whole_seconds_text(Duration duration) {
  return duration_text(std::chrono::duration_cast<std::chrono::seconds>(duration));
}

std::string provided_text(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::kTime:
      return condition.remaining ? whole_seconds_text(std::max(*condition.remaining, Duration::zero()))
                                 : "unknown";
    case Condition::Kind::kNodes:
      return fmt::format("group size {}", condition.group_size);
    case Condition::Kind::kResource:
      break;
  }
  return condition.offered.text();
}

std::string asked_text(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::kTime:
      return duration_text(condition.min_time);
    case Condition::Kind::kNodes:
      return std::to_string(condition.nodes);
    case Condition::Kind::kResource:
      break;
  }
  return condition.asked.text();
}

std::string lines_of(const std::vector<Condition>& conditions, std::string (*text)(const Condition&)) {
  std::string out;
  for (const Condition& condition : conditions) {
    if (!out.empty()) out += '\n';
    out += text(condition);
  }
  return out;
}

std::string runnable_text(const WorkerConditions& worker) {
  const uint64_t enabled = worker.enabled();
  if (enabled == 0) return "No";
  if (worker.variants.size() == 1) return "Yes";
  return fmt::format("Yes ({}/{})", enabled, worker.variants.size());
}

std::string dependencies_text(const msg::TaskExplanation& task) {
  const std::string name = JobTask{task.job, task.task}.text();
  if (task.deps == 0) return fmt::format("Task {} is ready to run because it has no dependencies.", name);
  if (task.waiting_deps == 0) {
    return fmt::format("Task {} is ready to run because its all {} dependencies are finished.", name,
                       task.deps);
  }
  return fmt::format("Task {} is not ready to run, because {}/{} dependencies are not finished.", name,
                     task.waiting_deps, task.deps);
}

std::string workers_text(const msg::TaskExplanation& task) {
  std::vector<uint32_t> able;
  for (const WorkerConditions& worker : task.workers) {
    if (worker.enabled() > 0) able.push_back(worker.worker.value);
  }
  if (able.empty()) return "There is no worker where the task can run.";
  return fmt::format("The task can run on {}: {}", counted(able.size(), "worker"), runs_of(able).text());
}

void print_cli(const msg::TaskExplanation& task, Output& output) {
  output.print_line(dependencies_text(task));
  output.print_line(workers_text(task));
  if (task.workers.empty()) return;
  Table table = Table::horizontal({"Worker Id", "Runnable", "Variant", "Type", "Provides", "Request"});
  for (const WorkerConditions& worker : task.workers) {
    for (size_t v = 0; v < worker.variants.size(); ++v) {
      const std::vector<Condition>& conditions = worker.variants[v];
      table.add_row({v == 0 ? worker.worker.text() : "", v == 0 ? runnable_text(worker) : "",
                     std::to_string(v), lines_of(conditions, type_text), lines_of(conditions, provided_text),
                     lines_of(conditions, asked_text)});
    }
  }
  output.print_table(table);
  for (const WorkerConditions& worker : task.workers) {
    if (!worker.now.empty())
      output.print_line(
          fmt::format("Worker {} does not start it now: {}.", worker.worker.text(), worker.now));
  }
  for (const WorkerConditions& worker : task.workers) {
    if (!worker.suspect.empty())
      output.print_line(fmt::format("Worker {} is suspect: {}", worker.worker.text(), worker.suspect));
  }
}

void write_duration(JsonWriter& json, Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  json.begin_object();
  json.member("nanos", int64_t{(duration - seconds).count()});
  json.member("secs", int64_t{seconds.count()});
  json.end_object();
}

void write_condition(JsonWriter& json, const Condition& condition) {
  json.begin_object();
  switch (condition.kind) {
    case Condition::Kind::kTime:
      json.key("Time");
      json.begin_object();
      json.key("min_time");
      write_duration(json, condition.min_time);
      json.key("remaining_time");
      if (condition.remaining) {
        write_duration(json, std::max(*condition.remaining, Duration::zero()));
      } else {
        json.null();
      }
      break;
    case Condition::Kind::kNodes:
      json.key("WorkerGroup");
      json.begin_object();
      json.member("group_size", condition.group_size);
      json.member("n_nodes", condition.nodes);
      break;
    case Condition::Kind::kResource:
      json.key("Resources");
      json.begin_object();
      json.member("request_amount", condition.asked.scaled);
      json.member("resource", condition.resource);
      json.member("worker_amount", condition.offered.scaled);
      break;
  }
  json.end_object();
  json.end_object();
}

void write_json(JsonWriter& json, const msg::TaskExplanation& task) {
  json.begin_object();
  json.key("explanation");
  json.begin_object();
  json.member("n_task_deps", task.deps);
  json.member("n_waiting_deps", task.waiting_deps);
  json.key("workers");
  json.begin_array();
  for (const WorkerConditions& worker : task.workers) {
    json.begin_object();
    if (!worker.now.empty()) json.member("not_now", worker.now);
    if (!worker.suspect.empty()) json.member("suspect", worker.suspect);
    json.key("variants");
    json.begin_array();
    for (const auto& conditions : worker.variants) {
      json.begin_array();
      for (const Condition& condition : conditions) write_condition(json, condition);
      json.end_array();
    }
    json.end_array();
    json.member("worker_id", worker.worker.value);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.key("task_id");
  json.begin_object();
  json.member("job_id", task.job.value);
  json.member("job_task_id", task.task.value);
  json.end_object();
  json.end_object();
}

}  // namespace

int run_task_explain(const TaskExplainOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto task = client->call<msg::TaskExplanation>(
      msg::ExplainTask{selection_of(options.job), TaskId(options.task_id)});
  if (!task) return output.print_error(Error("Error: " + task.error().message));
  switch (output.mode()) {
    case OutputMode::kCli:
      print_cli(*task, output);
      break;
    case OutputMode::kJson:
      output.print_json([&](JsonWriter& json) { write_json(json, *task); });
      break;
    case OutputMode::kQuiet:
      break;
  }
  return output.finish();
}

}  // namespace hq::cli
