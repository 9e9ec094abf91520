// What of a worker is left for whom: the rules by which a pass gives amounts away and explain says why it
// does not.
#pragma once

#include <cstdint>
#include <vector>

#include "hq/core/scheduler.h"

namespace hq {

// By resource; may be below zero.
using Columns = std::vector<int64_t>;

// One resource of a worker, and a variant that waits for it.
struct Keeping {
  int64_t total = 0;
  int64_t free = 0;
  int64_t each = 0;      // that one task takes
  uint64_t fit = 0;      // tasks in the empty worker, by all that they ask for
  uint64_t held = 0;     // tasks of the class that hold something there
  uint64_t waiting = 0;  // tasks that wait
  int64_t lower = 0;     // what lower priorities hold
};
// For lower priorities: of what is free, what is left beside as many of these tasks as wait; and in any case
// the part of the worker that these could not use when they had all of it.
[[nodiscard]] int64_t left_for_lower(const Keeping& of);
// For others, where one task shall fit once what runs has ended: what that one would leave.
[[nodiscard]] int64_t left_beside_one(int64_t total, int64_t free, int64_t each, int64_t held_by_others);
// Takes what a backlog of at least this priority will start with from what is free there.
void subtract_backlog(const State& state, const WorkerState& worker, int32_t priority, Columns& left);
// What tasks of other classes hold of a resource.
[[nodiscard]] int64_t held_by_others(const State& state, const WorkerState& worker, ResourceIndex r,
                                     ClassId klass);
// Where single indices matter, amounts do not tell what would fit: the whole resource is kept.
[[nodiscard]] bool needs_whole_groups(const ResourceRequest& request);

[[nodiscard]] inline int64_t amount_of(const VariantNeed::Item& item, const WorkerState& worker) {
  return int64_t((item.all ? worker.total.at(item.resource) : item.amount).scaled);
}

}  // namespace hq
