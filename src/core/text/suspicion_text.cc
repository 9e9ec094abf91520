#include "hq/core/text/suspicion_text.h"

#include <fmt/format.h>

#include <cmath>

#include "hq/core/text/failure_text.h"

namespace hq {

namespace {

constexpr size_t kLineBytes = 120;

}  // namespace

std::string suspicion_text(const Suspicion& suspicion) {
  const FailureCounts& counts = suspicion.counts;
  std::string text = fmt::format(
      "{} of its {} tasks of job {} failed, {} of {} on other workers (chance below 1e{}); task {}: {}",
      counts.failed_here, counts.ended_here, suspicion.job.value, counts.failed_elsewhere,
      counts.ended_elsewhere, int64_t(std::ceil(suspicion.log10_chance)), suspicion.example.value,
      suspicion.failure);
  if (suspicion.ended_since > 0)
    text += fmt::format(" Since then {} of {} more.", suspicion.failed_since, suspicion.ended_since);
  return text;
}

std::string failure_line(const Failure& failure) {
  std::string line = failure_text(failure);
  line.resize(std::min(line.size(), line.find('\n')));
  if (line.size() <= kLineBytes) return line;
  size_t end = kLineBytes;
  while (end > 0 && (uint8_t(line[end]) & 0xc0) == 0x80) --end;  // not within a character
  return line.substr(0, end) + "…";
}

}  // namespace hq
