// A worker between a scripted server and a launcher that keeps books. Everything said is encoded and decoded;
// after each turn the worker's invariants hold, and no two running tasks share a CPU.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/random.h"
#include "hq/core/text/placeholders.h"
#include "hq/protocol/worker_codec.h"
#include "hq/worker/worker.h"
#include "support/fake_meter.h"
#include "support/fake_notices.h"
#include "support/fake_output.h"
#include "support/fake_peek.h"

namespace hq {

struct FakeLink {
  DealerChannel::State state = DealerChannel::State::kOpen;
  std::string failure = "Connection reset by peer (os error 104)";
  std::deque<Bytes> to_worker;
  std::deque<Addressed<msg::FromWorker>> from_worker;
  bool full = false;
};

class FakeDealer final : public DealerChannel {
 public:
  explicit FakeDealer(std::shared_ptr<FakeLink> link) : link_(std::move(link)) {}
  ~FakeDealer() override { link_->state = State::kClosed; }
  State state() override { return link_->state; }
  std::string failure() const override { return link_->failure; }
  std::optional<Bytes> receive() override {
    if (link_->to_worker.empty()) return std::nullopt;
    Bytes frame = std::move(link_->to_worker.front());
    link_->to_worker.pop_front();
    return frame;
  }
  SendStatus send(BytesView frame) override {
    if (link_->state == State::kClosed) return SendStatus::kGone;
    if (link_->full) return SendStatus::kFull;
    auto message = decode_from_worker(frame);
    REQUIRE(message);
    link_->from_worker.push_back(*std::move(message));
    return SendStatus::kSent;
  }

 private:
  std::shared_ptr<FakeLink> link_;
};

class FakeNetwork final : public Connector {
 public:
  std::vector<std::shared_ptr<FakeLink>> links;
  DealerChannel::State new_links = DealerChannel::State::kOpen;
  std::optional<Error> error;
  bool full_links = false;  // new ones take nothing

  Result<std::unique_ptr<DealerChannel>> connect() override {
    if (error) return *error;
    links.push_back(std::make_shared<FakeLink>());
    links.back()->state = new_links;
    links.back()->full = full_links;
    return std::unique_ptr<DealerChannel>(std::make_unique<FakeDealer>(links.back()));
  }
  FakeLink& link() { return *links.back(); }
};

class FakeLauncher final : public ProcessPort {
 public:
  struct Process {
    LaunchRequest request;
    enum { kWaiting, kRunning, kEnded } state = kWaiting;
    int stops = 0;
  };
  std::map<TemplateId, LaunchTemplate> templates;
  std::map<LaunchId, Process> processes;
  std::deque<ProcessEvent> events;
  std::vector<std::string> removed_files;
  std::vector<LaunchId> started;  // in order
  std::vector<LaunchId> dropped;
  bool obedient = true;     // tasks end at once when stopped
  bool hold_drops = false;  // drop() is read later
  bool closing = false;     // the worker has ended, its launcher ends what is left

  void define(TemplateId id, const LaunchTemplate& base) override {
    REQUIRE(templates.emplace(id, base).second);
  }
  void forget(TemplateId id) override {
    REQUIRE(templates.erase(id) == 1);
    if (closing) return;
    for (auto& [launch, process] : processes) {
      REQUIRE((process.request.base != id || process.state == Process::kEnded));
    }
  }
  void start(const LaunchRequest& request) override {
    REQUIRE(templates.contains(request.base));
    REQUIRE(processes.emplace(request.id, Process{request}).second);
    if (request.after != LaunchId{}) REQUIRE(processes.contains(request.after));
    begin_if_free(request.id);
  }
  void drop(LaunchId id) override {
    held_drops_.push_back(id);
    if (!hold_drops) read_drops();
  }
  void read_drops() {
    for (LaunchId id : std::exchange(held_drops_, {})) {
      if (processes.at(id).state != Process::kWaiting) continue;
      dropped.push_back(id);
      over(id, {.kind = ProcessEvent::Kind::kDropped, .id = id});
    }
  }
  void stop(LaunchId id, Duration grace) override {
    CHECK(grace == 1s);
    ++processes.at(id).stops;
    if (processes.at(id).state == Process::kWaiting) return drop(id);
    if (obedient && processes.at(id).state == Process::kRunning) end(id, -1, 2);
  }
  void remove_file(const std::string& path) override { removed_files.push_back(path); }
  void flush() override {}
  std::optional<ProcessEvent> next_event() override {
    if (events.empty()) return std::nullopt;
    ProcessEvent event = std::move(events.front());
    events.pop_front();
    return event;
  }
  std::vector<std::string> take_log() override { return {}; }

