// A program for the launcher's tests: behaves as its first argument says.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "hq/os/launcher.h"

namespace {

void write_pid(const char* path) {
  std::string temporary = std::string(path) + ".part";
  FILE* file = std::fopen(temporary.c_str(), "w");
  if (file == nullptr) std::exit(9);
  std::fprintf(file, "%d\n", static_cast<int>(getpid()));
  std::fclose(file);
  std::rename(temporary.c_str(), path);
}

[[noreturn]] void sleep_for_ever() {
  while (true) pause();
}

// Two forks and a session in between: nothing but the launcher's tree connects it with its origin.
void daemonize(const char* path, bool ignore_signals) {
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    if (ignore_signals) {
      signal(SIGINT, SIG_IGN);
      signal(SIGTERM, SIG_IGN);
    }
    char* nothing[] = {nullptr};
    execle("/proc/self/exe", "daemon", "just-sleep", path, nullptr, nothing);
    _exit(9);
  }
}

// As many bytes, really there.
char* take_memory(const char* mebibytes) {
  const size_t bytes = size_t(std::atoi(mebibytes)) << 20;
  auto* memory = static_cast<char*>(std::malloc(bytes));
  if (memory == nullptr) std::exit(9);
  std::memset(memory, 1, bytes);
  return memory;
}

int print_state() {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  struct sigaction pipe {};
  sigaction(SIGPIPE, nullptr, &pipe);
  struct sigaction usr1 {};
  sigaction(SIGUSR1, nullptr, &usr1);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  mode_t mask_bits = umask(0);
  std::printf(
      "usr2-blocked=%d int-blocked=%d pipe-ignored=%d usr1-ignored=%d nofile=%lu umask=%o leader=%d\n",
      sigismember(&mask, SIGUSR2), sigismember(&mask, SIGINT), pipe.sa_handler == SIG_IGN,
      usr1.sa_handler == SIG_IGN, static_cast<unsigned long>(files.rlim_cur), mask_bits,
      getsid(0) == getpid() && getpgrp() == getpid());
  return 0;
}

// Starts a launcher with one task, which makes a daemon, and waits to be killed.
int be_a_worker(char** argv) {
  hq::LauncherOptions options;
  options.start_state = hq::capture_process_start_state();
  auto launcher = hq::start_launcher(std::move(options));
  if (!launcher) return 8;
  hq::LaunchTemplate base;
  base.args = {argv[2], "daemon-and-sleep", argv[3], argv[4]};
  (*launcher)->define(hq::TemplateId(1), base);
  hq::LaunchRequest request;
  request.id = hq::LaunchId(1);
  request.base = hq::TemplateId(1);
  request.task_dir = argv[5];
  (*launcher)->start(request);
  (*launcher)->flush();
  sleep_for_ever();
}

}  // namespace

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "";
  if (what == "state") return print_state();
  if (what == "ignore-and-sleep") {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    write_pid(argv[2]);
    sleep_for_ever();
  }
  if (what == "daemon-and-sleep") {
    daemonize(argv[3], true);
    write_pid(argv[2]);
    sleep_for_ever();
  }
  if (what == "daemon-and-exit") {
    daemonize(argv[2], false);
    return 0;
  }
  if (what == "worker") return be_a_worker(argv);
  if (what == "take-memory") {  // MEBIBYTES CHILDREN PIDFILE: the children share it
    const char* memory = take_memory(argv[2]);
    for (int i = std::atoi(argv[3]); i > 0; --i) {
      if (fork() == 0) sleep_for_ever();
    }
    if (memory[0] == 1) write_pid(argv[4]);
    sleep_for_ever();
  }
  if (what == "give-memory-to-children") {  // MEBIBYTES CHILDREN
    for (int i = std::atoi(argv[3]); i > 0; --i) {
      if (fork() == 0 && take_memory(argv[2])[0] == 1) sleep_for_ever();
    }
    sleep_for_ever();
  }
  if (what == "just-sleep") {
    write_pid(argv[2]);
    sleep_for_ever();
  }
  return 64;
}
