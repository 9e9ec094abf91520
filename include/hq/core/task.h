// Tasks and submits as values: what the user asked for. What became of them is in job_table.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"
#include "hq/core/resources.h"

namespace hq {

enum class TaskState : uint8_t { kWaiting, kRunning, kFinished, kFailed, kCanceled, kAborted };
inline constexpr int kTaskStates = 6;
[[nodiscard]] std::string_view task_state_text(TaskState state);  // "waiting", ...
[[nodiscard]] constexpr bool is_final(TaskState s) {
  return s >= TaskState::kFinished;
}

enum class PinMode : uint8_t { kNone, kTaskset, kOpenMp };

// How often a task may be lost with a crashed worker before it fails.
struct CrashLimit {
  static constexpr uint32_t kNeverRestart = 0;
  static constexpr uint32_t kUnlimited = 0xffff'ffff;
  uint32_t value = 5;  // 1..65535, or one of the above
  friend bool operator==(const CrashLimit&, const CrashLimit&) = default;
};

// Where a channel of a task goes. `path` may hold placeholders (text/placeholders.h).
struct StdioSpec {
  enum class Kind : uint8_t { kFile, kNull, kStream };
  Kind kind = Kind::kFile;
  std::string path;
  bool remove_if_finished = false;
  friend bool operator==(const StdioSpec&, const StdioSpec&) = default;
};

struct ProgramDescription {
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // sorted by name, names unique
  std::string cwd;                                       // absolute once job-level placeholders are filled
  StdioSpec stdout_spec;
  StdioSpec stderr_spec;
  std::string stdin_data;  // empty = null device
  friend bool operator==(const ProgramDescription&, const ProgramDescription&) = default;
};

struct TaskDescription {
  ProgramDescription program;
  ResourceRequest request = ResourceRequest::cpus(1);
  PinMode pin = PinMode::kNone;
  bool task_dir = false;
  std::optional<Duration> time_limit;
  std::optional<uint64_t> memory_limit;  // bytes, of all its processes together
  int32_t priority = 0;
  CrashLimit crash_limit;
  friend bool operator==(const TaskDescription&, const TaskDescription&) = default;
};

// Entry values of an array, one per task, in the order of its ids: one blob and where each ends, so that a
// million lines cost their bytes and 4 each. At most 4 GiB.
struct Entries {
  std::string blob;
  std::vector<uint32_t> ends;

  [[nodiscard]] size_t size() const { return ends.size(); }
  void add(std::string_view entry) {
    blob.append(entry);
    ends.push_back(uint32_t(blob.size()));
  }
  // REQUIRES: both together are at most 4 GiB.
  void append(const Entries& more) {
    const auto before = uint32_t(blob.size());
    blob.append(more.blob);
    for (const uint32_t end : more.ends) ends.push_back(before + end);
  }
  // Of all that it holds.
  [[nodiscard]] size_t bytes() const { return blob.size() + ends.size() * sizeof(uint32_t); }
  [[nodiscard]] std::string_view at(size_t i) const {
    const uint32_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(blob).substr(begin, ends[i] - begin);
  }
  friend bool operator==(const Entries&, const Entries&) = default;
};

// One task of a graph (job files, Python). Dependencies name tasks of the same job.
struct GraphTask {
  TaskId id;
  std::vector<TaskId> deps;
  TaskDescription task;
  friend bool operator==(const GraphTask&, const GraphTask&) = default;
};

// One submit: either an array (one description, many ids) or a graph (many descriptions).
struct SubmitDescription {
  std::string submit_dir;
  IdArray ids;                             // array; empty for a graph
  TaskDescription task;                    // array
  std::optional<Entries> entries;          // array; one per id
  std::vector<GraphTask> graph;            // graph, in an order where dependencies come first
  std::optional<std::string> stream_path;  // --stream, absolute
  std::optional<std::string> log_path;     // --log, absolute; not together with stream_path
  // Of an array whose paths named the job: each path as it is now and as it was written, ascending. Another
  // job with the same definition has paths of its own (`job resubmit`).
  std::vector<std::pair<std::string, std::string>> templates;

  [[nodiscard]] bool is_graph() const { return !graph.empty(); }
  [[nodiscard]] uint64_t task_count() const { return is_graph() ? graph.size() : ids.count(); }
  friend bool operator==(const SubmitDescription&, const SubmitDescription&) = default;
};

}  // namespace hq
