// What a worker knows of the tasks it holds: their definitions, and each attempt.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/ids.h"
#include "hq/core/resources.h"
#include "hq/core/task.h"
#include "hq/os/process.h"

namespace hq {

// One distinct resource variant. Tasks that share it are interchangeable for the pool.
struct Request {
  uint32_t number = 0;  // never reused; orders requests
  ResourceVariant variant;
};

// What the server defined, with what the launcher was told of it. Its templates are forgotten with it, after
// the last task that uses them.
struct Definition {
  explicit Definition(ProcessPort& launcher) : processes(launcher) {}
  ~Definition() {
    for (const auto& base : templates) {
      if (base) processes.forget(*base);
    }
  }
  Definition(const Definition&) = delete;
  Definition& operator=(const Definition&) = delete;

  DefinitionId id;
  JobId job;
  JobUid job_uid;
  std::string server_uid;
  std::string submit_dir;
  std::string stream_dir;  // where streamed output goes; "": nowhere, or to log_path
  std::string log_path;    // the file in which the server keeps it
  std::shared_ptr<const TaskDescription> task;
  std::vector<std::shared_ptr<const Request>> requests;  // by variant
  std::vector<std::optional<TemplateId>> templates;      // by variant, defined with the first start
  std::optional<Duration> usual_run;                     // of its tasks lately
  ProcessPort& processes;
};

struct Attempt {
  JobUid job_uid;
  JobId job;
  TaskId task;
  InstanceId instance;
  friend auto operator<=>(const Attempt&, const Attempt&) = default;
};

struct AttemptHash {
  size_t operator()(const Attempt& a) const noexcept {
    uint64_t h = a.job_uid.value ^ (uint64_t{a.job.value} << 32 | a.task.value);
    h = (h ^ a.instance.value) * 0x9e3779b97f4a7c15;
    return size_t(h ^ h >> 29);
  }
};

struct Task {
  Attempt attempt;
  std::shared_ptr<Definition> definition;
  uint8_t variant = 0;
  bool eager = false;
  std::optional<std::string> entry;
  std::vector<std::string> hosts;  // of a multi-node task: its nodes, ours first

  [[nodiscard]] const Request& request() const { return *definition->requests[variant]; }
};

// The order in which waiting tasks start: higher priority, older job, lower task id.
struct TaskOrder {
  int64_t falling_priority = 0;
  JobId job;
  TaskId task;
  Attempt attempt;
  friend auto operator<=>(const TaskOrder&, const TaskOrder&) = default;

  static TaskOrder of(const Task& task) {
    return {-int64_t{task.definition->task->priority}, task.attempt.job, task.attempt.task, task.attempt};
  }
};

}  // namespace hq
