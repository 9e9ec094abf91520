#include "os/spawn_call.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#if defined(__SANITIZE_ADDRESS__)
#define HQ_NO_SANITIZE __attribute__((no_sanitize("address", "undefined")))
#else
#define HQ_NO_SANITIZE
#endif

namespace hq {

namespace {

struct ChildReport {
  SpawnStep step = SpawnStep::kStarted;
  int errnum = 0;
  size_t candidate = 0;
};

constexpr int kFailedChild = 127;

// Tries one program; returns only on failure, with the errno.
HQ_NO_SANITIZE int exec_one(const SpawnPlan& plan, const char* program) {
  execve(program, plan.argv, plan.envp);
  if (errno != ENOEXEC) return errno;
  plan.sh_argv[1] = const_cast<char*>(program);
  execve("/bin/sh", plan.sh_argv, plan.envp);
  return errno;
}

// As execvp: what is not there is passed over, what may not be executed is remembered, all else ends the
// search.
HQ_NO_SANITIZE int exec_candidates(const SpawnPlan& plan, volatile ChildReport* report) {
  if (plan.first_candidate != 0) {
    report->candidate = plan.first_candidate;
    exec_one(plan, plan.candidates[plan.first_candidate]);
  }
  bool denied = false;
  int error = ENOENT;
  for (size_t i = 0; plan.candidates[i] != nullptr; ++i) {
    report->candidate = i;
    error = exec_one(plan, plan.candidates[i]);
    if (error == EACCES) {
      denied = true;
    } else if (error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV &&
               error != ETIMEDOUT) {
      return error;
    }
  }
  return denied ? EACCES : error;
}

// Whether it is looked for in PATH.
HQ_NO_SANITIZE bool is_plain_name(const char* program) {
  while (*program != '\0' && *program != '/') ++program;
  return *program == '\0';
}

[[noreturn]] HQ_NO_SANITIZE void fail(volatile ChildReport* report, SpawnStep step, int errnum) {
  report->step = step;
  report->errnum = errnum;
  _exit(kFailedChild);
}

// Everything between vfork and exec: system calls only, nothing allocated, nothing of the caller changed but
// the report.
[[noreturn]] __attribute__((noinline)) HQ_NO_SANITIZE void child_path(const SpawnPlan& plan,
                                                                      volatile ChildReport* report,
                                                                      std::atomic<pid_t>& child_pid) {
  const SpawnDefaults& defaults = *plan.defaults;
  child_pid.store(setsid(), std::memory_order_relaxed);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != defaults.launcher) _exit(kFailedChild);  // the launcher died before that call
  if (plan.group_fd >= 0 && write(plan.group_fd, "0", 1) != 1) fail(report, SpawnStep::kGroup, errno);
  if (plan.cpus != nullptr && sched_setaffinity(0, plan.cpus_size, plan.cpus) != 0) {
    fail(report, SpawnStep::kExec, errno);
  }
  if (plan.cwd != nullptr && chdir(plan.cwd) != 0) fail(report, SpawnStep::kDirectory, errno);
  if (plan.stdin_fd >= 0) {
    // A new opening, so that each task reads from the beginning and none can write.
    char path[32] = "/proc/self/fd/";
    char* end = path + 14;
    int rest = plan.stdin_fd;
    int scale = 1;
    while (rest / scale >= 10) scale *= 10;
    for (; scale > 0; scale /= 10) *end++ = static_cast<char>('0' + rest / scale % 10);
    *end = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, 0) < 0) fail(report, SpawnStep::kStdin, errno);
  }
  if (plan.out_fd >= 0) dup2(plan.out_fd, 1);
  if (plan.err_fd >= 0) dup2(plan.err_fd, 2);
  for (const auto& [resource, limit] : defaults.limits) {
    setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }
  for (int signal : defaults.ignored_signals) ::signal(signal, SIG_IGN);
  sigprocmask(SIG_SETMASK, &defaults.signal_mask, nullptr);
  const int errnum = exec_candidates(plan, report);
  const bool in_directory =
      errnum == ENOENT && is_plain_name(plan.argv[0]) && access(plan.argv[0], F_OK) == 0;
  fail(report, in_directory ? SpawnStep::kNotSearched : SpawnStep::kExec, errnum);
}

}  // namespace

SpawnOutcome spawn(const SpawnPlan& plan, std::atomic<pid_t>& child_pid) {
  volatile ChildReport report;
  pid_t pid = vfork();
  if (pid == 0) child_path(plan, &report, child_pid);
  SpawnOutcome outcome;
  if (pid < 0) {
    outcome.step = SpawnStep::kFork;
    outcome.errnum = errno;
    return outcome;
  }
  outcome.step = report.step;
  outcome.errnum = report.errnum;
  outcome.candidate = report.candidate;
  outcome.pid = pid;
  // A child that failed is a zombie of no interest; ECHILD when whoever reaps was faster.
  if (outcome.step != SpawnStep::kStarted) waitpid(pid, nullptr, 0);
  return outcome;
}

}  // namespace hq
