// What workers that do not exist yet would get: the ordinary plan, asked about a copy of what matters, with
// further workers beside the real ones.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "hq/core/allocations.h"
#include "hq/core/state.h"

namespace hq {

struct FutureWorkers {
  AllocQueueId queue;
  uint64_t count = 0;
};

// For each entry, in order, how many of its workers would get a task of one node. Earlier entries come first.
// `unusable`: real workers that get nothing.
[[nodiscard]] std::vector<uint64_t> busy_future_workers(const State& state, WallTime now,
                                                        const std::set<WorkerId>& unusable,
                                                        const std::vector<FutureWorkers>& future);

}  // namespace hq
