#include "hq/os/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include "hq/base/unique_fd.h"
#include "hq/os/spawn_setup.h"

extern char** environ;

namespace hq {
namespace {

using Steady = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return os_error(errno);
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return os_error(errno);
  return pipe;
}

// The command starts as from a plain shell: own group, nothing blocked, the signals that we ignore at their
// default.
Result<pid_t> spawn(const std::vector<std::string>& argv, const std::string& directory, const Pipe& out,
                    const Pipe& err) {
  SpawnSetup setup;
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&setup.actions, directory.c_str());
  posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&setup.actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, err.write.get(), STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGCHLD}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setpgroup(&setup.attributes, 0);
  posix_spawnattr_setflags(&setup.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> args;
  for (const auto& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, args[0], &setup.actions, &setup.attributes, args.data(), environ);
  if (failed != 0) return os_error(failed);
  return pid;
}

// A started command. If it was not seen to end, the destructor kills its group and takes the zombie.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }

  // True once the process has ended; `result` then has its exit.
  bool ended(CommandOutput& result) {
    if (ended_) return true;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    ended_ = true;
    const bool exited = got == pid_ && WIFEXITED(status);
    result.exit_code = exited ? WEXITSTATUS(status) : -1;
    result.signal = got == pid_ && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return true;
  }

 private:
  pid_t pid_;
  bool ended_ = false;
};

// Appends all that can be read now; closes `fd` at end of file. At most `room` bytes are taken.
void drain(UniqueFd& fd, std::string& to, size_t room) {
  std::array<char, 65536> buffer{};
  while (fd.valid() && room > 0) {
    const ssize_t n = ::read(fd.get(), buffer.data(), std::min(buffer.size(), room));
    if (n > 0) {
      to.append(buffer.data(), static_cast<size_t>(n));
      room -= static_cast<size_t>(n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      fd.reset();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

int wait_milliseconds(Steady::time_point deadline, bool pipes_open) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Steady::now()).count() + 1;
  // An end without end of file (a background process holds the pipe) is noticed by looking.
  const int64_t pause = pipes_open ? 50 : 1;
  return static_cast<int>(std::max<int64_t>(0, std::min<int64_t>(left, pause)));
}

}  // namespace

Result<CommandOutput> run_command(const std::vector<std::string>& argv, Duration timeout,
                                  const std::string& directory) {
  HQ_ASSERT(!argv.empty());
  Result<Pipe> out = make_pipe();
  if (!out) return out.error();
  Result<Pipe> err = make_pipe();
  if (!err) return err.error();
  const Steady::time_point deadline = Steady::now() + timeout;
  Result<pid_t> pid = spawn(argv, directory, *out, *err);
  if (!pid) return pid.error();
  out->write.reset();
  err->write.reset();

  Child child(*pid);
  CommandOutput result;
  while (true) {
    const bool ended = child.ended(result);  // looked at first: what is read below is then all of it
    drain(out->read, result.out, kCommandOutputLimit + 1 - result.out.size() - result.err.size());
    drain(err->read, result.err, kCommandOutputLimit + 1 - result.out.size() - result.err.size());
    if (result.out.size() + result.err.size() > kCommandOutputLimit) {
      return Error(
          fmt::format("`{}` wrote more than {} MiB", fmt::join(argv, " "), kCommandOutputLimit >> 20));
    }
    if (ended) return result;
    if (Steady::now() >= deadline) {
      const double seconds = std::chrono::duration<double>(timeout).count();
      return Error(fmt::format("`{}` did not end within {} s", fmt::join(argv, " "), seconds));
    }
    std::array<pollfd, 2> polled{pollfd{out->read.get(), POLLIN, 0}, pollfd{err->read.get(), POLLIN, 0}};
    const bool pipes_open = out->read.valid() || err->read.valid();
    ::poll(polled.data(), polled.size(), wait_milliseconds(deadline, pipes_open));
  }
}

Result<std::string> run_for_output(const std::vector<std::string>& argv, Duration timeout) {
  Result<CommandOutput> done = run_command(argv, timeout);
  if (!done) return done.error();
  if (done->succeeded()) return std::move(done->out);
  const std::string how = done->signal != 0 ? fmt::format("was ended by signal {}", done->signal)
                                            : fmt::format("exited with code {}", done->exit_code);
  const std::string first_line = done->err.substr(0, done->err.find('\n'));
  return Error(
      fmt::format("`{}` {}{}{}", fmt::join(argv, " "), how, first_line.empty() ? "" : ": ", first_line));
}

}  // namespace hq
