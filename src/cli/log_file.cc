#include "cli/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "hq/base/log.h"

namespace hq::cli {

namespace {

constexpr size_t kMaxQueued = 10'000;  // lines; beyond them (a dead file system) lines are lost

}  // namespace

// Lines are handed to a thread of its own: a log on a hanging file system must not hold the loop.
struct LogFile::State {
  std::string path;
  size_t max_bytes;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::string> lines;
  bool ended = false;
  std::thread writer;

  void run() {
    UniqueFd file;
    size_t size = 0;
    while (true) {
      std::deque<std::string> batch;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return ended || !lines.empty(); });
        if (lines.empty()) return;
        batch.swap(lines);
      }
      if (!file.valid()) {
        file = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        struct stat facts {};
        size = file.valid() && fstat(file.get(), &facts) == 0 ? size_t(facts.st_size) : 0;
      }
      for (const std::string& line : batch) {
        if (!file.valid()) break;
        if (size + line.size() > max_bytes) {
          (void)std::rename(path.c_str(), (path + ".old").c_str());
          file = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
          size = 0;
        }
        const ssize_t written = ::write(file.get(), line.data(), line.size());
        if (written > 0) size += size_t(written);
      }
    }
  }
};

LogFile::LogFile(std::string path, std::function<void(std::string_view line)> also, size_t max_bytes)
    : state_(std::make_shared<State>()) {
  state_->path = std::move(path);
  state_->max_bytes = max_bytes;
  state_->writer = std::thread([state = state_] { state->run(); });
  log::set_sink([state = state_, also = std::move(also)](log::Level, std::string_view line) {
    if (also) also(line);
    const std::lock_guard lock(state->mutex);
    if (state->lines.size() >= kMaxQueued) return;
    state->lines.emplace_back(line);
    if (state->lines.back().empty() || state->lines.back().back() != '\n') state->lines.back() += '\n';
    state->wake.notify_one();
  });
}

LogFile::~LogFile() {
  log::set_sink({});
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->wake.notify_one();
  state_->writer.join();
}

}  // namespace hq::cli
