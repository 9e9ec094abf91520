// `hq worker deploy-ssh`: a worker on each machine of a file, kept in the foreground.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

#include "cli/commands/hostfile.h"
#include "cli/commands/live_line.h"
#include "cli/commands/service_commands.h"
#include "hq/base/log.h"
#include "hq/os/spawn_setup.h"

extern char** environ;

namespace hq::cli {
namespace {

// The ssh processes. They stay in our process group, so that Ctrl-C reaches them too.
class SshProcesses {
 public:
  // Says on a terminal how many there are, unless their own output stands there.
  SshProcesses(bool show_output, const CommandContext& context, Output& output)
      : show_output_(show_output), line_(context, output) {
    // Waited for in wait(); blocked before the first start, so that none is missed.
    sigemptyset(&signals_);
    for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, number);
    sigprocmask(SIG_BLOCK, &signals_, &before_);
  }
  SshProcesses(const SshProcesses&) = delete;
  SshProcesses& operator=(const SshProcesses&) = delete;
  ~SshProcesses() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

  Result<void> start(const SshHost& host, const std::vector<std::string>& argv);
  // Until all have ended; true if all ended well. A signal that ends us ends them first.
  bool wait();

 private:
  Result<pid_t> spawn(const std::vector<std::string>& argv) const;
  void reap();
  int next_signal();
  void show();
  [[noreturn]] void end_by(int signal_number);

  bool show_output_;
  bool all_well_ = true;
  sigset_t signals_{};
  sigset_t before_{};
  std::map<pid_t, std::string> running_;  // host by process
  size_t started_ = 0;
  LiveLine line_;
};

Result<pid_t> SshProcesses::spawn(const std::vector<std::string>& argv) const {
  SpawnSetup setup;
  posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!show_output_) {
    posix_spawn_file_actions_addopen(&setup.actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&setup.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawnattr_setsigmask(&setup.attributes, &before_);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, words[0], &setup.actions, &setup.attributes, words.data(), environ);
  if (failed != 0) return os_error(failed);
  return pid;
}

Result<void> SshProcesses::start(const SshHost& host, const std::vector<std::string>& argv) {
  auto pid = spawn(argv);
  if (!pid) return std::move(pid.error()).with_context("Cannot start ssh for `" + host.text() + "`");
  running_.emplace(*pid, host.text());
  ++started_;
  log::info("Started worker process at `" + host.text() + "`");
  return {};
}

void SshProcesses::reap() {
  int status = 0;
  while (true) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    auto ended = running_.find(pid);
    if (ended == running_.end()) continue;
    const std::string host = std::move(ended->second);
    running_.erase(ended);
    line_.erase();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      log::info(fmt::format("Worker at `{}` has ended successfully", host));
      continue;
    }
    all_well_ = false;
    const std::string how = WIFEXITED(status)
                                ? fmt::format("Worker exited with code {}", WEXITSTATUS(status))
                                : fmt::format("Worker was killed by signal {}", WTERMSIG(status));
    log::error(fmt::format("Worker at `{}` has ended with an error: {}", host, how));
  }
}

void SshProcesses::end_by(int signal_number) {
  line_.erase();
  for (const auto& [pid, host] : running_) kill(pid, SIGTERM);
  signal(signal_number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal_number);
  raise(signal_number);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  _exit(128 + signal_number);
}

void SshProcesses::show() {
  line_.draw(fmt::format("{} of {} workers running", running_.size(), started_));
}

// The next of our signals; 0 or less if none has come, but the line is due.
int SshProcesses::next_signal() {
  const auto due = started_ > 1 && !show_output_ ? line_.due() : std::nullopt;
  if (!due) return sigwaitinfo(&signals_, nullptr);
  const Duration left = std::max(*due - SystemClock().now().mono, Duration::zero());
  const timespec timeout{time_t(left / 1s), long((left % 1s).count())};
  const int number = sigtimedwait(&signals_, nullptr, &timeout);
  if (number < 0 && errno == EAGAIN) show();
  return number;
}

bool SshProcesses::wait() {
  while (true) {
    reap();
    if (running_.empty()) return all_well_;
    const int number = next_signal();
    if (number > 0 && number != SIGCHLD) end_by(number);
  }
}

Result<std::vector<SshHost>> load_hosts(const std::string& path, LocalFiles& files) {
  const LocalFiles::Content content = files.read(path);
  auto hosts = content.errnum == 0 ? parse_hostfile(content.bytes) : os_error(content.errnum);
  if (hosts || content.errnum == 0) return hosts;
  return std::move(hosts.error()).with_context("Cannot load hostfile from " + path);
}

Result<void> deploy(const DeployOptions& options, const CommandContext& context, Output& output) {
  auto hosts = load_hosts(options.hostfile, *context.files);
  if (!hosts) return hosts.error();
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return os_error(failed.value()).with_context("Cannot find the path of this program");
  SshProcesses processes(options.show_output, context, output);
  bool all_started = true;
  for (const SshHost& host : *hosts) {
    auto started = processes.start(host, ssh_command(host, program, options.worker_args));
    if (started) continue;
    all_started = false;
    log::error(started.error().full_text());
  }
  const bool all_well = processes.wait();
  log::info("All workers have finished");
  if (all_well && all_started) return {};
  return Error("Some workers have ended with an error");
}

}  // namespace

int run_worker_deploy_ssh(const DeployOptions& options, const CommandContext& context, Output& output) {
  if (auto done = deploy(options, context, output); !done) return output.print_error(done.error());
  return output.finish();
}

}  // namespace hq::cli
