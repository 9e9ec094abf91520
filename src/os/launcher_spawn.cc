// The launcher's hot path: from a request whose turn has come to a process, and from its end to the report.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr size_t kSpawnsPerTurn = 16;
constexpr size_t kMostTaskCpus = 8192;
constexpr size_t kMostEndedLives = 1024;
constexpr size_t kMostLeftAlone = 4096;

Duration duration_of(const timeval& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

LaunchStage stage_of(SpawnStep failed) {
  if (failed == SpawnStep::kStdin) return LaunchStage::kStdin;
  if (failed == SpawnStep::kGroup) return LaunchStage::kLauncher;
  return failed == SpawnStep::kNotSearched ? LaunchStage::kSpawnNotSearched : LaunchStage::kSpawn;
}

}  // namespace

void LauncherProcess::spawn_ready(LoopThread& self, Lock& lock) {
  for (size_t i = 0; i < kSpawnsPerTurn && !ready_.empty() && leader_ == &self; ++i) {
    LaunchRecord* record = find(ready_.front());
    ready_.pop_front();
    if (record != nullptr && record->state == LaunchRecord::State::kQueued) spawn_one(self, lock, *record);
  }
}

// An errno, and then nothing is open.
int LauncherProcess::open_pipes(LaunchRecord& record) {
  auto open_one = [](UniqueFd& reading, UniqueFd& writing) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
    reading = UniqueFd(ends[0]);
    writing = UniqueFd(ends[1]);
    return 0;
  };
  const LaunchRequest& r = record.request;
  const bool out = r.out.kind == OutputTarget::Kind::kPipe;
  const bool err = r.err.kind == OutputTarget::Kind::kPipe;
  if (!out && !err) return 0;
  auto pipes = std::make_shared<TaskPipes>();
  int error = out ? open_one(pipes->out, record.out) : 0;
  if (error == 0 && err) error = open_one(pipes->err, record.err);
  if (error != 0) {
    if (out) record.out.reset();
    return error;
  }
  record.pipes = std::move(pipes);
  return 0;
}

void LauncherProcess::spawn_one(LoopThread& self, Lock& lock, LaunchRecord& record) {
  if (!record.base->has_arguments()) return fail(record, LaunchStage::kNoArguments, EINVAL);
  SpawnPlan plan;
  int stdin_error = 0;
  plan.stdin_fd = record.base->open_stdin(stdin_error);
  if (stdin_error == EMFILE || stdin_error == ENFILE) {
    retries_[record.request.id] = now_ + 20ms;
    return;
  }
  if (stdin_error != 0) return fail(record, LaunchStage::kStdin, stdin_error);
  const int pipe_error = open_pipes(record);
  if (pipe_error == EMFILE || pipe_error == ENFILE) {
    retries_[record.request.id] = now_ + 20ms;
    return;
  }
  if (pipe_error != 0) return fail(record, LaunchStage::kLauncher, pipe_error);
  fill_plan(self, record, plan);
  std::array<cpu_set_t, kMostTaskCpus / CPU_SETSIZE> cpus;
  if (!record.request.cpus.empty()) {
    CPU_ZERO_S(sizeof cpus, cpus.data());
    for (int cpu : record.request.cpus) {
      if (cpu >= 0) CPU_SET_S(static_cast<size_t>(cpu), sizeof cpus, cpus.data());
    }
    plan.cpus = cpus.data();
    plan.cpus_size = sizeof cpus;
  }
  const UniqueFd group = make_memory_group(record);
  plan.group_fd = group.get();
  record.state = LaunchRecord::State::kSpawning;
  record.spawn_began = now_;
  self.spawning = true;
  self.launch = record.request.id;
  ++self.spawns;
  wake_watcher();

  lock.unlock();
  SpawnOutcome outcome = spawn(plan, self.child);
  lock.lock();

  self.spawning = false;
  now_ = clock();
  on_spawned(self, record, outcome);
  self.child.store(0, std::memory_order_relaxed);
  self.reaped.reset();
  if (leader_ != &self) kick_leader();
}

