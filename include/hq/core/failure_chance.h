// Whether tasks fail more often on one worker than chance would have it: the one-sided exact test of Fisher
// on tasks of one kind, which failed or did not, here or elsewhere.
#pragma once

#include <cstdint>

namespace hq {

struct FailureCounts {
  uint64_t failed_here = 0;
  uint64_t ended_here = 0;  // with those that failed
  uint64_t failed_elsewhere = 0;
  uint64_t ended_elsewhere = 0;
  friend bool operator==(const FailureCounts&, const FailureCounts&) = default;
};

// A worker is judged from so many failures on, and is suspect below that chance.
inline constexpr uint64_t kLeastFailures = 10;
inline constexpr double kLog10Chance = -6;

// Decimal logarithm of the chance that, if all these tasks had been dealt out at random, at least as many of
// the failed ones would have come here. From 0 (no wonder at all) down; never less than what a double holds,
// since it is summed as logarithm.
[[nodiscard]] double log10_chance(const FailureCounts& counts);
[[nodiscard]] bool is_beyond_chance(const FailureCounts& counts);

}  // namespace hq
