// Requests that may hang (a dead mount, a batch system that does not answer), each answered in a thread of
// the pool, so that whoever asks never waits. Threads are begun when they are needed, and outlive the pool
// while they hang.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "hq/base/result.h"
#include "hq/base/signals_blocked.h"
#include "hq/base/unique_fd.h"

namespace hq {

template <class Request, class Answer>
class AnswerThreads {
 public:
  // Called in the threads.
  using Work = std::function<Answer(const Request&)>;

  // Errors: as of eventfd(2).
  [[nodiscard]] static Result<AnswerThreads> make(Work work, size_t most_threads) {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.valid()) return os_error(errno);
    return AnswerThreads(std::make_shared<Room>(std::move(fd), std::move(work)), most_threads);
  }
  AnswerThreads(AnswerThreads&&) noexcept = default;
  AnswerThreads& operator=(AnswerThreads&&) = delete;
  // What waits is not answered any more.
  ~AnswerThreads() {
    if (room_ == nullptr) return;
    std::lock_guard lock(room_->mutex);
    room_->closed = true;
    room_->requests.clear();
    room_->wake.notify_all();
  }

  void ask(Request request) {
    std::lock_guard lock(room_->mutex);
    room_->requests.push_back(std::move(request));
    if (room_->idle < room_->requests.size() && room_->threads < most_threads_) add_thread();
    room_->wake.notify_one();
  }
  std::optional<Answer> next_answer() {
    std::lock_guard lock(room_->mutex);
    if (room_->answers.empty()) return std::nullopt;
    Answer answer = std::move(room_->answers.front());
    room_->answers.pop_front();
    if (room_->answers.empty()) {
      uint64_t number = 0;
      [[maybe_unused]] const ssize_t got = ::read(room_->fd.get(), &number, sizeof number);
    }
    return answer;
  }
  // Readable when next_answer() has something.
  [[nodiscard]] int event_fd() const { return room_->fd.get(); }

 private:
  // Shared with the threads.
  struct Room {
    Room(UniqueFd descriptor, Work function) : fd(std::move(descriptor)), work(std::move(function)) {}
    const UniqueFd fd;
    const Work work;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Request> requests;
    std::deque<Answer> answers;
    size_t threads = 0;
    size_t idle = 0;
    bool closed = false;

    void serve() {
      std::unique_lock lock(mutex);
      while (true) {
        ++idle;
        wake.wait(lock, [&] { return closed || !requests.empty(); });
        --idle;
        if (requests.empty()) return;
        const Request request = std::move(requests.front());
        requests.pop_front();
        lock.unlock();
        Answer answer = work(request);
        lock.lock();
        answers.push_back(std::move(answer));
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(fd.get(), &one, sizeof one);
      }
    }
  };

  AnswerThreads(std::shared_ptr<Room> room, size_t most_threads)
      : room_(std::move(room)), most_threads_(most_threads) {}
  void add_thread() {
    ++room_->threads;
    // Signals are for the thread that decides.
    const SignalsBlocked blocked;
    std::thread([room = room_] { room->serve(); }).detach();
  }

  std::shared_ptr<Room> room_;
  size_t most_threads_;
};

}  // namespace hq
