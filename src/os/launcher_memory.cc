// Tasks with a limit of memory: about once a second somebody looks at what their processes use. What several
// processes share counts once: only when the plain sum is above the limit are the shares asked for, which
// costs the kernel more.
#include <algorithm>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr Duration kLookInterval = 1s;
constexpr int kMostShare = 20;  // of the time that is spent on looking: one part in so many

}  // namespace

void LauncherProcess::look_at_memory() {
  if (limited_.empty() || now_ < next_memory_look_) return;
  std::vector<LaunchRecord*> running;
  std::vector<TaskTrace> traces;
  for (const auto& [pid, record] : running_) {
    running.push_back(record);
    traces.push_back(trace_of(*record));
  }
  for (const Remains& left : remains_) traces.push_back(left.trace);
  const TaskProcesses found = find_task_processes(pid_, list_processes(), traces, left_alone());
  for (size_t i = 0; i < running.size(); ++i) {
    if (running[i]->base->memory_limit > 0) judge_memory(*running[i], found.of_task[i]);
  }
  const TimePoint begun = now_;
  now_ = clock();
  next_memory_look_ = now_ + std::max(kLookInterval, kMostShare * (now_ - begun));
}

void LauncherProcess::judge_memory(LaunchRecord& record, const std::vector<ProcessEntry>& members) {
  const uint64_t limit = record.base->memory_limit;
  if (record.memory_exceeded > 0) return;  // its end is on its way
  uint64_t plain = 0;
  for (const ProcessEntry& entry : members) plain += entry.rss_bytes;
  if (plain <= limit) return;
  uint64_t used = 0;
  for (const ProcessEntry& entry : members) used += proportional_memory(entry.pid).value_or(entry.rss_bytes);
  if (used <= limit) return;
  record.memory_exceeded = used;
  // It may take what others need any moment: no grace.
  StopPlan plan{.term_at = now_, .kill_at = now_};
  plan.term_sent = true;
  stop_running(record, plan);
}

}  // namespace hq
