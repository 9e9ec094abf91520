#include <doctest/doctest.h>
#include <poll.h>

#include "hq/os/meter_thread.h"

using namespace hq;

TEST_CASE("this machine is measured in the background") {
  auto meter = make_meter_thread({});
  REQUIRE(meter);
  CHECK_FALSE((*meter)->take());

  for (int i = 0; i < 2; ++i) {
    (*meter)->ask();
    pollfd ready{(*meter)->event_fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 10'000) == 1);
    const auto overview = (*meter)->take();
    REQUIRE(overview);
    CHECK_FALSE(overview->cpu_percent.empty());
    CHECK(overview->memory.total > 0);
    CHECK_FALSE(overview->nvidia);
    CHECK_FALSE((*meter)->take());
    CHECK(::poll(&ready, 1, 0) == 0);
  }
}
