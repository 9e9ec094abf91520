// The limit: spawn and wait with the cheapest call that is correct, CONCURRENT children at a time, nothing
// else. Prints the rate in children per second. With "files" each child gets two new output files in
// DIRECTORY, as a task with default output has.
// Usage: bare_loop N CONCURRENT null|files DIRECTORY PROGRAM [ARGS...]
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void die(const char* what) {
  std::fprintf(stderr, "bare_loop: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int new_file(const char* directory, unsigned number, const char* channel) {
  const std::string path = std::string(directory) + "/" + std::to_string(number) + channel;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) die("open");
  return fd;
}

void spawn(char** argv, int out, int err) {
  const pid_t pid = ::vfork();
  if (pid < 0) die("vfork");
  if (pid > 0) return;
  // Shares the parent's memory until exec: only system calls here.
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: bare_loop N CONCURRENT null|files DIRECTORY PROGRAM [ARGS...]\n");
    return 2;
  }
  const auto tasks = static_cast<unsigned>(std::atoi(argv[1]));
  const auto concurrent = static_cast<unsigned>(std::atoi(argv[2]));
  const bool files = std::strcmp(argv[3], "files") == 0;
  const int null_fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null_fd < 0) die("/dev/null");
  const auto begin = std::chrono::steady_clock::now();
  unsigned started = 0;
  for (unsigned ended = 0; ended < tasks; ++ended) {
    for (; started < tasks && started - ended < concurrent; ++started) {
      const int out = files ? new_file(argv[4], started, ".stdout") : null_fd;
      const int err = files ? new_file(argv[4], started, ".stderr") : null_fd;
      spawn(argv + 5, out, err);
      if (files) {
        ::close(out);
        ::close(err);
      }
    }
    int status = 0;
    if (::wait4(-1, &status, 0, nullptr) < 0) die("wait4");
    if (status != 0) {
      std::fprintf(stderr, "bare_loop: a child ended with status %d\n", status);
      return 1;
    }
  }
  std::printf("%.1f\n",
              tasks / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}
