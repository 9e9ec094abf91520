// Tasks per second of the launcher (with successors) beside a bare loop of vfork and wait, in one run,
// because only the ratio means something. Usage: spawn_bench PROGRAM [N] [CONCURRENT] [null|files] [REPEATS]
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "hq/os/launcher.h"

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Setup {
  std::string program;
  unsigned tasks = 5000;
  unsigned concurrent = 2;
  bool files = false;
  std::string directory;
};

double rate(unsigned tasks, SteadyClock::time_point since) {
  return tasks / std::chrono::duration<double>(SteadyClock::now() - since).count();
}

std::string file_name(const Setup& setup, const char* kind, unsigned task) {
  return setup.directory + "/" + kind + std::to_string(task);
}

int open_file(const Setup& setup, const char* kind, unsigned task) {
  if (!setup.files) return -1;
  return open(file_name(setup, kind, task).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

pid_t bare_spawn(const Setup& setup, int out, int err) {
  char* argv[] = {const_cast<char*>(setup.program.c_str()), nullptr};
  pid_t pid = vfork();
  if (pid == 0) {
    if (out >= 0) dup2(out, 1);
    if (err >= 0) dup2(err, 2);
    execve(argv[0], argv, environ);
    _exit(127);
  }
  return pid;
}

double bare_loop(const Setup& setup) {
  auto since = SteadyClock::now();
  unsigned started = 0;
  unsigned ended = 0;
  while (ended < setup.tasks) {
    while (started < setup.tasks && started - ended < setup.concurrent) {
      const int out = open_file(setup, "o", started);
      const int err = open_file(setup, "e", started);
      bare_spawn(setup, out, err);
      if (out >= 0) close(out);
      if (err >= 0) close(err);
      ++started;
    }
    int status = 0;
    if (wait4(-1, &status, 0, nullptr) > 0) ++ended;
  }
  return rate(setup.tasks, since);
}

uint64_t next_id = 1;

// Keeps `ahead` requests in each chain of successors.
double launcher_loop(const Setup& setup, hq::Launcher& launcher) {
  constexpr unsigned kAhead = 64;
  hq::LaunchTemplate base;
  base.args = {setup.program};
  launcher.define(hq::TemplateId(1), base);
  auto since = SteadyClock::now();
  unsigned asked = 0;
  unsigned ended = 0;
  std::vector<uint64_t> last(setup.concurrent, 0);
  while (ended < setup.tasks) {
    // Topped up in batches, as a worker does.
    if (asked - ended < setup.concurrent * kAhead / 2) {
      while (asked < setup.tasks && asked - ended < setup.concurrent * kAhead) {
        hq::LaunchRequest request;
        request.id = hq::LaunchId(next_id++);
        request.base = hq::TemplateId(1);
        request.env = {{"HQ_TASK_ID", std::to_string(asked)}, {"HQ_INSTANCE_ID", "0"}};
        if (setup.files) {
          request.out = {hq::OutputTarget::Kind::kFile, file_name(setup, "o", asked)};
          request.err = {hq::OutputTarget::Kind::kFile, file_name(setup, "e", asked)};
        }
        uint64_t& chain = last[asked % setup.concurrent];
        request.after = hq::LaunchId(chain);
        chain = request.id.value;
        launcher.start(request);
        ++asked;
      }
      launcher.flush();
    }
    pollfd fd{launcher.event_fd(), POLLIN, 0};
    poll(&fd, 1, -1);
    while (auto event = launcher.next_event()) {
      if (event->kind == hq::ProcessEvent::Kind::kExited) ++ended;
      if (event->kind == hq::ProcessEvent::Kind::kFailed ||
          event->kind == hq::ProcessEvent::Kind::kLauncherGone) {
        std::fprintf(stderr, "launch failed: errno %d\n", event->errnum);
        std::exit(1);
      }
    }
  }
  return rate(setup.tasks, since);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: spawn_bench PROGRAM [N] [CONCURRENT] [null|files] [REPEATS]\n");
    return 2;
  }
  Setup setup;
  setup.program = argv[1];
  if (argc > 2) setup.tasks = static_cast<unsigned>(std::atoi(argv[2]));
  if (argc > 3) setup.concurrent = static_cast<unsigned>(std::atoi(argv[3]));
  setup.files = argc > 4 && std::string(argv[4]) == "files";
  int repeats = argc > 5 ? std::atoi(argv[5]) : 5;
  char directory[] = "/tmp/hq-spawn-bench-XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  setup.directory = directory;
  hq::LauncherOptions options;
  options.start_state = hq::capture_process_start_state();
  auto launcher = hq::start_launcher(std::move(options));
  if (!launcher) {
    std::fprintf(stderr, "%s\n", launcher.error().full_text().c_str());
    return 1;
  }
  std::vector<double> ratios;
  for (int i = 0; i < repeats; ++i) {
    double bare = bare_loop(setup);
    double ours = launcher_loop(setup, **launcher);
    ratios.push_back(ours / bare);
    std::printf("bare %.0f/s  launcher %.0f/s  ratio %.3f\n", bare, ours, ours / bare);
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("median ratio %.3f\n", ratios[ratios.size() / 2]);
  std::string clean = "rm -rf " + setup.directory;
  return std::system(clean.c_str()) == 0 ? 0 : 1;
}
