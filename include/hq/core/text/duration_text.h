// Durations and moments as people write and read them.
//
//   DUR   := clock | human
//   clock := number [ ":" number [ ":" number ] ]     SS, MM:SS, HH:MM:SS; no blanks; no limit but 32 bits
//   per field human := item+ | "0"                              any order, repeats add up, blanks anywhere
//   between item  := digits [ "." digits ] unit               not finer than a nanosecond unit  := ns us ms s
//   m h d w M y, and longer spellings; case matters (m = minute, M = month) HDUR  := human
//
// month = 30.44 days, year = 365.25 days.
#pragma once

#include <string>
#include <string_view>

#include "hq/base/clock.h"
#include "hq/base/result.h"

namespace hq {

[[nodiscard]] Result<Duration> parse_duration(std::string_view text);        // DUR
[[nodiscard]] Result<Duration> parse_human_duration(std::string_view text);  // HDUR

// "1year 2months 3days 4h 5m 6s 7ms 8us 9ns"; "0s" for zero; "Invalid duration" below.
[[nodiscard]] std::string duration_text(Duration duration);
// The same, cut to minutes from an hour on, to seconds from a minute on, else to milliseconds.
[[nodiscard]] std::string short_duration_text(Duration duration);

// "2026-01-01T10:00:00.123456Z", with 0, 3, 6 or 9 fractional digits as needed.
[[nodiscard]] std::string rfc3339_text(WallTime time);
// "2026-01-01 10:00:00 UTC"
[[nodiscard]] std::string utc_text(WallTime time);
// "01.01.2026 10:00:00" in the zone of the machine.
[[nodiscard]] std::string local_text(WallTime time);

}  // namespace hq
