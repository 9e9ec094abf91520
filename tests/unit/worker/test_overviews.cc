// When a worker tells how busy its machine is.
#include "world.h"

using namespace hq;

namespace {

HardwareOverview busy() {
  HardwareOverview out;
  out.cpu_percent = {12.5};
  return out;
}

}  // namespace

TEST_CASE("with an interval the worker measures and tells each time") {
  World w;
  w.options.config.overview_interval = 5s;
  w.register_worker();
  CHECK(w.meter.asked == 1);
  w.meter.measured = busy();
  w.turn();
  CHECK(w.heard<msg::Measured>().overview == busy());

  w.advance(5100ms);
  w.answer_heartbeats();
  CHECK(w.meter.asked == 2);
  w.advance(1s);
  CHECK(w.meter.asked == 2);
}

TEST_CASE("without an interval it measures only while the server wants it") {
  World w;
  w.register_worker();
  w.advance(5s);
  w.answer_heartbeats();
  CHECK(w.meter.asked == 0);

  w.say(msg::MeasureEvery{2s});
  CHECK(w.meter.asked == 1);
  w.advance(2100ms);
  CHECK(w.meter.asked == 2);
  w.say(msg::MeasureEvery{0s});
  w.answer_heartbeats();
  w.advance(5s);
  CHECK(w.meter.asked == 2);
}

TEST_CASE("an interval of its own is not changed by the server") {
  World w;
  w.options.config.overview_interval = 1min;
  w.register_worker();
  w.say(msg::MeasureEvery{2s});
  w.advance(5s);
  CHECK(w.meter.asked == 1);
}

TEST_CASE("a measurement that cannot leave is dropped") {
  World w;
  w.options.config.overview_interval = 5s;
  w.register_worker(true);
  w.close_link();
  w.meter.measured = busy();
  w.turn();
  w.advance(1s);
  (void)w.heard<msg::Hello>();
  w.welcome(true);
  CHECK(w.said_nothing());
}
