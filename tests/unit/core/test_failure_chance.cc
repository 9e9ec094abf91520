#include <doctest/doctest.h>

#include <cmath>

#include "hq/core/failure_chance.h"

using namespace hq;

namespace {

void check_chance(const FailureCounts& counts, double log10) {
  CAPTURE(counts.failed_here);
  CAPTURE(counts.ended_here);
  CAPTURE(counts.failed_elsewhere);
  CAPTURE(counts.ended_elsewhere);
  CHECK(log10_chance(counts) == doctest::Approx(log10).epsilon(1e-9));
}

}  // namespace

TEST_CASE("the chance is that of the exact test") {
  // By hand: the one failed task of two is here.
  check_chance({1, 1, 0, 1}, std::log10(0.5));
  // All ten failures of 23 tasks on one worker: one in C(23, 10) = 1,144,066.
  check_chance({10, 10, 0, 13}, -std::log10(1'144'066.0));
  // Summed in integers of any length.
  check_chance({10, 10, 0, 12}, -5.810666595474403);
  check_chance({9, 9, 0, 100}, -12.62975827211921);
  check_chance({20, 100, 10, 1000}, -14.478117718215907);
  check_chance({12, 40, 30, 400}, -4.017798986769151);
}

TEST_CASE("the chance of what is usual is near 1") {
  check_chance({3, 10, 7, 20}, -0.1253581714553824);
  check_chance({5, 1000, 10, 1000}, -0.02620117377381025);
  check_chance({50, 50, 50, 50}, 0);
  check_chance({0, 10, 0, 10}, 0);
  check_chance({0, 0, 0, 0}, 0);
}

TEST_CASE("a chance too small for a double is still a number") {
  check_chance({1000, 1000, 0, 1000}, -600.3113621048072);
  const double huge = log10_chance({1'000'000, 1'000'000, 5, 1'000'000'000});
  CHECK(std::isfinite(huge));
  CHECK(huge < -1'000'000);
}

TEST_CASE("counts of many millions are summed in a moment") {
  const double near = log10_chance({100'100, 10'000'000, 10'000'000, 1'000'000'000});
  CHECK(near < -0.3);
  CHECK(near > -1);
}

TEST_CASE("a worker is suspect from ten failures on, below a chance of one in a million") {
  CHECK_FALSE(is_beyond_chance({9, 9, 0, 1'000'000}));
  CHECK(is_beyond_chance({10, 10, 0, 1'000'000}));
  CHECK_FALSE(is_beyond_chance({10, 10, 0, 12}));
  CHECK(is_beyond_chance({10, 10, 0, 13}));
}

TEST_CASE("where all fail alike nobody is suspect, and nobody is where there are no others") {
  CHECK_FALSE(is_beyond_chance({1000, 1000, 0, 0}));
  CHECK_FALSE(is_beyond_chance({1000, 1000, 300'000, 300'000}));
  CHECK_FALSE(is_beyond_chance({1000, 100'000, 10'500, 1'000'000}));
  CHECK_FALSE(is_beyond_chance({10, 1'000'000, 1000, 1'000'000}));
}
