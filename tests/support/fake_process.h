// A launcher without processes. The test (or the simulation) decides what becomes of each request: start,
// end, failure, or nothing at all, which is a program that hangs. In automatic mode each request starts and
// succeeds as soon as it may. Keeps books: what was asked for and is not settled can be looked at, what ended
// is gone.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hq/base/assert.h"
#include "hq/os/process.h"

namespace hq::test {

class FakeProcesses : public ProcessPort {
 public:
  struct Task {
    LaunchRequest request;
    LaunchTemplate base;  // as it was when the request was taken up
    bool its_turn = false;
    bool running = false;
    int32_t pid = 0;
    std::optional<Duration> stop_grace;  // stop() was called while it ran
  };

  // --- what the worker sees ---
  void define(TemplateId id, const LaunchTemplate& base) override {
    queue([this, id, base] { templates_[id] = base; });
  }
  void forget(TemplateId id) override {
    queue([this, id] { templates_.erase(id); });
  }
  void start(const LaunchRequest& request) override {
    queue([this, request] { take(request); });
  }
  void drop(LaunchId id) override {
    queue([this, id] {
      auto task = tasks_.find(id);
      if (task != tasks_.end() && !task->second.running) drop_queued(id);
    });
  }
  void stop(LaunchId id, Duration grace) override {
    queue([this, id, grace] {
      auto task = tasks_.find(id);
      if (task == tasks_.end()) return;
      if (!task->second.running) return drop_queued(id);
      task->second.stop_grace = std::min(grace, task->second.stop_grace.value_or(grace));
      if (obeys_stop) end(id, 0, kInterrupt);
    });
  }
  void remove_file(const std::string& path) override {
    queue([this, path] { removed_files.push_back(path); });
  }
  void flush() override {
    ++flushes;
    if (frozen) return;
    std::deque<std::function<void()>> asked = std::exchange(asked_, {});
    for (auto& action : asked) action();
  }
  std::optional<ProcessEvent> next_event() override {
    if (events_.empty() || frozen) return std::nullopt;
    ProcessEvent event = events_.front();
    events_.pop_front();
    return event;
  }
  std::vector<std::string> take_log() override { return std::exchange(log_, {}); }

  // --- what the test decides ---
  bool automatic = false;   // everything starts and succeeds at once
  bool start_alone = true;  // what may start does start; else only by begin()
  bool obeys_stop = true;   // a stopped task ends at once by SIGINT; else only by end()
  bool frozen = false;      // nothing is taken up and nothing is told
  unsigned flushes = 0;
  std::vector<std::string> removed_files;

  // REQUIRES: its turn has come and it has not started.
  void begin(LaunchId id) {
    Task& task = get(id);
    HQ_ASSERT(task.its_turn && !task.running);
    task.running = true;
    task.pid = next_pid_++;
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kStarted;
    event.id = id;
    event.pid = task.pid;
    events_.push_back(event);
  }
  // REQUIRES: running. An end before the report of its start was read is what real ones do too.
  void end(LaunchId id, int32_t exit_code, int32_t signal = 0, Duration ran = 1ms) {
    HQ_ASSERT(get(id).running);
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kExited;
    event.id = id;
    event.exit_code = signal != 0 ? -1 : exit_code;
    event.signal = signal;
    event.ran = ran;
    event.usage.max_rss_bytes = 1 << 20;
    settle(id, event);
  }
  void fail(LaunchId id, LaunchStage stage, int32_t errnum) {
    HQ_ASSERT(!get(id).running);
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kFailed;
    event.id = id;
    event.stage = stage;
    event.errnum = errnum;
    settle(id, event);
  }
  void tell(ProcessEvent event) { events_.push_back(std::move(event)); }
  // All processes are gone without a word, as when the launcher was killed.
  void die() {
    tasks_.clear();
    asked_.clear();
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kLauncherGone;
    events_.push_back(event);
  }
  void log(std::string text) { log_.push_back(std::move(text)); }

  // --- the books ---
  [[nodiscard]] const std::map<LaunchId, Task>& tasks() const { return tasks_; }
  [[nodiscard]] const std::map<TemplateId, LaunchTemplate>& templates() const { return templates_; }
  [[nodiscard]] std::vector<LaunchId> running() const {
    std::vector<LaunchId> ids;
    for (const auto& [id, task] : tasks_) {
      if (task.running) ids.push_back(id);
    }
    return ids;
  }
  [[nodiscard]] bool nothing_left() const { return tasks_.empty() && events_.empty() && asked_.empty(); }

 private:
  static constexpr int32_t kInterrupt = 2;

  void queue(std::function<void()> action) { asked_.push_back(std::move(action)); }
  Task& get(LaunchId id) {
    auto found = tasks_.find(id);
    HQ_ASSERT(found != tasks_.end());
    return found->second;
  }
  void take(const LaunchRequest& request) {
    bool unknown = !templates_.contains(request.base);
    if (unknown || !used_.insert(request.id).second) {
      ProcessEvent event;
      event.kind = ProcessEvent::Kind::kFailed;
      event.id = request.id;
      event.stage = LaunchStage::kLauncher;
      event.errnum = unknown ? 2 : 17;
      events_.push_back(event);
      return;
    }
    Task& task = tasks_[request.id];
    task.request = request;
    task.base = templates_.at(request.base);
    if (!tasks_.contains(request.after)) take_turn(request.id);
  }
  void take_turn(LaunchId id) {
    Task& task = get(id);
    task.its_turn = true;
    if (task.base.args.empty()) return fail(id, LaunchStage::kNoArguments, 22);
    if (automatic || start_alone) begin(id);
    if (automatic) end(id, 0);
  }
  void drop_queued(LaunchId id) {
    // Successors take its place: behind the one it waited for, or now.
    LaunchRequest request = get(id).request;
    bool its_turn = get(id).its_turn;
    for (auto& [other, task] : tasks_) {
      if (task.request.after == id && !its_turn) task.request.after = request.after;
    }
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kDropped;
    event.id = id;
    settle(id, event);
  }
  void settle(LaunchId id, const ProcessEvent& event) {
    events_.push_back(event);
    tasks_.erase(id);
    std::vector<LaunchId> freed;
    for (const auto& [other, task] : tasks_) {
      if (task.request.after == id && !task.its_turn) freed.push_back(other);
    }
    for (LaunchId next : freed) {
      if (tasks_.contains(next)) take_turn(next);
    }
  }

  std::deque<std::function<void()>> asked_;
  std::deque<ProcessEvent> events_;
  std::vector<std::string> log_;
  std::map<TemplateId, LaunchTemplate> templates_;
  std::map<LaunchId, Task> tasks_;
  std::set<LaunchId> used_;
  int32_t next_pid_ = 1000;
};

}  // namespace hq::test
