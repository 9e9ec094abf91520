#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

#include "hq/base/random.h"
#include "hq/core/text/duration_text.h"
#include "message.h"

using namespace hq;

namespace {

const std::string kPrefix =
    "Could not parse PBS walltime. Use either `HH:MM:SS` or humantime format (2hours): ";

}  // namespace

TEST_CASE("durations are read in clock form") {
  CHECK(*parse_duration("60") == 60s);
  CHECK(*parse_duration("1:30:00") == 90min);
  CHECK(*parse_duration("80:02") == 80min + 2s);
  CHECK(*parse_duration("1_0") == 10s);
  CHECK(*parse_duration("0") == 0s);
}

TEST_CASE("durations are read in human form") {
  CHECK(*parse_duration("2h 30m") == 150min);
  CHECK(*parse_duration("2hours5min") == 125min);
  CHECK(*parse_duration("30m2h") == 150min);
  CHECK(*parse_duration("1.5h") == 90min);
  CHECK(*parse_duration("0.5m") == 30s);
  CHECK(*parse_duration("1m 1m") == 2min);
  CHECK(*parse_duration("5M") == 5 * 2630016s);
  CHECK(*parse_duration("1y") == 31557600s);
  CHECK(*parse_duration("1w") == 7 * 24h);
  CHECK(*parse_duration("3µs") == 3us);
  CHECK(*parse_duration("20 min 17 nsec ") == 20min + 17ns);
  CHECK(*parse_duration("0.000000001s") == 1ns);
  CHECK(*parse_human_duration("0") == 0s);
  CHECK(*parse_human_duration("200ms") == 200ms);
}

TEST_CASE("a bad duration says what is wrong and where") {
  CHECK(message(parse_duration("x")) == kPrefix + "NumberExpected(0)");
  CHECK(message(parse_duration("1.5")) == kPrefix + "UnknownUnit { start: 3, end: 3, unit: \"\", value: 1 }");
  CHECK(message(parse_duration("1:2:3:4")) == kPrefix + "InvalidCharacter(1)");
  CHECK(message(parse_duration("10:")) == kPrefix + "InvalidCharacter(2)");
  CHECK(message(parse_duration("1y2x")) ==
        kPrefix + "UnknownUnit { start: 3, end: 4, unit: \"x\", value: 2 }");
  CHECK(message(parse_duration("1h30")) ==
        kPrefix + "UnknownUnit { start: 4, end: 4, unit: \"\", value: 30 }");
  CHECK(message(parse_duration("")) == kPrefix + "Empty");
  CHECK(message(parse_human_duration("5")) == "time unit needed, for example 5sec or 5ms");
  for (const std::string bad : {".5h", "1.h", "1:-30", " 60", "60 ", "-5s", "1000y", "0.1ns",
                                "99999999999999999999s", "4294967296", "1:4294967296"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("durations are printed in items") {
  CHECK(duration_text(0s) == "0s");
  CHECK(duration_text(7 * 24h) == "7days");
  CHECK(duration_text(31 * 24h) == "1month 13h 26m 24s");
  CHECK(duration_text(1500s) == "25m");
  CHECK(duration_text(31557600s + 2 * 2630016s + 3 * 24h + 4h + 5min + 6s + 7ms + 8us + 9ns) ==
        "1year 2months 3days 4h 5m 6s 7ms 8us 9ns");
  CHECK(short_duration_text(3h + 5min + 7s) == "3h 5m");
  CHECK(short_duration_text(2min + 3s + 4ms) == "2m 3s");
  CHECK(short_duration_text(1500ms + 3us) == "1s 500ms");
  CHECK(short_duration_text(3us) == "0s");
  CHECK(short_duration_text(-1ns) == "Invalid duration");
}

TEST_CASE("a printed duration is read back as the same") {
  SeededRandom random(3);
  for (int i = 0; i < 2000; ++i) {
    const Duration duration(int64_t(random.next() >> (1 + random.below(63))));
    const auto back = parse_human_duration(duration_text(duration));
    REQUIRE(back);
    REQUIRE(*back == duration);
  }
}

TEST_CASE("moments are printed with the digits they need") {
  const WallTime t{1767261600'000'000'000};
  CHECK(rfc3339_text(t) == "2026-01-01T10:00:00Z");
  CHECK(rfc3339_text(t + 120ms) == "2026-01-01T10:00:00.120Z");
  CHECK(rfc3339_text(t + 123456us) == "2026-01-01T10:00:00.123456Z");
  CHECK(rfc3339_text(t + 123456789ns) == "2026-01-01T10:00:00.123456789Z");
  CHECK(rfc3339_text(WallTime{-1}) == "1969-12-31T23:59:59.999999999Z");
  CHECK(utc_text(t + 5ms) == "2026-01-01 10:00:00 UTC");
}

TEST_CASE("local moments follow the zone of the machine") {
  const char* before = getenv("TZ");
  const std::string old = before ? before : "";
  setenv("TZ", "XXX-2", 1);
  tzset();
  CHECK(local_text(WallTime{1767261600'000'000'000}) == "01.01.2026 12:00:00");
  if (before) {
    setenv("TZ", old.c_str(), 1);
  } else {
    unsetenv("TZ");
  }
  tzset();
}
