// One spawn: vfork, system calls in the child, execve. vfork is the cheapest call that is correct here: the
// child borrows the launcher's memory until it has another program, and tells through that memory what went
// wrong.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <utility>
#include <vector>

namespace hq {

// What every task gets back as the worker found it; the same for all spawns.
struct SpawnDefaults {
  sigset_t signal_mask{};
  std::vector<int> ignored_signals;            // ignored for tasks, not by the launcher
  std::vector<std::pair<int, rlimit>> limits;  // only those in which the launcher differs
  pid_t launcher = 0;
};

// All that is pointed to stays as it is until spawn() returns. The descriptors 1 and 2 of the caller are the
// null device open for writing, 0 the same for reading.
struct SpawnPlan {
  const char* const* candidates = nullptr;  // programs to try, null at the end
  size_t first_candidate = 0;               // where to begin; all are tried if that one is not there
  char* const* argv = nullptr;
  char** sh_argv = nullptr;  // {"/bin/sh", free place, argv[1..], null}, for programs without a known format
  char* const* envp = nullptr;
  const char* cwd = nullptr;  // null: as it is
  int out_fd = -1;            // -1: null device
  int err_fd = -1;
  int stdin_fd = -1;                // -1: null device; else opened anew for reading
  int group_fd = -1;                // entrance of its memory group, -1: none
  const cpu_set_t* cpus = nullptr;  // null: as it is
  size_t cpus_size = 0;
  const SpawnDefaults* defaults = nullptr;
};

// kNotSearched: as kExec, the program was not found; a file of its name is in the working directory.
enum class SpawnStep : uint8_t { kStarted, kFork, kGroup, kDirectory, kStdin, kExec, kNotSearched };

struct SpawnOutcome {
  SpawnStep step = SpawnStep::kStarted;  // or where it failed
  int errnum = 0;
  pid_t pid = 0;         // kStarted
  size_t candidate = 0;  // the program that was started
};

// Blocks until the child has started its program or failed, which takes as long as the file system takes:
// whoever else must get on finds the child in `child_pid`, set as soon as it lives; the caller resets that.
// REQUIRES: all signals blocked in the calling thread.
[[nodiscard]] SpawnOutcome spawn(const SpawnPlan& plan, std::atomic<pid_t>& child_pid);

}  // namespace hq
