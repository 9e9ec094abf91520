// fit: which worker could take a request, now or at all.
#include <algorithm>
#include <limits>

#include "hq/core/scheduler.h"

namespace hq {

std::optional<Duration> remaining_life(const WorkerState& worker, WallTime now) {
  if (!worker.config->time_limit) return std::nullopt;
  return *worker.config->time_limit - (now - worker.connected);
}

uint64_t fit_count(const VariantNeed& need, const AmountVector& free, const AmountVector& total) {
  // A request without resources costs nothing; its number is bounded by the caller.
  uint64_t fits = std::numeric_limits<uint32_t>::max();
  for (const VariantNeed::Item& item : need.items) {
    const Amount have = free.at(item.resource);
    if (item.all) {
      const bool whole = !have.is_zero() && have == total.at(item.resource);
      fits = std::min<uint64_t>(fits, whole ? 1 : 0);
    } else {
      fits = std::min(fits, have.scaled / item.amount.scaled);
    }
    if (fits == 0) return 0;
  }
  return fits;
}

bool lives_for(const VariantNeed& need, const WorkerState& worker, WallTime now) {
  const auto life = remaining_life(worker, now);
  return !life || *life >= need.min_time;
}

bool could_run(const VariantNeed& need, const WorkerState& worker, WallTime now) {
  if (need.nodes > 0) return false;  // several nodes: not placed on one worker
  return lives_for(need, worker, now) && fit_count(need, worker.total, worker.total) > 0;
}

}  // namespace hq
