// Tasks with a limit of memory. Where we may make groups the kernel holds it (memory_groups.h). Elsewhere,
// about once a second, somebody looks at what their processes use. What several processes share counts once:
// only when the plain sum is above the limit are the shares asked for, which costs the kernel more.
#include <algorithm>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr Duration kLookInterval = 1s;
constexpr int kMostShare = 20;  // of the time that is spent on looking: one part in so many

}  // namespace

// The entrance of a group for the next spawn of a task with a limit; not open where there is none.
UniqueFd LauncherProcess::make_memory_group(LaunchRecord& record) {
  const uint64_t limit = record.base->memory_limit;
  if (limit == 0 || !memory_groups_.usable()) return {};
  auto entrance = memory_groups_.make(record.request.id.value, limit);
  if (!entrance) {
    report_log(entrance.error().full_text() +
               "; its limit of memory is looked after about once a second instead");
    return {};
  }
  record.grouped = true;
  return std::move(*entrance);
}

void LauncherProcess::leave_memory_group(LaunchRecord& record) {
  if (!record.grouped) return;
  record.grouped = false;
  const uint64_t number = record.request.id.value;
  record.memory_exceeded = memory_groups_.exceeded(number, record.base->memory_limit);
  memory_groups_.remove(number);
}

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
    if (limited_.contains(running[i]->request.id)) judge_memory(*running[i], found.of_task[i]);
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