  ProcessEvent& end(LaunchId id, int code = 0, int signal = 0, Duration ran = 10ms) {
    REQUIRE(processes.at(id).state == Process::kRunning);
    ProcessEvent event{.kind = ProcessEvent::Kind::kExited, .id = id};
    event.ran = ran;
    event.exit_code = code;
    event.signal = signal;
    const size_t at = events.size();
    over(id, event);
    return events[at];
  }
  std::vector<LaunchId> running() const {
    std::vector<LaunchId> ids;
    for (const auto& [id, process] : processes) {
      if (process.state == Process::kRunning) ids.push_back(id);
    }
    return ids;
  }
  std::vector<LaunchId> waiting() const {
    std::vector<LaunchId> ids;
    for (const auto& [id, process] : processes) {
      if (process.state == Process::kWaiting) ids.push_back(id);
    }
    return ids;
  }
  // The task id of a launch.
  uint32_t task(LaunchId id) const { return uint32_t(std::stoul(env(id, "HQ_TASK_ID"))); }
  LaunchId launch_of(uint32_t task_id) const {
    for (auto it = processes.rbegin(); it != processes.rend(); ++it) {
      if (task(it->first) == task_id) return it->first;
    }
    FAIL("no such task was started");
    return {};
  }
  std::string env(LaunchId id, std::string_view name) const {
    for (const auto& [key, value] : processes.at(id).request.env) {
      if (key == name) return value;
    }
    return "";
  }
  std::vector<uint32_t> running_tasks() const { return tasks_of(running()); }
  std::vector<uint32_t> waiting_tasks() const { return tasks_of(waiting()); }
  std::vector<uint32_t> started_tasks() const {
    std::vector<uint32_t> ids;
    for (LaunchId id : started) ids.push_back(task(id));
    return ids;
  }
  void check_invariants() const {
    std::set<std::string> taken;
    for (LaunchId id : running()) {
      std::string labels = env(id, "HQ_CPUS") + ",";
      for (size_t at; (at = labels.find(',')) != std::string::npos; labels.erase(0, at + 1)) {
        if (at > 0) REQUIRE(taken.insert(labels.substr(0, at)).second);
      }
    }
  }

 private:
  std::vector<uint32_t> tasks_of(const std::vector<LaunchId>& ids) const {
    std::vector<uint32_t> tasks;
    for (LaunchId id : ids) tasks.push_back(task(id));
    std::sort(tasks.begin(), tasks.end());
    return tasks;
  }
  void begin_if_free(LaunchId id) {
    Process& process = processes.at(id);
    const LaunchId after = process.request.after;
    if (after != LaunchId{} && processes.at(after).state != Process::kEnded) return;
    process.state = Process::kRunning;
    started.push_back(id);
    events.push_back({.kind = ProcessEvent::Kind::kStarted, .id = id});
  }
  void over(LaunchId id, const ProcessEvent& event) {
    processes.at(id).state = Process::kEnded;
    events.push_back(event);
    for (auto& [other, process] : processes) {
      if (process.request.after == id && process.state == Process::kWaiting) begin_if_free(other);
    }
  }

  std::vector<LaunchId> held_drops_;
};

struct World {
  FakeNetwork network;
  FakeLauncher launcher;
  test::FakeOutput output;
  test::FakePeek peek;
  test::FakeNotices notices;
  test::FakeMeter meter;
  SeededRandom random{7};
  Now now{TimePoint(1000s), WallTime{}};
  std::optional<Duration> fence;
  int fence_calls = 0;
  WorkerOptions options;
  std::unique_ptr<Worker> worker;
  uint64_t sessions = 0;
  std::optional<TimePoint> deadline;

  explicit World(uint32_t cpus = 2) {
    options.config.resources.items.push_back({"cpus", ResourceSpan{0, cpus - 1}});
    options.config.hostname = "n1";
    options.work_dir = "/work";
    options.executable = "/opt/hq";
    options.version = "1.0";
    options.set_fence = [this](std::optional<Duration> within) {
      fence = within;
      ++fence_calls;
    };
    options.last_log_lines = [] { return std::vector<std::string>{"last line"}; };
  }

  ~World() { launcher.closing = true; }

  void start() {
    worker = std::make_unique<Worker>(
        options, WorkerPorts{network, launcher, output, peek, random, notices, meter}, now);
    turn();
  }
  void turn() {
    // Until nothing more comes of it: the launcher answers at once.
    do {
      deadline = worker->turn(now);
      worker->check_invariants();
      launcher.check_invariants();
    } while ((!launcher.events.empty() || output.has_events()) && !worker->finished());
  }
  // Time passes, with a turn at each deadline.
  void advance(Duration duration) {
    const TimePoint end = now.mono + duration;
    while (!worker->finished() && deadline && *deadline <= end) {
      now.mono = std::max(*deadline, now.mono + 1us);
      if (now.mono > end) break;
      turn();
    }
    now.mono = end;
    if (!worker->finished()) turn();
  }
  // Time passes while the worker sleeps.
  void freeze(Duration duration) { now.mono += duration; }

