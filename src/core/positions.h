// Walks the tasks of a range, for the parts of the fold.
#pragma once

#include <algorithm>

#include "hq/base/assert.h"
#include "hq/core/job.h"

namespace hq {

// Calls f(position, id) for each id of a range whose tasks all belong to `group`.
template <class F>
void for_each_position(const TaskGroup& group, IdRange range, F&& f) {
  uint64_t id = range.first;
  while (id <= range.last) {
    auto position = group.position(TaskId(uint32_t(id)));
    HQ_ASSERT(position.has_value());
    const IdRange run = group.run_from(*position);
    if (run.step != range.step) {
      f(*position, TaskId(uint32_t(id)));
      id += range.step;
      continue;
    }
    const uint64_t end = std::min(run.last, range.last);
    for (uint64_t at = *position; id <= end; id += range.step) f(at++, TaskId(uint32_t(id)));
  }
}

}  // namespace hq
