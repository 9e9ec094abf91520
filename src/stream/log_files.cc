// The threads behind the log files.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "hq/base/mailbox.h"
#include "hq/base/signals_blocked.h"
#include "hq/stream/log_store.h"
#include "stream/log_file.h"

namespace hq {

namespace {

constexpr Duration kLogCloseWait = 5s;
constexpr Duration kRestAfter = 1s;     // without a batch: the file gets its index
constexpr Duration kForgetAfter = 60s;  // without a batch: the thread ends; the next batch starts it again
constexpr uint64_t kRecordsForIndex = 1024;
constexpr size_t kBatchesAtOnce = 64;

using Done = Mailbox<LogBatchDone>;

// One file and its thread.
class FileThread : public std::enable_shared_from_this<FileThread> {
 public:
  FileThread(LogPlace place, std::shared_ptr<Done> done) : file_(std::move(place)), done_(std::move(done)) {}

  void append(LogBatchId id, Bytes records) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(id, std::move(records));
    if (!runs_) start();
    wake_.notify_one();
  }
  void close() {
    std::lock_guard lock(mutex_);
    closing_ = true;
    wake_.notify_one();
  }
  // Has had nothing to do for long.
  [[nodiscard]] bool resting() {
    std::lock_guard lock(mutex_);
    return !runs_ && waiting_.empty();
  }
  bool wait_closed(Duration most) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, most, [&] { return !runs_; });
  }

 private:
  // REQUIRES: the lock is held.
  void start() {
    runs_ = true;
    // Signals are for the thread that decides.
    const SignalsBlocked blocked;
    std::thread([self = shared_from_this()] { self->work(); }).detach();
  }

  void work() {
    std::unique_lock lock(mutex_);
    bool rested = false;
    while (true) {
      const bool came = wake_.wait_for(lock, rested ? kForgetAfter : kRestAfter,
                                       [&] { return !waiting_.empty() || closing_; });
      if (waiting_.empty()) {
        lock.unlock();
        if (file_.wants_index(closing_ || rested ? 1 : kRecordsForIndex)) file_.put_index();
        lock.lock();
        if (!waiting_.empty()) continue;
        if (closing_ || (!came && rested)) break;
        rested = true;
        continue;
      }
      rested = false;
      std::vector<std::pair<LogBatchId, Bytes>> batches;
      while (!waiting_.empty() && batches.size() < kBatchesAtOnce) {
        batches.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      lock.unlock();
      done_->put(file_.keep(batches));
      lock.lock();
    }
    runs_ = false;
    ended_.notify_all();
  }

  LogFile file_;  // the thread's own
  const std::shared_ptr<Done> done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<std::pair<LogBatchId, Bytes>> waiting_;
  std::atomic<bool> closing_{false};
  bool runs_ = false;
};

class ThreadedLogFiles final : public LogFiles {
 public:
  explicit ThreadedLogFiles(std::shared_ptr<Done> done) : done_(std::move(done)) {}
  ThreadedLogFiles(const ThreadedLogFiles&) = delete;
  ThreadedLogFiles& operator=(const ThreadedLogFiles&) = delete;
  ~ThreadedLogFiles() override {
    for (auto& [place, file] : files_) file->close();
    const auto until = std::chrono::steady_clock::now() + kLogCloseWait;
    for (auto& [place, file] : files_) {
      (void)file->wait_closed(std::max<Duration>(until - std::chrono::steady_clock::now(), 0ns));
    }
  }

  void append(LogBatchId id, const LogPlace& place, Bytes records) override {
    if (!files_.contains(place)) {
      // One that rests is complete; its next batch opens it again.
      std::erase_if(files_, [](const auto& item) { return item.second->resting(); });
    }
    auto& file = files_[place];
    if (!file) file = std::make_shared<FileThread>(place, done_);
    file->append(id, std::move(records));
  }
  std::optional<LogBatchDone> next_done() override {
    if (taken_.empty()) done_->take(taken_);
    if (taken_.empty()) return std::nullopt;
    LogBatchDone batch = std::move(taken_.front());
    taken_.pop_front();
    return batch;
  }
  [[nodiscard]] int event_fd() const override { return done_->event_fd(); }

 private:
  const std::shared_ptr<Done> done_;
  std::map<LogPlace, std::shared_ptr<FileThread>> files_;
  std::deque<LogBatchDone> taken_;
};

}  // namespace

Result<std::unique_ptr<LogFiles>> make_log_files() {
  auto done = Done::make();
  if (!done) return std::move(done.error()).with_context("Cannot watch the log files");
  return std::unique_ptr<LogFiles>(std::make_unique<ThreadedLogFiles>(std::move(*done)));
}

}  // namespace hq
