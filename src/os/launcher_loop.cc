// The launcher's threads and the turn of the one that leads.
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr Duration kLook = 20ms;  // of the watcher at the leader
constexpr unsigned kLooksBeforeSleep = 50;
constexpr size_t kMostLoopThreads = 64;
constexpr size_t kLoopStack = 512 * 1024;
// For reports that nobody waits for: what comes next is here. Each of them wakes worker and server, and their
// threads.
constexpr Duration kReportDelay = 10ms;
constexpr size_t kReportsAtOnce = 256;
constexpr size_t kMostPipesAtOnce =
    126;  // even, so that the pipes of one task leave together; below SCM_MAX_FD

}  // namespace

TimePoint LauncherProcess::clock() const {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return TimePoint(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

void LauncherProcess::run() {
  {
    Lock lock(mutex_);
    threads_.push_back(std::make_unique<LoopThread>());
    leader_ = threads_.back().get();
    now_ = clock();
    add_loop_thread();
  }
  thread_loop(*threads_.front());
}

// REQUIRES: the lock is held.
void LauncherProcess::add_loop_thread() {
  if (threads_.size() >= kMostLoopThreads) return;
  struct Start {
    LauncherProcess* launcher;
    LoopThread* self;
  };
  threads_.push_back(std::make_unique<LoopThread>());
  auto start = std::make_unique<Start>(Start{this, threads_.back().get()});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kLoopStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    std::unique_ptr<Start> given(static_cast<Start*>(argument));
    given->launcher->thread_loop(*given->self);
  };
  if (pthread_create(&thread, &attributes, run, start.get()) == 0) {
    (void)start.release();
  } else {
    threads_.pop_back();  // without a stand-by a hanging exec delays the others, nothing worse
  }
  pthread_attr_destroy(&attributes);
}

void LauncherProcess::thread_loop(LoopThread& self) {
  Lock lock(mutex_);
  while (true) {
    if (leader_ == &self) {
      turn(self, lock);
    } else {
      stand_by(self, lock);
    }
  }
}

// As the watcher, look at the leader from time to time and replace it when it hangs; else wait to become the
// watcher.
void LauncherProcess::stand_by(LoopThread& self, Lock& lock) {
  if (watcher_ != nullptr && watcher_ != &self) {
    ++idle_threads_;
    standby_wake_.wait(lock, [&] { return watcher_ == nullptr; });
    --idle_threads_;
  }
  watcher_ = &self;
  unsigned quiet_looks = 0;
  while (true) {
    uint64_t activity = activity_;
    const LoopThread* watched = leader_;
    uint64_t spawns = watched->spawns;
    bool was_spawning = watched->spawning;
    if (quiet_looks >= kLooksBeforeSleep && !was_spawning) {
      watcher_sleeps_ = true;
      watcher_wake_.wait(lock, [&] { return !watcher_sleeps_; });
      quiet_looks = 0;
      continue;
    }
    watcher_wake_.wait_for(lock, kLook);
    quiet_looks = activity == activity_ ? quiet_looks + 1 : 0;
    files_.tend();
    if (was_spawning && watched->spawning && watched->spawns == spawns) break;
  }
  leader_ = &self;
  watcher_ = nullptr;
  if (idle_threads_ > 0) {
    standby_wake_.notify_one();
  } else {
    add_loop_thread();
  }
}

void LauncherProcess::wake_watcher() {
  ++activity_;
  if (!watcher_sleeps_) return;
  watcher_sleeps_ = false;
  watcher_wake_.notify_one();
}

void LauncherProcess::kick_leader() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t put = ::write(kick_.get(), &one, sizeof one);
}

void LauncherProcess::turn(LoopThread& self, Lock& lock) {
  send_reports();
  wait_for_input(lock);
  if (!retries_.empty()) retry_waiting(now_);
  if (fence_at_ && now_ >= *fence_at_) {
    fence_at_.reset();
    fenced_ = true;
    drop_all_queued();
    stop_everything(now_, now_ + 1s);
  }
  follow_ended();
  run_stops();
  look_at_memory();
  spawn_ready(self, lock);
  if (leader_ != &self) return;
  if (purge_ && !worker_gone_ && stopping_.empty() && remains_.empty()) purge_.reset();
  exit_if_done();
}