  void say(const msg::ToWorker& message) {
    network.link().to_worker.push_back(encode(SessionId(sessions), message));
    turn();
  }
  void welcome(bool resumable = false, Duration window = 16s, std::vector<msg::HeldTask> unwanted = {}) {
    ++sessions;
    say(msg::Welcome{1, "abcdef", WorkerId(5), window, resumable, 0, std::move(unwanted)});
  }
  // Starts it, takes its hello, welcomes it.
  void register_worker(bool resumable = false, Duration window = 16s) {
    start();
    (void)heard<msg::Hello>();
    welcome(resumable, window);
  }
  // The next thing the worker said; heartbeats only if asked for.
  template <class M>
  M heard() {
    auto& queue = network.link().from_worker;
    if constexpr (!std::is_same_v<M, msg::Heartbeat>) skip_heartbeats();
    REQUIRE(!queue.empty());
    REQUIRE(std::holds_alternative<M>(queue.front().message));
    M message = std::get<M>(std::move(queue.front().message));
    queue.pop_front();
    return message;
  }
  bool said_nothing() {
    skip_heartbeats();
    return network.link().from_worker.empty();
  }
  void skip_heartbeats() {
    auto& queue = network.link().from_worker;
    std::erase_if(queue, [](auto& m) {
      const auto* beat = std::get_if<msg::Heartbeat>(&m.message);
      return beat != nullptr && beat->counter != UINT64_MAX;  // the one after a goodbye
    });
  }
  void answer_heartbeats() {
    auto& queue = network.link().from_worker;
    std::vector<uint64_t> counters;
    for (auto& m : queue) {
      if (auto* beat = std::get_if<msg::Heartbeat>(&m.message)) counters.push_back(beat->counter);
    }
    skip_heartbeats();
    for (uint64_t counter : counters) say(msg::HeartbeatAck{counter});
  }
  void close_link() {
    network.link().state = DealerChannel::State::kClosed;
    turn();
  }
};

// A definition in the making: task(3).cpus(2).priority(1).
struct TaskBuilder {
  msg::Define define;
  TaskDescription task;

  explicit TaskBuilder(uint32_t definition) {
    define.definition = DefinitionId(definition);
    define.job = JobId(1);
    define.job_uid = JobUid(77);
    define.server_uid = "abcdef";
    define.submit_dir = "/home/u";
    define.job_name = "job";
    task.program.args = {"/bin/true"};
    task.program.cwd = "/home/u";
    task.program.stdout_spec = {StdioSpec::Kind::kNull, "", false};
    task.program.stderr_spec = {StdioSpec::Kind::kNull, "", false};
  }
  TaskBuilder& job(uint32_t id) {
    define.job = JobId(id);
    return *this;
  }
  TaskBuilder& cpus(uint64_t n) {
    task.request = ResourceRequest::cpus(n);
    return *this;
  }
  TaskBuilder& priority(int32_t n) {
    task.priority = n;
    return *this;
  }
  TaskBuilder& time_limit(Duration limit) {
    task.time_limit = limit;
    return *this;
  }
  TaskBuilder& memory_limit(uint64_t bytes) {
    task.memory_limit = bytes;
    return *this;
  }
  TaskBuilder& streamed() {
    define.stream_path = "/home/u/log";
    task.program.stdout_spec = {StdioSpec::Kind::kStream, "", false};
    return *this;
  }
  TaskBuilder& min_time(Duration time) {
    task.request.variants[0].min_time = time;
    return *this;
  }
  msg::ToWorker message() const {
    msg::Define result = define;
    result.task = std::make_shared<const TaskDescription>(task);
    return result;
  }
};

inline TaskBuilder task(uint32_t definition) {
  return TaskBuilder(definition);
}

inline msg::Run run(uint32_t definition, uint32_t first, uint32_t last) {
  msg::Run result;
  result.definition = DefinitionId(definition);
  result.ids = {first, last, 1};
  return result;
}
inline msg::Run slot(uint32_t definition, uint32_t id) {
  msg::Run result = run(definition, id, id);
  result.slot = true;
  return result;
}

using Ids = std::vector<uint32_t>;

// Ids of a report's starts and ends.
inline Ids started_in(const msg::Report& report) {
  Ids ids;
  for (const auto& started : report.started) ids.push_back(started.task.value);
  return ids;
}
inline Ids ended_in(const msg::Report& report) {
  Ids ids;
  for (const auto& ended : report.ended) ids.push_back(ended.task.value);
  return ids;
}

}  // namespace hq
