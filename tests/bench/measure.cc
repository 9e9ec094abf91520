// Runs a command several times and prints a line for each: seconds, user and system seconds, peak memory in
// KiB. A program of its own because exec keeps the memory mark of the process that spawned: a small parent
// measures a small child. The commands' own output is dropped.
// Usage: measure RUNS COMMAND [ARGS...]
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double seconds(const timeval& time) {
  return double(time.tv_sec) + double(time.tv_usec) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: measure RUNS COMMAND [ARGS...]\n");
    return 2;
  }
  const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int run = 0; run < std::atoi(argv[1]); ++run) {
    const auto begin = std::chrono::steady_clock::now();
    const pid_t pid = ::vfork();
    if (pid == 0) {
      ::dup2(null_fd, 0);
      ::dup2(null_fd, 1);
      ::execvp(argv[2], argv + 2);
      ::_exit(127);
    }
    int status = 0;
    rusage used{};
    if (pid < 0 || ::wait4(pid, &status, 0, &used) < 0 || status != 0) {
      std::fprintf(stderr, "measure: '%s' ended with status %d\n", argv[2], status);
      return 1;
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("%.6f %.6f %.6f %ld\n", took, seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss);
  }
}
