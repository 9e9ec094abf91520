#include "cli/commands/show_worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/resource_json.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/resource_summary_text.h"

namespace hq::cli {
namespace {

// What the server knows of a running worker's tasks is shown by `worker info` only.
enum class RuntimeInfo { kHidden, kShown };

std::string_view manager_text(ManagerKind manager) {
  switch (manager) {
    case ManagerKind::kNone:
      return "None";
    case ManagerKind::kPbs:
      return "PBS";
    case ManagerKind::kSlurm:
      return "SLURM";
  }
  return "None";
}

std::string manager_job_text(const WorkerConfig& config) {
  return config.manager == ManagerKind::kNone ? "N/A" : config.manager_job_id;
}

std::string duration_cell(const std::optional<Duration>& duration) {
  return duration ? duration_text(*duration) : "None";
}

// Times stand in these cells as JSON texts, quotes included: scripts have come to know them so.
std::string quoted_time(WallTime time) {
  return '"' + rfc3339_text(time) + '"';
}

std::string last_task_cell(const msg::WorkerDetail& worker) {
  if (!worker.last_task || !worker.last_task_time) return "";
  return worker.last_task->text() + "; Time: " + quoted_time(*worker.last_task_time);
}

std::string runtime_cell(const msg::WorkerDetail& worker) {
  if (worker.main_node) {
    return *worker.main_node ? "running multinode task; main node" : "running multinode task; secondary node";
  }
  std::string text = fmt::format("assigned tasks: {}", worker.assigned_tasks);
  if (worker.running_tasks > 0) text += fmt::format("; running tasks: {}", worker.running_tasks);
  if (worker.reserved) text += "; reserved for a multi-node task";
  return text;
}

Cell state_cell(const msg::WorkerDetail& worker) {
  const std::string_view state = worker_state_text(worker);
  return Cell(std::string(state), worker_state_color(state));
}

Table worker_table(const msg::WorkerDetail& worker, RuntimeInfo runtime) {
  const WorkerConfig& config = worker.config;
  Table table = Table::vertical();
  table.add_row("Worker", worker.id.text());
  table.add_row("State", state_cell(worker));
  table.add_row("Hostname", config.hostname);
  table.add_row("Started", quoted_time(worker.started));
  table.add_row("Data provider", config.listen_address);
  table.add_row("Working directory", config.work_dir);
  table.add_row("Heartbeat", duration_text(config.heartbeat_interval));
  table.add_row("Idle timeout", duration_cell(config.idle_timeout));
  table.add_row("Overview interval", duration_cell(config.overview_interval));
  table.add_row("Resources", fmt::format("{}", fmt::join(resources_lines(config.resources), "\n")));
  table.add_row("Time Limit", duration_cell(config.time_limit));
  table.add_row("Process pid", config.pid == 0 ? "N/A" : std::to_string(config.pid));
  table.add_row("Group", config.group);
  table.add_row("Manager", std::string(manager_text(config.manager)));
  table.add_row("Manager Job ID", manager_job_text(config));
  table.add_row("Last task started", last_task_cell(worker));
  if (runtime == RuntimeInfo::kShown && !worker.lost) table.add_row("Runtime Info", runtime_cell(worker));
  if (worker.suspicion) {
    table.add_row("Suspect",
                  fmt::format("{}{}: {}", worker.suspicion->quarantined ? "in quarantine since " : "since ",
                              utc_text(worker.suspicion->facts.since), worker.suspicion->reason));
  }
  if (!worker.last_lines.empty()) {
    table.add_row("Last log lines", fmt::format("{}", fmt::join(worker.last_lines, "\n")));
  }
  return table;
}

void write_kind(const ResourceItem& item, const ResourceList& list, JsonWriter& json) {
  json.member("kind", "list");
  json.member("name", item.name);
  json.key("values");
  write_labels(json, list.labels);
}
void write_kind(const ResourceItem& item, const ResourceGroups& groups, JsonWriter& json) {
  json.key("groups");
  json.begin_array();
  for (const std::vector<std::string>& group : groups.groups) write_labels(json, group);
  json.end_array();
  json.member("kind", "groups");
  json.member("name", item.name);
}
void write_kind(const ResourceItem& item, const ResourceSpan& span, JsonWriter& json) {
  json.member("end", span.last);
  json.member("kind", "range");
  json.member("name", item.name);
  json.member("start", span.first);
}
void write_kind(const ResourceItem& item, const ResourceSum& sum, JsonWriter& json) {
  json.member("kind", "sum");
  json.member("name", item.name);
  json.member("size", sum.size.scaled);
}

void write_resources(const std::vector<ResourceItem>& items, const std::vector<CouplingWeight>& coupling,
                     JsonWriter& json) {
  json.begin_object();
  json.key("coupling");
  write_coupling(json, coupling);
  json.key("resources");
  json.begin_array();
  for (const ResourceItem& item : items) {
    json.begin_object();
    std::visit([&](const auto& kind) { write_kind(item, kind, json); }, item.kind);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_duration(std::string_view key, const std::optional<Duration>& duration, JsonWriter& json) {
  json.key(key);
  if (duration) {
    json.value(std::chrono::duration<double>(*duration).count());
  } else {
    json.null();
  }
}

void write_configuration(const WorkerConfig& config, JsonWriter& json) {
  json.begin_object();
  json.member("group", config.group);
  write_duration("heartbeat_interval", config.heartbeat_interval, json);
  json.member("hostname", config.hostname);
  write_duration("idle_timeout", config.idle_timeout, json);
  json.member("listen_address", config.listen_address);
  json.member("min_utilization", config.min_utilization);
  json.member("on_server_lost", config.on_server_lost == OnServerLost::kStop ? "stop" : "finish-running");
  json.key("resources");
  write_resources(config.resources.items, config.resources.coupling, json);
  write_duration("time_limit", config.time_limit, json);
  json.member("work_dir", config.work_dir);
  json.end_object();
}

void write_allocation(const WorkerConfig& config, JsonWriter& json) {
  if (config.manager == ManagerKind::kNone) return json.null();
  json.begin_object();
  json.member("id", config.manager_job_id);
  json.member("manager", config.manager == ManagerKind::kPbs ? "PBS" : "Slurm");
  json.end_object();
}

void write_last_task(const msg::WorkerDetail& worker, JsonWriter& json) {
  if (!worker.last_task || !worker.last_task_time) return json.null();
  json.begin_object();
  json.key("task_id");
  json.begin_object();
  json.member("job_id", worker.last_task->job.value);
  json.member("job_task_id", worker.last_task->task.value);
  json.end_object();
  json.member("time", rfc3339_text(*worker.last_task_time));
  json.end_object();
}

void write_runtime(const msg::WorkerDetail& worker, JsonWriter& json) {
  json.begin_object();
  if (worker.main_node) {
    json.key("MultiNodeTask");
    json.begin_object();
    json.member("main_node", *worker.main_node);
    json.end_object();
    json.end_object();
    return;
  }
  json.key("SingleNodeTasks");
  json.begin_object();
  json.member("assigned_tasks", worker.assigned_tasks);
  json.member("is_reserved", worker.reserved);
  json.member("running_tasks", worker.running_tasks);
  json.end_object();
  json.end_object();
}

void write_suspicion(const msg::WorkerSuspicion& suspicion, JsonWriter& json) {
  const Suspicion& facts = suspicion.facts;
  json.begin_object();
  json.member("ended_elsewhere", facts.counts.ended_elsewhere);
  json.member("ended_here", facts.counts.ended_here);
  json.member("ended_since", facts.ended_since);
  json.member("failed_elsewhere", facts.counts.failed_elsewhere);
  json.member("failed_here", facts.counts.failed_here);
  json.member("failed_since", facts.failed_since);
  json.member("job_id", facts.job.value);
  json.member("log10_chance", facts.log10_chance);
  json.member("quarantined", suspicion.quarantined);
  json.member("reason", suspicion.reason);
  json.member("since", rfc3339_text(facts.since));
  json.end_object();
}

void write_worker(const msg::WorkerDetail& worker, RuntimeInfo runtime, JsonWriter& json) {
  json.begin_object();
  json.key("allocation");
  write_allocation(worker.config, json);
  json.key("configuration");
  write_configuration(worker.config, json);
  json.key("ended");
  if (worker.ended) {
    json.begin_object();
    json.member("at", rfc3339_text(*worker.ended));
    json.end_object();
  } else {
    json.null();
  }
  json.member("id", worker.id.value);
  json.key("last_task_started");
  write_last_task(worker, json);
  json.key("runtime_info");
  if (runtime == RuntimeInfo::kShown && !worker.lost) {
    write_runtime(worker, json);
  } else {
    json.null();
  }
  json.member("started", rfc3339_text(worker.started));
  if (worker.suspicion) {
    json.key("suspect");
    write_suspicion(*worker.suspicion, json);
  }
  json.end_object();
}

void print_json(const std::vector<msg::WorkerDetail>& workers, RuntimeInfo runtime, Output& output) {
  output.print_json([&](JsonWriter& json) {
    json.begin_array();
    for (const msg::WorkerDetail& worker : workers) write_worker(worker, runtime, json);
    json.end_array();
  });
}

Table list_table(const std::vector<msg::WorkerDetail>& workers) {
  // The ID alone is not bold, as in the original.
  Table table =
      Table::horizontal_of_cells({"ID", Cell::key("State"), Cell::key("Hostname"), Cell::key("Resources"),
                                  Cell::key("Manager"), Cell::key("Manager Job ID")});
  for (const msg::WorkerDetail& worker : workers) {
    const WorkerConfig& config = worker.config;
    table.add_row({Cell::right(worker.id.text()), state_cell(worker), config.hostname,
                   resources_line(config.resources), std::string(manager_text(config.manager)),
                   manager_job_text(config)});
  }
  return table;
}

}  // namespace

std::string_view worker_state_text(const msg::WorkerDetail& worker) {
  if (!worker.lost) return "RUNNING";
  switch (*worker.lost) {
    case LossReason::kStopped:
      return "STOPPED";
    case LossReason::kConnectionLost:
      return "CONNECTION LOST";
    case LossReason::kHeartbeatLost:
      return "HEARTBEAT LOST";
    case LossReason::kIdleTimeout:
      return "IDLE TIMEOUT";
    case LossReason::kTimeLimitReached:
      return "TIME LIMIT REACHED";
  }
  return "STOPPED";
}

void print_started_worker(const msg::WorkerDetail& worker, Output& output) {
  if (output.cli()) output.print_table(worker_table(worker, RuntimeInfo::kHidden));
  if (output.json()) print_json({worker}, RuntimeInfo::kHidden, output);
}

void print_worker_infos(const std::vector<msg::WorkerDetail>& workers, Output& output) {
  if (output.json()) return print_json(workers, RuntimeInfo::kShown, output);
  if (!output.cli()) return;
  bool first = true;
  for (const msg::WorkerDetail& worker : workers) {
    if (!first) output.print_line("");
    first = false;
    output.print_table(worker_table(worker, RuntimeInfo::kShown));
  }
}

void print_worker_list(const std::vector<msg::WorkerDetail>& workers, Output& output) {
  if (output.json()) return print_json(workers, RuntimeInfo::kHidden, output);
  if (output.cli()) return output.print_table(list_table(workers));
  for (const msg::WorkerDetail& worker : workers) {
    output.print_quiet(fmt::format("{} {}", worker.id.text(), worker_state_text(worker)));
  }
}

void print_suspect_workers(const std::vector<msg::WorkerDetail>& workers, Output& output) {
  if (!output.cli()) return print_worker_list(workers, output);
  Table table = Table::horizontal_of_cells(
      {"ID", Cell::key("State"), Cell::key("Hostname"), Cell::key("Suspect since"), Cell::key("Reason")});
  for (const msg::WorkerDetail& worker : workers) {
    std::string reason = worker.suspicion->reason;
    if (worker.suspicion->quarantined) reason += "\nIn quarantine: it gets one probe task a minute.";
    table.add_row({Cell::right(worker.id.text()), state_cell(worker), worker.config.hostname,
                   utc_text(worker.suspicion->facts.since), reason});
  }
  output.print_table(table);
}

void print_detected_resources(const std::vector<ResourceItem>& items, Output& output) {
  if (output.json()) {
    return output.print_json([&](JsonWriter& json) { write_resources(items, {}, json); });
  }
  std::string text = "Summary:\n";
  for (const ResourceItem& item : items) text += fmt::format("{}: {}\n", item.name, resource_summary(item));
  text += "\nFull Description:\n";
  for (const ResourceItem& item : items) {
    text += fmt::format("{}: {}\n", item.name, resource_description(item));
  }
  if (output.cli()) output.print_raw(text);
}

void write_worker_resources(JsonWriter& json, const ResourceDescriptor& resources) {
  write_resources(resources.items, resources.coupling, json);
}

}  // namespace hq::cli
