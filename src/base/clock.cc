#include "hq/base/clock.h"

#include <ctime>

namespace hq {

Now SystemClock::now() {
  timespec mono{};
  timespec wall{};
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  auto ns = [](const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return {TimePoint(Duration(ns(mono))), WallTime{ns(wall)}};
}

}  // namespace hq
