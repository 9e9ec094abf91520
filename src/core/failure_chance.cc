#include "hq/core/failure_chance.h"

#include <algorithm>
#include <cmath>

#include "hq/base/assert.h"

namespace hq {

namespace {

// The hypergeometric distribution: of `all` tasks, `failed` have failed, and `here` were dealt to one worker.
struct Dealt {
  double all;
  double failed;
  double here;

  [[nodiscard]] static double log_choose(double n, double k) {
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
  }
  // Natural logarithm of the chance that just k failed ones are here.
  [[nodiscard]] double log_of(double k) const {
    return log_choose(failed, k) + log_choose(all - failed, here - k) - log_choose(all, here);
  }
  // What k + 1 is as likely as, in terms of k.
  [[nodiscard]] double up(double k) const {
    return (failed - k) / (k + 1) * (here - k) / (all - failed - here + k + 1);
  }
  [[nodiscard]] double least() const { return std::max(0.0, here - (all - failed)); }
  [[nodiscard]] double most() const { return std::min(here, failed); }
};

// Terms that no longer change the sum.
constexpr double kNegligible = 1e-17;

// Logarithm of the chance of k or more. REQUIRES: k above the mean, so that terms shrink.
double log_at_least(const Dealt& dealt, double k) {
  double sum = 1;
  double term = 1;
  for (double i = k; i < dealt.most() && term > sum * kNegligible; ++i) sum += term *= dealt.up(i);
  return dealt.log_of(k) + std::log(sum);
}

// The chance of k or fewer. REQUIRES: k at most the mean.
double at_most(const Dealt& dealt, double k) {
  double sum = 1;
  double term = 1;
  for (double i = k; i > dealt.least() && term > sum * kNegligible; --i) sum += term /= dealt.up(i - 1);
  return std::exp(dealt.log_of(k)) * sum;
}

}  // namespace

double log10_chance(const FailureCounts& c) {
  HQ_ASSERT(c.failed_here <= c.ended_here && c.failed_elsewhere <= c.ended_elsewhere);
  const Dealt dealt{double(c.ended_here) + double(c.ended_elsewhere),
                    double(c.failed_here) + double(c.failed_elsewhere), double(c.ended_here)};
  const auto k = double(c.failed_here);
  if (k <= dealt.least()) return 0;
  const double mean = dealt.here * dealt.failed / dealt.all;
  if (k > mean) return std::min(0.0, log_at_least(dealt, k) / std::log(10.0));
  return std::min(0.0, std::log10(std::max(0.0, 1 - at_most(dealt, k - 1))));
}

bool is_beyond_chance(const FailureCounts& c) {
  if (c.failed_here < kLeastFailures) return false;
  // No wonder when others fail as often: the usual case, and cheaply seen.
  if (double(c.failed_here) * double(c.ended_elsewhere) <= double(c.failed_elsewhere) * double(c.ended_here))
    return false;
  return log10_chance(c) < kLog10Chance;
}

}  // namespace hq