std::optional<TimePoint> LauncherProcess::next_deadline() const {
  if (!ready_.empty() || !ended_.empty()) return now_;
  std::optional<TimePoint> next;
  auto consider = [&](std::optional<TimePoint> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (!socket_full_) consider(report_at_);
  consider(fence_at_);
  consider(give_up_at_);
  if (!stopping_.empty() || !remains_.empty()) consider(next_stop());
  if (!limited_.empty()) consider(next_memory_look_);
  for (const auto& [id, at] : retries_) consider(at);
  return next;
}

void LauncherProcess::wait_for_input(Lock& lock) {
  std::array<pollfd, 4> fds{{{child_signals_.get(), POLLIN, 0},
                             {files_.fd(), POLLIN, 0},
                             {kick_.get(), POLLIN, 0},
                             {socket_.get(), POLLIN, 0}}};
  if (socket_full_) fds[3].events = POLLIN | POLLOUT;
  auto deadline = next_deadline();
  timespec wait{};
  if (deadline) {
    int64_t ns = std::max<int64_t>((*deadline - clock()).count(), 0);
    wait = {ns / 1'000'000'000, ns % 1'000'000'000};
  }
  lock.unlock();
  int ready = ::ppoll(fds.data(), fds.size(), deadline ? &wait : nullptr, nullptr);
  lock.lock();
  now_ = clock();
  if (ready <= 0) return;
  if (fds[0].revents != 0) reap();
  if (fds[1].revents != 0) {
    for (FileResult& result : files_.take_results()) on_file_result(std::move(result));
  }
  if (fds[2].revents != 0) {
    uint64_t count = 0;
    [[maybe_unused]] ssize_t got = ::read(kick_.get(), &count, sizeof count);
  }
  if ((fds[3].revents & POLLOUT) != 0) socket_full_ = false;
  if ((fds[3].revents & ~POLLOUT) != 0) read_commands();
}

void LauncherProcess::read_commands() {
  std::array<char, 64 * 1024> buffer;
  ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return on_worker_gone();
  incoming_.append(buffer.data(), static_cast<size_t>(got));
  while (auto frame = incoming_.next()) {
    launch_wire::Command command;
    // The other end is this very program: what can't be read means that its memory is damaged.
    if (!launch_wire::read_command(*frame, command)) return on_worker_gone();
    on_command(command);
  }
  if (incoming_.broken()) on_worker_gone();
}

void LauncherProcess::on_command(launch_wire::Command& command) {
  using launch_wire::Kind;
  switch (command.kind) {
    case Kind::kDefine:
      return on_define(command.base_id, std::move(command.base));
    case Kind::kForget:
      templates_.erase(command.base_id);
      return;
    case Kind::kStart:
      return on_start(std::move(command.request));
    case Kind::kDrop:
      return on_drop(command.id);
    case Kind::kStop:
      return on_stop(command.id, command.time);
    case Kind::kRemoveFile:
      return on_remove_file(std::move(command.path));
    case Kind::kFence:
      fenced_ = false;
      fence_at_ = command.fence ? std::optional(now_ + *command.fence) : std::nullopt;
      return;
    case Kind::kEvent:
    case Kind::kLog:
      return;
  }
}

void LauncherProcess::reap() {
  std::array<signalfd_siginfo, 4> infos;
  [[maybe_unused]] ssize_t got = ::read(child_signals_.get(), infos.data(), sizeof infos);
  while (true) {
    int status = 0;
    rusage usage{};
    pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (auto found = running_.find(pid); found != running_.end()) {
      on_exit(*found->second, status, usage);
      continue;
    }
    // Else an orphan that came to us, or the child of a thread that is still on its way back from its spawn
    // call.
    for (const auto& thread : threads_) {
      if (thread->spawning && thread->child.load(std::memory_order_relaxed) == pid) {
        thread->reaped.emplace(status, usage);
      }
    }
  }
}

void LauncherProcess::report(const ProcessEvent& event, bool at_once) {
  if (worker_gone_) return;
  if (event.pipes) {
    for (UniqueFd* fd : {&event.pipes->out, &event.pipes->err}) {
      // A number of its own: the event keeps saying which pipes there are until it is written.
      if (fd->valid()) outgoing_fds_.push_back({outgoing_.size(), UniqueFd(fd->get())});
    }
  }
  launch_wire::put_event(outgoing_, event, now_);
  if (event.pipes) {
    (void)event.pipes->out.release();
    (void)event.pipes->err.release();
  }
  TimePoint at = at_once || ++outgoing_reports_ >= kReportsAtOnce ? now_ : now_ + kReportDelay;
  report_at_ = report_at_ ? std::min(*report_at_, at) : at;
}

void LauncherProcess::report_log(const std::string& text) {
  if (worker_gone_) return;
  launch_wire::put_log(outgoing_, text);
  report_at_ = now_;
}

// Sends bytes, with the descriptors that belong to them: never bytes ahead of their descriptors.
ssize_t LauncherProcess::send_some() {
  iovec bytes{outgoing_.data() + outgoing_done_, outgoing_.size() - outgoing_done_};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostPipesAtOnce * sizeof(int))> control;
  const size_t count = std::min(outgoing_fds_.size(), kMostPipesAtOnce);
  if (count > 0) {
    if (outgoing_fds_.size() > count) bytes.iov_len = outgoing_fds_[count].at - outgoing_done_;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; ++i) {
      const int fd = outgoing_fds_[i].fd.get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  const ssize_t put = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put >= 0) outgoing_fds_.erase(outgoing_fds_.begin(), outgoing_fds_.begin() + ptrdiff_t(count));
  return put;
}

void LauncherProcess::send_reports() {
  if (!report_at_ || *report_at_ > now_ || socket_full_ || worker_gone_) return;
  while (outgoing_done_ < outgoing_.size()) {
    const ssize_t put = send_some();
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {
      socket_full_ = true;
      return;
    }
    if (put < 0 && errno == ETOOMANYREFS) {  // the worker has to take some first
      report_at_ = now_ + kReportDelay;
      return;
    }
    if (put < 0) break;  // the worker is gone, which reading tells
    outgoing_done_ += static_cast<size_t>(put);
  }
  outgoing_.clear();
  outgoing_done_ = 0;
  outgoing_fds_.clear();
  outgoing_reports_ = 0;
  report_at_.reset();
}

void LauncherProcess::exit_if_done() {
  if (!worker_gone_) return;
  // What hangs for good (a process in the kernel, a dead mount) is not waited for.
  bool too_long = now_ >= *give_up_at_;
  if (too_long || (records_.empty() && remains_.empty() && ended_.empty() && files_.idle())) _exit(0);
}

}  // namespace hq
