// Why a task failed, as data. The text that users see is made where it is printed (text/failure_text.h).
#pragma once

#include <cstdint>
#include <string>

namespace hq {

enum class FailureKind : uint8_t {
  kExit,          // code: exit code, or -signal
  kErrorFile,     // text: content of the task's error file (code as kExit)
  kTimeLimit,     //
  kLaunch,        // text: the whole message; the launch had begun
  kBeforeLaunch,  // text: the whole message; the task never started (no worker, no start time shown)
  kCrashLimit,    // code: how many losses
  kNeverRestart,  //
  kMemoryLimit,   // text: the whole message
};
// The task failed by itself, or could not be started: it may have its worker to blame. Limits and losses are
// no failures of that sort.
[[nodiscard]] constexpr bool is_own_failure(FailureKind kind) {
  return kind == FailureKind::kExit || kind == FailureKind::kErrorFile || kind == FailureKind::kLaunch ||
         kind == FailureKind::kBeforeLaunch;
}

struct Failure {
  FailureKind kind = FailureKind::kExit;
  int32_t code = 0;
  std::string text;
  friend bool operator==(const Failure&, const Failure&) = default;
};

// What wait4 says of a task's process; durations are the worker's.
struct TaskUsage {
  float ran_s = 0;     // seconds from start to end
  float user_s = 0;    // seconds
  float system_s = 0;  // seconds
  uint32_t peak_kib = 0;
  friend bool operator==(const TaskUsage&, const TaskUsage&) = default;
};

}  // namespace hq
