// Which workers the fold has touched lately: whoever remembers what it read about workers need not read all
// of them again.
#pragma once

#include <array>
#include <cstdint>

#include "hq/core/ids.h"

namespace hq {

class RecentWorkers {
 public:
  static constexpr uint64_t kKept = 8192;

  void note(WorkerId worker) { last_[count_++ % kKept] = worker; }
  // How many were noted so far, to be given to for_each_since later.
  [[nodiscard]] uint64_t count() const { return count_; }
  // Calls `f` with each worker that was noted since then, some more than once. False, without a call, when
  // that is too long ago to tell: any may have changed.
  template <class F>
  [[nodiscard]] bool for_each_since(uint64_t count_then, F&& f) const {
    if (count_ - count_then > kKept) return false;
    for (uint64_t n = count_then; n != count_; ++n) f(last_[n % kKept]);
    return true;
  }

 private:
  std::array<WorkerId, kKept> last_{};
  uint64_t count_ = 0;
};

}  // namespace hq
