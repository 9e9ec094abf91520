// When a worker sends its next heartbeat.
#pragma once

#include "hq/base/clock.h"

namespace hq {

// At most `interval` from now, on a mark of the wall clock: there are 32 in an interval. Clocks of a cluster
// are kept together, so a server of a thousand idle workers wakes a few times a second and finds many
// heartbeats, not once for each of them (which cost ten times as much). Clocks that are not together only
// spread the beats.
[[nodiscard]] inline Duration until_next_beat(WallTime now, Duration interval) {
  constexpr int kMarks = 32;
  const int64_t mark = interval.count() / kMarks;
  if (mark <= 0) return interval;
  return interval - Duration((now.ns + interval.count()) % mark);
}

}  // namespace hq
