// When allocations are submitted, and when those that wait are given up: from the state and the time alone.
// docs/allocation.md says what is wanted, and why.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "hq/core/allocations.h"
#include "hq/core/state.h"

namespace hq {

struct AllocLimits {
  // So many failures one after the other pause the queue.
  uint32_t failed_submissions = 10;
  uint32_t failed_allocations = 3;
  // An allocation that waits is given up when nothing has needed it for so long.
  Duration patience = 30s;
};

using AllocationKey = std::pair<AllocQueueId, uint32_t>;

struct AllocDecision {
  struct Submission {
    AllocQueueId queue;
    uint32_t workers = 0;
    friend bool operator==(const Submission&, const Submission&) = default;
  };
  std::vector<AllocQueueId> pauses;     // too many failures
  std::vector<Submission> submissions;  // of each queue in this order
  std::vector<AllocationKey> cancellations;
  // Waiting allocations that nothing needs now, and since when: for the next decision.
  std::map<AllocationKey, WallTime> unneeded;
};

// `unusable`: workers that get no tasks. `unneeded`: as the last decision gave it.
[[nodiscard]] AllocDecision decide_allocations(const State& state, WallTime now,
                                               const std::set<WorkerId>& unusable, const AllocLimits& limits,
                                               const std::map<AllocationKey, WallTime>& unneeded);

}  // namespace hq
