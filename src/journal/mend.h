// Behind damage, events tell of things whose beginning is gone. What can be concluded from an event itself is
// made up for: a task that ended at a worker had been assigned to it, a task that is assigned anew had come
// back. What a user asked for is never made up.
#pragma once

#include <vector>

#include "hq/core/event.h"
#include "hq/core/state.h"

namespace hq {

// What to apply in place of `record`, in this order, each if it fits by then; `record` itself when nothing
// needs to be made up for.
[[nodiscard]] std::vector<Record> mend(const State& state, const Record& record);

// "tasks-assigned", ...: what an event is called in reports.
[[nodiscard]] const char* kind_name(const Event& event);

}  // namespace hq
