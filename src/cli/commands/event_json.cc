#include "cli/commands/event_json.h"

#include <algorithm>

#include "cli/commands/job_json.h"
#include "cli/commands/resource_json.h"

namespace hq::cli {

namespace {

void write_duration(JsonWriter& json, Duration duration) {
  constexpr int64_t kSecond = 1'000'000'000;
  json.begin_object();
  json.member("nanos", duration.count() % kSecond);
  json.member("secs", duration.count() / kSecond);
  json.end_object();
}

void write_duration(JsonWriter& json, const std::optional<Duration>& duration) {
  duration ? write_duration(json, *duration) : json.null();
}

// One key that says which kind it is.
struct KindWriter {
  JsonWriter& json;
  void operator()(const ResourceList& list) const {
    json.key("List");
    json.begin_object();
    json.key("values");
    write_labels(json, list.labels);
    json.end_object();
  }
  void operator()(const ResourceGroups& groups) const {
    json.key("Groups");
    json.begin_object();
    json.key("groups");
    json.begin_array();
    for (const auto& labels : groups.groups) write_labels(json, labels);
    json.end_array();
    json.end_object();
  }
  void operator()(const ResourceSpan& span) const {
    json.key("Range");
    json.begin_object();
    json.member("end", span.last);
    json.member("start", span.first);
    json.end_object();
  }
  void operator()(const ResourceSum& sum) const {
    json.key("Sum");
    json.begin_object();
    json.member("size", sum.size.scaled);
    json.end_object();
  }
};

void write_resources(JsonWriter& json, const ResourceDescriptor& resources) {
  json.begin_object();
  json.key("coupling");
  write_coupling(json, resources.coupling);
  json.key("resources");
  json.begin_array();
  for (const ResourceItem& item : resources.items) {
    json.begin_object();
    json.key("kind");
    json.begin_object();
    std::visit(KindWriter{json}, item.kind);
    json.end_object();
    json.member("name", item.name);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

std::string manager_text(const WorkerConfig& config) {
  std::string text;
  JsonWriter json(JsonWriter::Layout::kCompact, [&](std::string_view piece) { text += piece; });
  json.begin_object();
  json.member("job_id", config.manager_job_id);
  json.member("manager", config.manager == ManagerKind::kPbs ? "Pbs" : "Slurm");
  json.end_object();
  json.finish();
  return text;
}

void write_crash_limit(JsonWriter& json, CrashLimit limit) {
  if (limit.value == CrashLimit::kNeverRestart) return json.value("NeverRestart");
  if (limit.value == CrashLimit::kUnlimited) return json.value("Unlimited");
  json.begin_object();
  json.member("MaxCrashes", limit.value);
  json.end_object();
}

void write_ids(JsonWriter& json, const IdArray& ids) {
  json.begin_object();
  json.key("ranges");
  json.begin_array();
  for (const IdArray::Part& part : ids.parts) {
    json.begin_object();
    json.member("count", part.range.count());
    json.member("start", part.range.first);
    json.member("step", part.range.step);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_variant(JsonWriter& json, const ResourceVariant& variant) {
  json.begin_object();
  json.key("min_time");
  write_duration(json, variant.min_time);
  json.member("n_nodes", variant.nodes);
  json.key("resources");
  json.begin_array();
  for (const ResourceEntry& entry : variant.entries) {
    json.begin_object();
    json.key("policy");
    write_entry_policy(json, entry);
    json.member("resource", entry.name);
    json.end_object();
  }
  json.end_array();
  json.member("weight", variant.weight);
  json.end_object();
}

void write_array(JsonWriter& json, const SubmitDescription& submit) {
  json.key("crash_limit");
  write_crash_limit(json, submit.task.crash_limit);
  json.key("ids");
  write_ids(json, submit.ids);
  if (submit.task.memory_limit) json.member("memory_limit", *submit.task.memory_limit);
  json.member("priority", submit.task.priority);
  json.key("resources");
  json.begin_object();
  json.key("variants");
  json.begin_array();
  for (const ResourceVariant& variant : submit.task.request.variants) write_variant(json, variant);
  json.end_array();
  json.end_object();
  json.key("time_limit");
  write_duration(json, submit.task.time_limit);
}

}  // namespace

void write_raw_config(JsonWriter& json, const WorkerConfig& config) {
  json.begin_object();
  json.key("extra");
  json.begin_object();
  if (config.manager != ManagerKind::kNone) json.member("JobManager", manager_text(config));
  json.member("ProcessPid", std::to_string(config.pid));
  json.end_object();
  json.member("group", config.group);
  json.key("heartbeat_interval");
  write_duration(json, config.heartbeat_interval);
  json.member("hostname", config.hostname);
  json.key("idle_timeout");
  write_duration(json, config.idle_timeout);
  json.member("listen_address", config.listen_address);
  json.member("min_utilization", config.min_utilization);
  json.member("on_server_lost", config.on_server_lost == OnServerLost::kStop ? "Stop" : "FinishRunning");
  json.key("overview_configuration");
  json.begin_object();
  json.key("gpu_families");
  json.begin_array();
  for (const ResourceItem& item : config.resources.items) {
    if (item.name == kAmdGpus) json.value("Amd");
    if (item.name == kNvidiaGpus) json.value("Nvidia");
  }
  json.end_array();
  json.key("send_interval");
  write_duration(json, config.overview_interval);
  json.end_object();
  json.key("resources");
  write_resources(json, config.resources);
  json.key("retract_check_interval");
  write_duration(json, config.retract_check_interval);
  json.key("time_limit");
  write_duration(json, config.time_limit);
  json.member("work_dir", config.work_dir);
  json.end_object();
}

namespace {

void write_gpus(JsonWriter& json, const std::optional<std::vector<GpuUsage>>& gpus) {
  if (!gpus) return json.null();
  json.begin_object();
  json.key("gpus");
  json.begin_array();
  for (const GpuUsage& gpu : *gpus) {
    json.begin_object();
    json.member("id", gpu.id);
    json.member("mem_usage", gpu.memory_percent);
    json.member("processor_usage", gpu.processor_percent);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace

void write_overview(JsonWriter& json, const HardwareOverview& overview, WallTime time) {
  json.begin_object();
  json.key("amd_gpus");
  write_gpus(json, overview.amd);
  json.key("cpu_usage");
  json.begin_object();
  json.key("cpu_per_core_percent_usage");
  json.begin_array();
  for (const double percent : overview.cpu_percent) json.value(percent);
  json.end_array();
  json.end_object();
  json.key("memory_usage");
  json.begin_object();
  json.member("free", overview.memory.free);
  json.member("total", overview.memory.total);
  json.end_object();
  json.key("network_usage");
  json.begin_object();
  const NetworkUsage& network = overview.network;
  json.member("rx_bytes", network.rx_bytes);
  json.member("rx_errors", network.rx_errors);
  json.member("rx_packets", network.rx_packets);
  json.member("tx_bytes", network.tx_bytes);
  json.member("tx_errors", network.tx_errors);
  json.member("tx_packets", network.tx_packets);
  json.end_object();
  json.key("nvidia_gpus");
  write_gpus(json, overview.nvidia);
  json.member("timestamp", time.ns / 1'000'000'000);
  json.end_object();
}

void write_raw_submit(JsonWriter& json, const SubmitDescription& submit) {
  json.begin_object();
  json.member("stream_path", submit.stream_path);
  json.member("submit_dir", submit.submit_dir);
  json.key("task_desc");
  json.begin_object();
  if (submit.is_graph()) {
    json.member("n_tasks", uint64_t(submit.graph.size()));
  } else {
    write_array(json, submit);
  }
  json.end_object();
  json.end_object();
}

void write_raw_alloc_params(JsonWriter& json, const AllocParams& params) {
  const auto words = [&](std::string_view name, const std::vector<std::string>& list) {
    json.key(name);
    json.begin_array();
    for (const std::string& word : list) json.value(word);
    json.end_array();
  };
  json.begin_object();
  words("additional_args", params.additional_args);
  json.member("backlog", params.backlog);
  json.key("cli_resource_descriptor");
  params.resources ? write_resources(json, *params.resources) : json.null();
  json.key("idle_timeout");
  write_duration(json, params.idle_timeout);
  json.member("manager", params.manager == ManagerKind::kPbs ? "Pbs" : "Slurm");
  json.member("max_worker_count", params.max_worker_count);
  json.member("max_workers_per_alloc", params.max_workers_per_alloc);
  json.member("min_utilization", float(params.min_utilization));
  json.member("name", params.name);
  json.key("timelimit");
  write_duration(json, params.time_limit);
  words("worker_args", params.worker_args);
  json.member("worker_start_cmd", params.worker_start_cmd);
  json.member("worker_stop_cmd", params.worker_stop_cmd);
  json.member("worker_wrap_cmd", params.worker_wrap_cmd);
  json.end_object();
}

}  // namespace hq::cli
