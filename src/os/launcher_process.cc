#include "os/launcher_process.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace hq {

namespace {

constexpr int kSocketPlace = 3;
constexpr int kExitUnable = 70;
// Beside outputs: standard streams, socket, signals, wake-ups, what a file thread opens for itself, stdin
// data.
constexpr uint64_t kDescriptorsForUs = 40;
constexpr size_t kMostSlots = 1024;
constexpr size_t kMostAhead = 128;

size_t slots_for(uint64_t descriptors) {
  if (descriptors < kDescriptorsForUs + 4) return 1;
  return std::min<size_t>(kMostSlots, (descriptors - kDescriptorsForUs) / 2);
}

sigset_t child_signal_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

SpawnDefaults defaults_from(const ProcessStartState& state) {
  SpawnDefaults defaults;
  defaults.launcher = getpid();
  defaults.signal_mask = state.signal_mask;
  // The other ignored signals are ignored by the launcher too, which its children inherit.
  if (std::count(state.ignored_signals.begin(), state.ignored_signals.end(), SIGCHLD) > 0) {
    defaults.ignored_signals.push_back(SIGCHLD);
  }
  for (int i = 0; i < RLIMIT_NLIMITS; ++i) {
    rlimit now{};
    const rlimit& wanted = state.limits[static_cast<size_t>(i)];
    if (getrlimit(static_cast<__rlimit_resource>(i), &now) == 0 && now.rlim_cur != wanted.rlim_cur) {
      defaults.limits.emplace_back(i, wanted);
    }
  }
  return defaults;
}

void restore_signals(const ProcessStartState& state) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) {
    bool ignored = std::count(state.ignored_signals.begin(), state.ignored_signals.end(), signal) > 0;
    // An ignored SIGCHLD would take the zombies away before we could read them.
    ::signal(signal, ignored && signal != SIGCHLD ? SIG_IGN : SIG_DFL);
  }
}

void restore_limits(const ProcessStartState& state) {
  for (int i = 0; i < RLIMIT_NLIMITS; ++i) {
    rlimit now{};
    if (getrlimit(static_cast<__rlimit_resource>(i), &now) != 0) continue;
    now.rlim_cur = std::min(state.limits[static_cast<size_t>(i)].rlim_cur, now.rlim_max);
    // What can't be set here is tried again in each child (SpawnDefaults::limits).
    setrlimit(static_cast<__rlimit_resource>(i), &now);
  }
}

// Closes descriptors from `first` on; kernels before 5.9 have no call for that.
void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
  std::vector<int> open_ones;
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    int fd = std::atoi(item.path().filename().c_str());
    if (fd >= static_cast<int>(first)) open_ones.push_back(fd);
  }
  for (int fd : open_ones) ::close(fd);
}

// Leaves the null device as 0 to 2 and the socket; false when that is not possible.
bool arrange_descriptors(UniqueFd& socket) {
  UniqueFd moved(::fcntl(socket.get(), F_DUPFD_CLOEXEC, kSocketPlace + 1));
  if (!moved.valid() || ::dup3(moved.get(), kSocketPlace, O_CLOEXEC) < 0) return false;
  (void)socket.release();
  (void)moved.release();
  close_from(kSocketPlace + 1);
  socket = UniqueFd(kSocketPlace);
  for (int fd = 0; fd < kSocketPlace; ++fd) {
    UniqueFd null(::open("/dev/null", (fd == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC));
    if (!null.valid()) return false;
    if (null.get() == fd) {
      (void)null.release();
      ::fcntl(fd, F_SETFD, 0);
    } else if (::dup2(null.get(), fd) < 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

LauncherProcess::LauncherProcess(UniqueFd socket, LauncherOptions options)
    : pid_(getpid()),
      socket_(std::move(socket)),
      kick_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      base_environment_(std::move(options.start_state.environment)),
      defaults_(defaults_from(options.start_state)),
      files_(*new FilePool(options.file_threads)),
      memory_groups_(std::move(options.memory_groups)) {
  sigset_t set = child_signal_set();
  child_signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  HQ_ASSERT(kick_.valid() && child_signals_.valid());
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  most_slots_ = slots_for(limit.rlim_cur);
  most_ahead_ = std::min(kMostAhead, most_slots_ / 4);
}

void launcher_main(UniqueFd socket, LauncherOptions options) {
  setsid();
  prctl(PR_SET_NAME, "hq-launcher");
  restore_signals(options.start_state);
  restore_limits(options.start_state);
  ::umask(options.start_state.umask);
  // Without these two the promise that nothing outlives the worker could not be kept.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !arrange_descriptors(socket)) _exit(kExitUnable);
  auto* launcher = new LauncherProcess(std::move(socket), std::move(options));
  launcher->run();
}

}  // namespace hq
