// Small builders for the domain's values.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "hq/core/event.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq::test {

class SubmitBuilder {
 public:
  SubmitBuilder() {
    submit_.submit_dir = "/home/u";
    submit_.ids = IdArray::single(0);
    submit_.task.program.args = {"true"};
    submit_.task.program.cwd = "/home/u";
    submit_.task.program.stdout_spec.kind = StdioSpec::Kind::kNull;
    submit_.task.program.stderr_spec.kind = StdioSpec::Kind::kNull;
  }
  SubmitBuilder& array(uint32_t first, uint32_t count) {
    submit_.ids = IdArray::consecutive(first, count);
    return *this;
  }
  SubmitBuilder& ids(IdArray ids) {
    submit_.ids = std::move(ids);
    return *this;
  }
  SubmitBuilder& cpus(uint64_t n) {
    submit_.task.request = ResourceRequest::cpus(n);
    return *this;
  }
  SubmitBuilder& nodes(uint32_t n) {
    submit_.task.request.variants[0].nodes = n;
    return *this;
  }
  SubmitBuilder& priority(int32_t p) {
    submit_.task.priority = p;
    return *this;
  }
  SubmitBuilder& crash_limit(uint32_t n) {
    submit_.task.crash_limit.value = n;
    return *this;
  }
  SubmitBuilder& min_time(Duration d) {
    submit_.task.request.variants[0].min_time = d;
    return *this;
  }
  SubmitBuilder& program(std::vector<std::string> args) {
    submit_.task.program.args = std::move(args);
    return *this;
  }
  // A task of a graph; the first call makes the submit a graph.
  SubmitBuilder& task(uint32_t id, std::vector<uint32_t> deps = {}) {
    submit_.ids = {};
    GraphTask t;
    t.id = TaskId(id);
    for (uint32_t d : deps) t.deps.push_back(TaskId(d));
    t.task = submit_.task;
    submit_.graph.push_back(std::move(t));
    return *this;
  }
  [[nodiscard]] SubmitDescription value() const { return submit_; }
  [[nodiscard]] std::shared_ptr<const SubmitDescription> shared() const {
    return std::make_shared<const SubmitDescription>(submit_);
  }

 private:
  SubmitDescription submit_;
};

inline SubmitBuilder submit() {
  return {};
}

inline WorkerConfig worker_config(uint32_t cpus) {
  WorkerConfig config;
  config.hostname = "n1";
  config.resources.items.push_back({std::string(kCpus), ResourceSpan{0, cpus - 1}});
  return config;
}

// Nothing of it at its default.
inline AllocParams full_alloc_params() {
  AllocParams out;
  out.manager = ManagerKind::kPbs;
  out.max_workers_per_alloc = 4;
  out.backlog = 2;
  out.time_limit = 90min;
  out.worker_time_limit = 1h;
  out.name = "q";
  out.max_worker_count = 17;
  out.min_utilization = 0.5;
  out.additional_args = {"-A", "proj"};
  out.worker_start_cmd = "module load x";
  out.worker_stop_cmd = "echo end";
  out.worker_wrap_cmd = "numactl -N0";
  out.resources = worker_config(4).resources;
  out.worker_args = {"--cpus", "\"4\""};
  out.idle_timeout = 5min;
  return out;
}

}  // namespace hq::test
