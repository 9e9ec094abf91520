// Time as the program sees it. TimePoint is monotonic and means something only inside one process; WallTime
// is for people and files. Decisions get `now` as a parameter; only the edge reads a Clock, once per turn.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace hq {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

struct MonotonicClock {  // a tag for std::chrono; never read directly
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

// Nanoseconds since 1970-01-01 UTC.
struct WallTime {
  int64_t ns = 0;
  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
  friend constexpr WallTime operator+(WallTime t, Duration d) { return {t.ns + d.count()}; }
  friend constexpr WallTime operator-(WallTime t, Duration d) { return {t.ns - d.count()}; }
  friend constexpr Duration operator-(WallTime a, WallTime b) { return Duration(a.ns - b.ns); }
};

// One moment on both scales.
struct Now {
  TimePoint mono{};
  WallTime wall{};
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() = 0;
};

// The machine's clock (CLOCK_BOOTTIME would count suspended time; CLOCK_MONOTONIC is used on purpose, so that
// a suspended node does not see its leases end while it could not answer).
class SystemClock final : public Clock {
 public:
  Now now() override;
};

}  // namespace hq
