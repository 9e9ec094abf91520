// What the structs of core look like in messages: one description per struct, used to encode, to decode, for
// defaults (a missing key leaves the struct's own) and for the texts of errors.
#pragma once

#include "hq/core/alloc_params.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/text/placeholders.h"
#include "protocol/map_reader.h"
#include "protocol/map_writer.h"

namespace hq {

template <class V, Is<ResourceEntry> S>
void describe(V& v, S& s) {
  v.field("name", s.name);
  v.field("amount", s.amount);
  v.field("policy", s.policy);
}

// The scheduling weight is a number of units like an amount.
template <class V, Is<ResourceVariant> S>
void describe(V& v, S& s) {
  Amount weight = Amount::from_scaled(s.weight);
  v.field("nodes", s.nodes);
  v.field("resources", s.entries);
  v.field("min_time", s.min_time);
  v.field("weight", weight);
  if constexpr (V::kDecodes) {
    if (weight.scaled > UINT32_MAX) v.map().fail("'weight' is too large");
    s.weight = uint32_t(weight.scaled);
  }
}

// A request of one variant may be given as the list "resources" alone; then cpus are 1 unless they are named,
// as on the command line.
inline void get_short_request(const MapValue& task, ResourceRequest& request) {
  uint32_t hint = 0;
  const msgpack::object* list = task.find("resources", hint);
  if (list == nullptr) return;
  if (task.has("variants")) return task.fail("either 'resources' or 'variants'");
  ResourceVariant variant;
  get(task.member("resources", *list), variant.entries);
  const auto is_cpus = [](const ResourceEntry& e) { return e.name == kCpus; };
  if (std::none_of(variant.entries.begin(), variant.entries.end(), is_cpus))
    variant.entries.insert(variant.entries.begin(),
                           ResourceEntry{std::string(kCpus), Amount::units(1), Policy::kCompact});
  request.variants = {std::move(variant)};
}

template <class V, Is<TaskDescription> S>
void describe(V& v, S& s) {
  if constexpr (V::kDecodes) {
    s.program.stdout_spec.path = kDefaultStdout;
    s.program.stderr_spec.path = kDefaultStderr;
    s.program.cwd = kDefaultCwd;
  }
  v.field("args", s.program.args);
  v.field("env", s.program.env);
  v.field("cwd", s.program.cwd);
  v.field("stdout", s.program.stdout_spec);
  v.field("stderr", s.program.stderr_spec);
  v.field("stdin", s.program.stdin_data);
  v.field("variants", s.request.variants);
  v.field("pin", s.pin);
  v.field("task_dir", s.task_dir);
  v.field("time_limit", s.time_limit);
  v.field("memory_limit", s.memory_limit);
  v.field("priority", s.priority);
  v.field("crash_limit", s.crash_limit);
  if constexpr (V::kDecodes) {
    get_short_request(v.map(), s.request);
    if (s.request.variants.empty()) v.map().fail("'variants' is empty");
  }
}

template <class V, Is<GraphTask> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("deps", s.deps);
  v.field("task", s.task);
}

template <class V, Is<SubmitDescription> S>
void describe(V& v, S& s) {
  v.field("submit_dir", s.submit_dir);
  v.field("ids", s.ids);
  v.field("task", s.task);
  v.field("entries", s.entries);
  v.field("graph", s.graph);
  v.field("stream_path", s.stream_path);
  v.field("log_path", s.log_path);
  v.field("templates", s.templates);
}

template <class V, Is<ResourceItem> S>
void describe(V& v, S& s) {
  v.field("name", s.name);
  v.field("has", s.kind);
}

template <class V, Is<CouplingWeight> S>
void describe(V& v, S& s) {
  v.field("resource1", s.resource1);
  v.field("group1", s.group1);
  v.field("resource2", s.resource2);
  v.field("group2", s.group2);
  v.field("weight", s.weight);
}

template <class V, Is<ResourceDescriptor> S>
void describe(V& v, S& s) {
  v.field("items", s.items);
  v.field("coupling", s.coupling);
}

template <class V, Is<WorkerConfig> S>
void describe(V& v, S& s) {
  v.field("resources", s.resources);
  v.field("hostname", s.hostname);
  v.field("listen_address", s.listen_address);
  v.field("group", s.group);
  v.field("work_dir", s.work_dir);
  v.field("heartbeat_interval", s.heartbeat_interval);
  v.field("overview_interval", s.overview_interval);
  v.field("idle_timeout", s.idle_timeout);
  v.field("time_limit", s.time_limit);
  v.field("retract_check_interval", s.retract_check_interval);
  v.field("on_server_lost", s.on_server_lost);
  v.field("min_utilization", s.min_utilization);
  v.field("manager", s.manager);
  v.field("manager_job_id", s.manager_job_id);
  v.field("pid", s.pid);
  v.field("boot_id", s.boot_id);
}

template <class V, Is<AllocParams> S>
void describe(V& v, S& s) {
  v.field("manager", s.manager);
  v.field("max_workers_per_alloc", s.max_workers_per_alloc);
  v.field("backlog", s.backlog);
  v.field("time_limit", s.time_limit);
  v.field("worker_time_limit", s.worker_time_limit);
  v.field("name", s.name);
  v.field("max_worker_count", s.max_worker_count);
  v.field("min_utilization", s.min_utilization);
  v.field("additional_args", s.additional_args);
  v.field("worker_start_cmd", s.worker_start_cmd);
  v.field("worker_stop_cmd", s.worker_stop_cmd);
  v.field("worker_wrap_cmd", s.worker_wrap_cmd);
  v.field("resources", s.resources);
  v.field("worker_args", s.worker_args);
  v.field("idle_timeout", s.idle_timeout);
}

template <class V, Is<MemoryUsage> S>
void describe(V& v, S& s) {
  v.field("total", s.total);
  v.field("free", s.free);
}

template <class V, Is<NetworkUsage> S>
void describe(V& v, S& s) {
  v.field("rx_bytes", s.rx_bytes);
  v.field("tx_bytes", s.tx_bytes);
  v.field("rx_packets", s.rx_packets);
  v.field("tx_packets", s.tx_packets);
  v.field("rx_errors", s.rx_errors);
  v.field("tx_errors", s.tx_errors);
}

template <class V, Is<GpuUsage> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("processor_percent", s.processor_percent);
  v.field("memory_percent", s.memory_percent);
}

template <class V, Is<HardwareOverview> S>
void describe(V& v, S& s) {
  v.field("cpu_percent", s.cpu_percent);
  v.field("memory", s.memory);
  v.field("network", s.network);
  v.field("nvidia", s.nvidia);
  v.field("amd", s.amd);
}

template <class V, Is<JobTask> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("task", s.task);
}

}  // namespace hq