void LauncherProcess::fill_plan(LoopThread& self, LaunchRecord& record, SpawnPlan& plan) {
  PreparedTemplate& base = *record.base;
  self.envp = base.environment();
  self.env_strings.clear();
  self.candidates.clear();
  self.env_strings.reserve(record.request.env.size());
  const char* own_path = nullptr;
  for (const auto& [key, value] : record.request.env) {
    std::string& variable = self.env_strings.emplace_back();
    variable.reserve(key.size() + value.size() + 1);
    variable.append(key).append(1, '=').append(value);
    if (key == "PATH") own_path = variable.c_str() + 5;
    if (auto index = base.variable_index(key)) {
      self.envp[*index] = variable.data();
    } else {
      self.envp.back() = variable.data();
      self.envp.push_back(nullptr);
    }
  }
  plan.envp = self.envp.data();
  plan.argv = base.argv();
  self.sh_argv = {const_cast<char*>("/bin/sh"), nullptr};
  for (char* const* arg = plan.argv + 1;; ++arg) {
    self.sh_argv.push_back(*arg);
    if (*arg == nullptr) break;
  }
  plan.sh_argv = self.sh_argv.data();
  if (own_path == nullptr) {
    plan.candidates = base.candidates().data();
    plan.first_candidate = base.good_candidate;
  } else {
    self.candidate_strings = program_candidates(plan.argv[0], own_path);
    self.candidates.clear();
    for (const std::string& candidate : self.candidate_strings) self.candidates.push_back(candidate.c_str());
    self.candidates.push_back(nullptr);
    plan.candidates = self.candidates.data();
  }
  plan.cwd = record.request.cwd.empty() ? nullptr : record.request.cwd.c_str();
  plan.out_fd = record.out.get();
  plan.err_fd = record.err.get();
  plan.defaults = &defaults_;
}

void LauncherProcess::on_spawned(LoopThread& self, LaunchRecord& record, const SpawnOutcome& outcome) {
  if (outcome.step != SpawnStep::kStarted) return on_spawn_failed(record, outcome);
  if (self.candidates.empty()) record.base->good_candidate = outcome.candidate;
  release_slot(record);
  record.state = LaunchRecord::State::kRunning;
  record.pid = outcome.pid;
  record.started = now_;
  running_[outcome.pid] = &record;
  if (record.base->memory_limit > 0 && !record.grouped) limited_.insert(record.request.id);
  left_alone_.numbers.erase(outcome.pid);
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kStarted;
  event.id = record.request.id;
  event.pid = outcome.pid;
  event.waited = now_ - record.taken_up;
  event.pipes = std::move(record.pipes);
  report(event, !record.was_successor || record.successors.empty());
  if (self.reaped) return on_exit(record, self.reaped->first, self.reaped->second);
  if (record.stop) stop_running(record, *record.stop);
}

void LauncherProcess::on_spawn_failed(LaunchRecord& record, const SpawnOutcome& outcome) {
  leave_memory_group(record);
  stopping_.erase(record.request.id);
  if (outcome.step != SpawnStep::kDirectory || record.directory_made) {
    return fail(record, stage_of(outcome.step), outcome.errnum);
  }
  // The usual directory is there and may be entered, so nobody asked before; now it has to be made, by a file
  // thread.
  record.directory_made = true;
  record.prepare.make_cwd = true;
  record.state = LaunchRecord::State::kQueued;
  record.files = LaunchRecord::Files::kNeeded;
  release_slot(record);
  if (record.stop || worker_gone_ || fenced_) return drop_queued(record);
  proceed(record);
}

// What the task left running stays its own business, so it must not be taken for another task's later.
void LauncherProcess::remember_left_alone(const LaunchRecord& record) {
  if (::kill(-record.pid, 0) == 0 || errno == EPERM) left_alone_.numbers.insert(record.pid);
  if (left_alone_.numbers.size() > kMostLeftAlone) {
    std::erase_if(left_alone_.numbers, [](pid_t pid) { return ::kill(-pid, 0) != 0 && errno == ESRCH; });
  }
  ended_lives_.emplace_back(record.spawn_began, now_);
  if (ended_lives_.size() > kMostEndedLives) {
    ended_lives_.pop_front();
    forgot_lives_ = true;
  }
}

void LauncherProcess::on_exit(LaunchRecord& record, int status, const rusage& usage) {
  ProcessEvent& event = record.exit;
  event.kind = ProcessEvent::Kind::kExited;
  event.id = record.request.id;
  event.ran = now_ - record.started;
  event.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  event.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  event.usage.user = duration_of(usage.ru_utime);
  event.usage.system = duration_of(usage.ru_stime);
  event.usage.max_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  leave_memory_group(record);
  event.memory_exceeded = record.memory_exceeded;
  limited_.erase(record.request.id);
  running_.erase(record.pid);
  if (record.stop) {
    ended_.push_back({trace_of(record), *record.stop});
    ended_.back().trace.root_held = false;
  } else {
    remember_left_alone(record);
  }
  bool goes_on = !record.successors.empty();
  if (record.request.task_dir.empty()) {
    report(event, !goes_on);
    release_successors(record);
    return erase(record);
  }
  record.state = LaunchRecord::State::kCleaningUp;
  FileJob job;
  job.kind = FileJob::Kind::kCleanUp;
  job.id = record.request.id;
  job.clean_up.task_dir = record.request.task_dir;
  job.clean_up.read_error_file = status != 0;
  files_.submit(std::move(job));
  release_successors(record);
}

}  // namespace hq
