// Who runs what: plan() is a pure function from the state to placements; pick() names the tasks of one
// placement. docs/scheduling.md says what is optimised, and in which order.
//
// Higher priority first; within a priority, classes by their oldest job; workers by id, so that work is
// packed. A class that still has tasks when no worker has room for it blocks lower priorities on the workers
// that could run it. Workers get a short backlog beyond what runs, sized by measured task duration; it is
// taken back when another worker could start those tasks now.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "hq/core/state.h"

namespace hq {

struct PlanInput {
  const State& state;
  WallTime now;
  // Workers that get nothing: stopping, silent, or at their end.
  const std::set<WorkerId>& closed;
  // Workers that still owe the answer to a retraction.
  const std::set<WorkerId>& retracting;
  // If given, only these workers can have changed since the last full plan.
  const std::set<WorkerId>* only = nullptr;
  // How long it takes lately until what is handed out is safe, and leaves.
  Duration commit_time{0};
};

struct Placed {
  WorkerId worker;
  int32_t priority = 0;
  ClassId klass;
  uint8_t variant = 0;
  uint64_t count = 0;
  bool slot = true;
  friend bool operator==(const Placed&, const Placed&) = default;
};

struct Retraction {
  WorkerId worker;
  DefinitionId definition;
  uint32_t count = 0;
  friend bool operator==(const Retraction&, const Retraction&) = default;
};

struct Placement {
  std::vector<Placed> placed;
  std::vector<Retraction> retractions;
  std::optional<Duration> again_in;  // a retraction may become worth while then
};

[[nodiscard]] Placement plan(const PlanInput& input);

// The tasks of one placement, in order: restarted ones first, then by job and id. May be fewer than asked
// for.
[[nodiscard]] std::vector<AssignedRange> pick(const State& state, const Placed& placed);

// How many tasks of a variant fit into `free`; `total` is the worker's whole (for "all").
[[nodiscard]] uint64_t fit_count(const VariantNeed& need, const AmountVector& free,
                                 const AmountVector& total);
// Whether the worker could run it when empty, and lives long enough.
[[nodiscard]] bool could_run(const VariantNeed& need, const WorkerState& worker, WallTime now);
// Time until the worker's limit; nothing when it has none.
[[nodiscard]] std::optional<Duration> remaining_life(const WorkerState& worker, WallTime now);

}  // namespace hq
