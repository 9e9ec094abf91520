// Parts of a task's description and of its life as cells of tables show them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/task.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

[[nodiscard]] std::string command_cell(const ProgramDescription& program);  // one argument per line, wrapped
[[nodiscard]] std::string environment_cell(const ProgramDescription& program);  // without our own variables
[[nodiscard]] std::string resources_cell(const ResourceRequest& request);
// A channel whose file is `path`: "<None>", "<Stream>" or the path.
[[nodiscard]] std::string channel_cell(const StdioSpec& spec, const std::string& path);
[[nodiscard]] std::string_view pin_text(PinMode pin);                             // "none", "taskset", "omp"
[[nodiscard]] std::string time_limit_text(const std::optional<Duration>& limit);  // "None"

using HostNames = std::map<WorkerId, std::string>;
[[nodiscard]] HostNames host_names(const msg::JobDetail& job);
// The workers of a task, one per line; "N/A" for those whose name is not known.
[[nodiscard]] std::string workers_cell(const msg::TaskRow& task, const HostNames& names);

// From start to end, or to `now`; empty if it never started.
[[nodiscard]] std::string makespan_cell(const msg::TaskRow& task, WallTime now);

// What the tasks of a job were asked to do. The job must outlive it.
class Descriptions {
 public:
  explicit Descriptions(const msg::JobDetail& job);
  // Null if the server's answer does not hold it.
  [[nodiscard]] const TaskDescription* find(const msg::TaskRow& row, TaskId id) const;
  // The ids a task waits for; empty in arrays.
  [[nodiscard]] std::vector<TaskId> dependencies(TaskId id) const;

 private:
  const msg::JobDetail& job_;
  std::unordered_map<TaskId, const GraphTask*> graph_;
};

// Whether paths of the job's tasks can only be known with the server's uid.
[[nodiscard]] bool needs_server_uid(const msg::JobDetail& job);

// Whether it has run far enough to have paths, and is still said to have them: an aborted task is shown as if
// it had never started.
[[nodiscard]] inline bool shows_paths(const msg::TaskRow& task) {
  return task.started && task.state != TaskState::kAborted;
}

// Each id of a row; rows of tasks that never started hold many.
template <class F>
void for_each_id(const msg::TaskRow& row, F&& f) {
  for (uint64_t id = row.ids.first; id <= row.ids.last; id += row.ids.step) f(TaskId(uint32_t(id)));
}

}  // namespace hq::cli
