// What threads tell the one that waits for a descriptor.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "hq/base/result.h"
#include "hq/base/unique_fd.h"

namespace hq {

// Shared by all of them, so that it outlives whoever hangs.
template <class Item>
class Mailbox {
 public:
  // Errors: as of eventfd(2).
  [[nodiscard]] static Result<std::shared_ptr<Mailbox>> make() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.valid()) return os_error(errno);
    return std::make_shared<Mailbox>(std::move(fd));
  }
  explicit Mailbox(UniqueFd descriptor) : fd_(std::move(descriptor)) {}

  void put(std::vector<Item> more) {
    std::lock_guard lock(mutex_);
    items_.insert(items_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    make_readable();
  }
  // For something that is found elsewhere.
  void wake() {
    std::lock_guard lock(mutex_);
    make_readable();
  }
  // All there is; the descriptor is not readable any more. Who was woken for something else has to look for
  // that after this call.
  // REQUIRES: `items` is empty.
  void take(std::deque<Item>& items) {
    std::lock_guard lock(mutex_);
    items.swap(items_);
    uint64_t number = 0;
    if (std::exchange(readable_, false)) [[maybe_unused]]
      const ssize_t got = ::read(fd_.get(), &number, sizeof number);
  }
  // Readable since a put() or wake() until the next take().
  [[nodiscard]] int event_fd() const { return fd_.get(); }

 private:
  // Under the lock like the reading: else one that comes between would be lost, or stay for ever.
  void make_readable() {
    const uint64_t one = 1;
    if (!std::exchange(readable_, true)) [[maybe_unused]]
      const ssize_t put = ::write(fd_.get(), &one, sizeof one);
  }

  const UniqueFd fd_;
  std::mutex mutex_;
  std::deque<Item> items_;
  bool readable_ = false;
};

}  // namespace hq
