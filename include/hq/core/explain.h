// Why a task runs where it does, or nowhere: the conditions of its request, worker by worker, judged by the
// functions that place tasks (scheduler.h).
#pragma once

#include <string>
#include <vector>

#include "hq/core/conditions.h"
#include "hq/core/scheduler.h"

namespace hq {

// Against what a worker is as a whole, by worker id.
[[nodiscard]] std::vector<WorkerConditions> conditions(const State& state, ClassId klass, WallTime now);
// What the worker has not free for any variant of the class: "cpus: 1.5 of 4 are free"; "" if one fits.
[[nodiscard]] std::string not_free_text(const State& state, ClassId klass, const WorkerState& worker,
                                        WallTime now);
// Why a pass leaves what is free on the worker to others: "" if it does not.
[[nodiscard]] std::string kept_text(const State& state, const Scheduler& scheduler, ClassId klass,
                                    int32_t priority, const WorkerState& worker, WallTime now);
// For tasks of several nodes: workers of a group that nothing stands against are not enough of them.
void note_too_few(const State& state, ClassId klass, std::vector<WorkerConditions>& workers);

}  // namespace hq
