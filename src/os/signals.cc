#include "hq/os/signals.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <cerrno>

namespace hq {

Result<SignalQueue> SignalQueue::open(const std::vector<int>& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return os_error(errno).with_context("Cannot open a descriptor for signals");
  // Blocked last: a failure before leaves everything as it was.
  if (int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return os_error(error).with_context("Cannot block signals");
  }
  return SignalQueue(std::move(fd));
}

Result<SignalQueue> SignalQueue::open_for_service() {
  return open({SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGXCPU});
}

std::optional<int> SignalQueue::next() {
  signalfd_siginfo info{};
  ssize_t got;
  do {
    got = ::read(fd_.get(), &info, sizeof info);
  } while (got < 0 && errno == EINTR);
  if (got != ssize_t{sizeof info}) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

Result<uint64_t> raise_nofile_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return os_error(errno).with_context("Cannot read the limit of open files");
  }
  if (limit.rlim_cur == limit.rlim_max) return uint64_t{limit.rlim_cur};
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return os_error(errno).with_context("Cannot raise the limit of open files");
  }
  return uint64_t{limit.rlim_cur};
}

}  // namespace hq
