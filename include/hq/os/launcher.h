// The launcher: a small process forked at the very start of a worker, in which all task processes are made,
// awaited and killed (docs/architecture.md, The launcher). What always holds:
// - it was forked before any thread, socket or big allocation existed, so a spawn copies nothing and the
// worker's
//   memory high-water mark never shows in a task's usage;
// - it has a session of its own, so a terminal's signals reach the worker only;
// - it is the subreaper of every task, so no descendant leaves its tree;
// - when the worker is gone (end of file on its socket) or frozen (fence), every task ends with all
// descendants.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/result.h"
#include "hq/os/process.h"

namespace hq {

// What the shell gave to this process and what each task gets back.
struct ProcessStartState {
  std::array<rlimit, RLIMIT_NLIMITS> limits{};
  sigset_t signal_mask{};
  std::vector<int> ignored_signals;
  mode_t umask = 022;
  std::vector<std::string> environment;  // "KEY=value"
};

// REQUIRES: called first in main, before any of this is changed and before threads.
[[nodiscard]] ProcessStartState capture_process_start_state();

struct LauncherOptions {
  ProcessStartState start_state;
  unsigned file_threads = 2;  // grows by itself while all of them hang
  std::string memory_groups;  // as of prepare_memory_groups(); empty = limits of memory are looked after here
};

// Makes it possible that the kernel holds tasks' limits of memory, by a group of processes (cgroup v2) for
// each such task. This process and its later children get a group of their own for that. Returns the
// directory for the groups, empty where the own group was not handed over to us, or others live in it, or
// Linux is older than 4.19. REQUIRES: no children yet.
[[nodiscard]] std::string prepare_memory_groups();

class Launcher : public ProcessPort {
 public:
  // Readable when next_event() or flush() has something to do. Owned by the launcher object.
  [[nodiscard]] virtual int event_fd() const = 0;
  // The worker must renew this before it runs out, measured by the launcher from receipt; each call replaces
  // the earlier one, nullopt switches it off. When it runs out: requests not started are dropped, tasks get
  // SIGTERM and one second later SIGKILL with all their descendants, and nothing starts (answer: kDropped)
  // until the next call.
  virtual void set_fence(std::optional<Duration> within) = 0;
  [[nodiscard]] virtual pid_t pid() const = 0;
};

// Forks the launcher. REQUIRES: one thread, no ZeroMQ context. Destroying the object ends the launcher and
// whatever still runs in it, and waits for that.
[[nodiscard]] Result<std::unique_ptr<Launcher>> start_launcher(LauncherOptions options);

}  // namespace hq
