// How the launcher ends tasks: one that is to stop, all when the worker is gone or frozen.
#include <algorithm>
#include <cerrno>
#include <ctime>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr Duration kKillAgain = 50ms;
constexpr Duration kLookAgain = 20ms;
constexpr Duration kLastGrace = 1s;
constexpr Duration kGiveUpAfter = 30s;

// Start times of processes count from boot, in ticks.
uint64_t ticks_of(TimePoint when) {
  auto read = [](clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  };
  static const int64_t per_second = sysconf(_SC_CLK_TCK);
  Duration since_boot = when.time_since_epoch() + (read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC));
  return static_cast<uint64_t>(std::max<int64_t>(since_boot.count() / (1'000'000'000 / per_second), 0));
}

void remember(TaskTrace& trace, const std::vector<ProcessEntry>& members) {
  trace.known.clear();
  for (const ProcessEntry& entry : members) trace.known.push_back({entry.pid, entry.start_ticks});
}

}  // namespace

TaskTrace LauncherProcess::trace_of(const LaunchRecord& record) const {
  TaskTrace trace;
  trace.root = record.pid;
  trace.root_held = true;
  trace.start_ticks = ticks_of(record.spawn_began);
  for (const auto& [key, value] : record.request.env) trace.variables.push_back(key + "=" + value);
  return trace;
}

LeftAlone LauncherProcess::left_alone() const {
  LeftAlone all = left_alone_;
  for (const auto& [began, ended] : ended_lives_) all.spans.push_back({ticks_of(began), ticks_of(ended)});
  // Before the oldest life we know of there may have been any.
  if (forgot_lives_) all.spans.push_back({0, all.spans.front().end_ticks});
  return all;
}

void LauncherProcess::on_stop(LaunchId id, Duration grace) {
  LaunchRecord* record = find(id);
  if (record == nullptr) return;
  using State = LaunchRecord::State;
  if (record->state == State::kQueued) return drop_queued(*record);
  if (record->state != State::kSpawning && record->state != State::kRunning) return;
  grace = std::max(grace, Duration(0));
  StopPlan plan{.interrupt = true, .term_at = now_ + grace / 2, .kill_at = now_ + grace};
  if (record->stop) {
    plan.interrupt = false;
    plan.term_sent = record->stop->term_sent;
    plan.term_at = std::min(plan.term_at, record->stop->term_at);
    plan.kill_at = std::min(plan.kill_at, record->stop->kill_at);
  }
  stop_running(*record, plan);
}

void LauncherProcess::stop_running(LaunchRecord& record, StopPlan plan) {
  if (record.state == LaunchRecord::State::kRunning && plan.interrupt) {
    ::kill(-record.pid, SIGINT);
    plan.interrupt = false;
  }
  plan.next = plan.term_sent ? plan.kill_at : plan.term_at;
  record.stop = plan;
  stopping_.insert(record.request.id);
}

void LauncherProcess::stop_everything(TimePoint term_at, TimePoint kill_at) {
  StopPlan plan{.term_at = term_at, .kill_at = kill_at, .next = term_at};
  purge_ = plan;
  for (auto& [id, record] : records_) {
    using State = LaunchRecord::State;
    if (record->state == State::kSpawning || record->state == State::kRunning) stop_running(*record, plan);
  }
  for (Remains& left : remains_) {
    left.stop.kill_at = std::min(left.stop.kill_at, kill_at);
    left.stop.next = term_at;
  }
}

void LauncherProcess::on_worker_gone() {
  if (worker_gone_) return;
  worker_gone_ = true;
  give_up_at_ = now_ + kGiveUpAfter;
  socket_.reset();
  drop_all_queued();
  stop_everything(now_, now_ + kLastGrace);
}

std::optional<TimePoint> LauncherProcess::next_stop() const {
  std::optional<TimePoint> next;
  auto consider = [&](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (LaunchId id : stopping_) {
    auto found = records_.find(id);
    if (found != records_.end() && found->second->stop) consider(found->second->stop->next);
  }
  for (const Remains& left : remains_) consider(left.stop.next);
  return next;
}

// Sends what is due now to the members.
void LauncherProcess::act(const std::vector<ProcessEntry>& members, pid_t held_group, StopPlan& plan) const {
  int signal = 0;
  if (now_ >= plan.kill_at) {
    signal = SIGKILL;
    plan.next = now_ + kKillAgain;
  } else if (now_ >= plan.term_at && !plan.term_sent) {
    signal = SIGTERM;
    plan.next = plan.kill_at;
  } else {
    plan.next = plan.term_sent ? plan.kill_at : std::min(plan.term_at, plan.kill_at);
  }
  plan.term_sent = plan.term_sent || signal != 0;
  // When everything is being ended, whoever goes first should not be waited for longer than needed.
  if (purge_ && signal != SIGKILL) plan.next = std::min(plan.next, now_ + kLookAgain);
  if (signal == 0) return;
  if (held_group != 0) ::kill(-held_group, signal);
  for (const ProcessEntry& entry : members) {
    if (held_group == 0 || entry.group != held_group) ::kill(entry.pid, signal);
  }
}

void LauncherProcess::kill_spawning(const LaunchRecord& record) {
  for (const auto& thread : threads_) {
    pid_t child = thread->child.load(std::memory_order_relaxed);
    if (thread->spawning && thread->launch == record.request.id && child != 0 && !thread->reaped) {
      ::kill(child, SIGKILL);
    }
  }
}

void LauncherProcess::run_stops() {
  auto due = next_stop();
  if (!due || *due > now_) return;
  // All tasks take part: whose an orphan is can only be said by looking at everybody it may belong to.
  std::vector<LaunchRecord*> running;
  std::vector<TaskTrace> traces;
  for (const auto& [pid, record] : running_) {
    running.push_back(record);
    traces.push_back(trace_of(*record));
  }
  for (const Remains& left : remains_) traces.push_back(left.trace);
  TaskProcesses found = find_task_processes(pid_, list_processes(), traces, left_alone());
  for (size_t i = 0; i < running.size(); ++i) {
    if (running[i]->stop) act(found.of_task[i], running[i]->pid, *running[i]->stop);
  }
  for (size_t i = 0; i < remains_.size(); ++i) {
    const auto& members = found.of_task[running.size() + i];
    remember(remains_[i].trace, members);
    if (!members.empty()) act(members, 0, remains_[i].stop);
  }
  std::erase_if(remains_, [](const Remains& left) { return left.trace.known.empty(); });
  if (purge_) keep_unclear(found.unclear, *purge_);
  for (LaunchId id : stopping_) {
    LaunchRecord* record = find(id);
    if (record == nullptr || !record->stop || record->state != LaunchRecord::State::kSpawning) continue;
    if (now_ >= record->stop->kill_at) kill_spawning(*record);
    record->stop->next = now_ >= record->stop->kill_at ? now_ + kKillAgain : record->stop->kill_at;
  }
}

// Orphans that may belong to several tasks, all of which are being ended.
void LauncherProcess::keep_unclear(const std::vector<ProcessEntry>& unclear, const StopPlan& plan) {
  if (unclear.empty()) return;
  Remains left;
  left.trace.start_ticks = UINT64_MAX;  // the origin of nobody else
  remember(left.trace, unclear);
  left.stop = plan;
  left.stop.term_sent = false;
  left.stop.next = now_;
  remains_.push_back(std::move(left));
}

// Looks for what stopped tasks left behind when their first process ended.
void LauncherProcess::follow_ended() {
  if (ended_.empty()) return;
  std::vector<Remains> ended = std::exchange(ended_, {});
  std::vector<ProcessEntry> all = list_processes();
  for (Remains& left : ended) {
    // Just reaped: whoever is in that session or group now was in it before.
    for (const ProcessEntry& entry : all) {
      bool inside = entry.session == left.trace.root || entry.group == left.trace.root;
      if (inside && entry.pid != left.trace.root) left.trace.known.push_back({entry.pid, entry.start_ticks});
    }
  }
  std::vector<TaskTrace> traces;
  for (const Remains& left : ended) traces.push_back(left.trace);
  for (const auto& [pid, record] : running_) traces.push_back(trace_of(*record));
  for (const Remains& left : remains_) traces.push_back(left.trace);
  TaskProcesses found = find_task_processes(pid_, all, traces, left_alone());
  for (size_t i = 0; i < ended.size(); ++i) {
    if (found.of_task[i].empty()) continue;
    remember(ended[i].trace, found.of_task[i]);
    StopPlan& plan = ended[i].stop;
    plan.next = purge_ ? now_ : plan.term_sent ? plan.kill_at : plan.term_at;
    remains_.push_back(std::move(ended[i]));
  }
  if (purge_) keep_unclear(found.unclear, *purge_);
}

}  // namespace hq
