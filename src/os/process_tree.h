// Which processes belong to which task. The launcher is subreaper, so every descendant of a task is a
// descendant of the launcher, whatever it did; what is left is to tell the tasks apart. By, in this order:
// 1. what was known before (pid and start time), and the session and group of the task's first process;
// 2. parents, and sessions and groups that belong to found processes, until nothing new is found;
// 3. for orphans (a double fork whose middle is gone) the variables given to one task only, which a process
// inherits;
// 4. for orphans without those variables the life span: only tasks that had started before can be the origin,
// and it
//    must be the only one, tasks that have ended since included.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace hq {

struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  uint64_t start_ticks = 0;  // since boot; with the pid it names a process for good
  bool ended = false;        // a zombie
  uint64_t rss_bytes = 0;    // what it has in memory, shared with others or not
};

// All processes that can be seen now. A process that ends while we look may be missing.
[[nodiscard]] std::vector<ProcessEntry> list_processes();
// The content of /proc/PID/stat; false when it is not one.
[[nodiscard]] bool parse_process_stat(const std::string& text, ProcessEntry& out);
// The variables a process was started with, "KEY=value" with a null after each; empty when not readable.
[[nodiscard]] std::string read_environment(pid_t pid);

// What a process has in memory, with its part of what several share; nothing when the kernel does not say.
[[nodiscard]] std::optional<uint64_t> proportional_memory(pid_t pid);

struct KnownProcess {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
};

struct TaskTrace {
  pid_t root = 0;          // the first process; its session and group have the same number
  bool root_held = false;  // running or not reaped: the number can't mean anything else
  uint64_t start_ticks = 0;
  std::vector<KnownProcess> known;     // found earlier
  std::vector<std::string> variables;  // "KEY=value", this task's own
};

// The life of a task that ended in the normal way: what it left behind is left alone.
struct EndedSpan {
  uint64_t start_ticks = 0;
  uint64_t end_ticks = 0;
};

struct TaskProcesses {
  std::vector<std::vector<ProcessEntry>> of_task;  // live ones, in the order of the tasks given
  // Live orphans that may come from one of several tasks, at least one of which is given.
  std::vector<ProcessEntry> unclear;
};

struct LeftAlone {
  std::unordered_set<pid_t>
      numbers;  // groups and sessions of normally ended tasks; what lives there is nobody's
  std::vector<EndedSpan> spans;
};

[[nodiscard]] TaskProcesses find_task_processes(pid_t launcher, const std::vector<ProcessEntry>& all,
                                                const std::vector<TaskTrace>& tasks,
                                                const LeftAlone& left_alone);

}  // namespace hq
