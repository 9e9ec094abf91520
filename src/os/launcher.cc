#include "hq/os/launcher.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "os/launcher_client.h"
#include "os/launcher_process.h"

namespace hq {

ProcessStartState capture_process_start_state() {
  ProcessStartState state;
  for (int i = 0; i < RLIMIT_NLIMITS; ++i) {
    getrlimit(static_cast<__rlimit_resource>(i), &state.limits[static_cast<size_t>(i)]);
  }
  sigprocmask(SIG_SETMASK, nullptr, &state.signal_mask);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      state.ignored_signals.push_back(signal);
    }
  }
  state.umask = ::umask(022);
  ::umask(state.umask);
  for (char** variable = environ; *variable != nullptr; ++variable) state.environment.emplace_back(*variable);
  return state;
}

namespace {

size_t count_threads() {
  std::error_code error;
  size_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    (void)thread;
    ++count;
  }
  return count;
}

}  // namespace

Result<std::unique_ptr<Launcher>> start_launcher(LauncherOptions options) {
  // A fork copies one thread only: a lock held by another would stay held in the launcher.
  HQ_ASSERT(count_threads() <= 1);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return os_error(errno).with_context("Cannot make the socket of the launcher");
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  if (!poll.valid() || ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, ours.get(), &event) != 0) {
    return os_error(errno).with_context("Cannot watch the socket of the launcher");
  }
  pid_t pid = ::fork();
  if (pid < 0) return os_error(errno).with_context("Cannot fork the launcher");
  if (pid == 0) {
    ours.reset();
    poll.reset();
    launcher_main(std::move(theirs), std::move(options));
  }
  return std::unique_ptr<Launcher>(std::make_unique<LauncherClient>(std::move(ours), std::move(poll), pid));
}

}  // namespace hq
