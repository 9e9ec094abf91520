#include "os/file_pool.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "hq/base/assert.h"
#include "os/path_work.h"

namespace hq {

namespace {
constexpr unsigned kMostThreads = 32;
constexpr size_t kThreadStack = 512 * 1024;
}  // namespace

FilePool::FilePool(unsigned threads) : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  HQ_ASSERT(ready_.valid());
  for (unsigned i = 0; i < std::max(threads, 1u); ++i) add_thread();
}

void FilePool::add_thread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kThreadStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  auto run = [](void* self) -> void* {
    static_cast<FilePool*>(self)->work();
    return nullptr;
  };
  // Without another thread the work goes on with those there are.
  if (pthread_create(&thread, &attributes, run, this) == 0) ++threads_;
  pthread_attr_destroy(&attributes);
}

void FilePool::submit(FileJob job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  ++under_way_;
  if (sleeping_ > 0) wake_.notify_one();
}

std::deque<FileResult> FilePool::take_results() {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t got = ::read(ready_.get(), &count, sizeof count);
  std::lock_guard lock(mutex_);
  under_way_ -= results_.size();
  return std::exchange(results_, {});
}

bool FilePool::idle() {
  std::lock_guard lock(mutex_);
  return under_way_ == 0;
}

void FilePool::tend() {
  std::lock_guard lock(mutex_);
  bool hanging = !jobs_.empty() && sleeping_ == 0 && finished_ == finished_at_last_look_;
  finished_at_last_look_ = finished_;
  if (hanging && threads_ < kMostThreads) add_thread();
}

void FilePool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (jobs_.empty()) {
      ++sleeping_;
      wake_.wait(lock);
      --sleeping_;
    }
    FileJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    FileResult result = do_file_job(std::move(job));
    lock.lock();
    ++finished_;
    bool first = results_.empty();
    results_.push_back(std::move(result));
    if (first) {
      uint64_t one = 1;
      [[maybe_unused]] ssize_t put = ::write(ready_.get(), &one, sizeof one);
    }
  }
}

FileResult do_file_job(FileJob job) {
  FileResult result;
  switch (job.kind) {
    case FileJob::Kind::kPrepare:
      path_work::prepare(job.prepare, result);
      break;
    case FileJob::Kind::kCleanUp:
      path_work::clean_up(job.clean_up, result);
      break;
    case FileJob::Kind::kRemove:
      path_work::remove(job.path, result);
      break;
  }
  result.job = std::move(job);
  return result;
}

}  // namespace hq
