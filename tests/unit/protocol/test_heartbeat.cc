#include <doctest/doctest.h>

#include "hq/protocol/heartbeat.h"

namespace hq {

TEST_CASE(
    "workers that beat at different moments soon beat together, and none waits longer than its interval") {
  const Duration interval = 8s;
  const Duration mark = interval / 32;
  for (int64_t start : {0, 1, 999'999'999, 123'456'789}) {
    const WallTime now{1'700'000'000'000'000'000 + start};
    const Duration wait = until_next_beat(now, interval);
    CHECK(wait <= interval);
    CHECK(wait > interval - mark);
    CHECK((now + wait).ns % mark.count() == 0);
    CHECK(until_next_beat(now + wait, interval) == interval);
  }
}

TEST_CASE("an interval too short to be divided is kept") {
  CHECK(until_next_beat(WallTime{17}, Duration(31)) == Duration(31));
}

}  // namespace hq
