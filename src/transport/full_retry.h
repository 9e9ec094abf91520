// When to wake the owner of a frame that was kFull. The socket's notice that there is room again may have
// been consumed by one of our own calls before the wait, so a timer with growing pauses backs it up.
#pragma once

#include <algorithm>
#include <optional>

#include "hq/base/clock.h"

namespace hq {

class FullRetry {
 public:
  void note_full() { full_ = true; }
  // Asked before each wait; true: the owner should try again now.
  bool due(TimePoint now) {
    if (full_) {
      full_ = false;
      at_ = now + pause_;
      pause_ = std::min(2 * pause_, kLongest);
      return false;
    }
    if (!at_) return false;
    if (now < *at_) return false;
    at_.reset();
    asked_ = true;
    return true;
  }
  // A frame was taken: the next obstacle is a new one.
  void note_sent() {
    if (asked_) pause_ = kShortest;
    asked_ = false;
  }
  [[nodiscard]] std::optional<TimePoint> deadline() const { return at_; }

 private:
  static constexpr Duration kShortest = 1ms;
  static constexpr Duration kLongest = 64ms;
  bool full_ = false;
  bool asked_ = false;
  Duration pause_ = kShortest;
  std::optional<TimePoint> at_;
};

}  // namespace hq
