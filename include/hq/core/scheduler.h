// Who runs what. A Scheduler makes passes over the ready tasks; each step of a pass goes from the state to
// placements, without a clock and without side effects on the state; pick() names the tasks of one placement.
// docs/scheduling.md says what is optimised, and in which order.
//
// Higher priority first; within a priority heavier and then older classes; workers by id, so that work is
// packed. What a higher priority waits for is kept from lower ones, except for the part of a worker that it
// could not use anyway. A class that others pass for too long gets a reservation: one worker (or one gang)
// that drains for it. Workers get a short backlog beyond what runs, sized by measured task duration; it is
// taken back when another worker could start those tasks now, or when its worker is kept for something else.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
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
  // A worker that could not start a placed task of a class although the amounts were free (its indices lie
  // in the wrong groups, or are partly taken) is not asked again before something has ended there.
  const std::set<std::pair<WorkerId, ClassId>>* refused = nullptr;
  // Workers that are watched get at most so many new tasks, and no backlog; what they have of one is taken
  // back.
  const std::map<WorkerId, uint64_t>* at_most = nullptr;
  // How long it takes lately until what is handed out is safe, and leaves.
  Duration commit_time{0};
  // Workers that have just given back less than they were asked for: the rest has started, and the word of it
  // is on its way. They are not asked now.
  const std::set<WorkerId>* asked = nullptr;
};

struct Placed {
  WorkerId worker;
  int32_t priority = 0;
  ClassId klass;
  uint8_t variant = 0;
  uint64_t count = 0;
  bool slot = true;
  std::vector<WorkerId> nodes;  // of a multi-node task: all its workers, `worker` first
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
  std::optional<Duration> again_in;  // something may become worth while then
  bool more = false;                 // the pass goes on with the next step
};

// A worker that drains for tasks of this class.
struct Reservation {
  int32_t priority = 0;
  ClassId klass;
  bool gang = false;
  friend bool operator==(const Reservation&, const Reservation&) = default;
};

class Pass;

// What passes remember: how long a class has been passed by, what is reserved, and where a pass stands.
class Scheduler {
 public:
  // A step ends after about so much work: about a millisecond, so that nobody waits long for the loop.
  static constexpr uint64_t kStepWork = 200'000;
  static constexpr uint64_t kWholePass = UINT64_MAX;

  Scheduler();
  ~Scheduler();
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;

  // The next step of the pass under way, or the first of a new one. What it placed has to be recorded (or
  // given up) before the next step.
  Placement step(const PlanInput& input, uint64_t work = kStepWork);
  // A worker gave back a placed task: what it has free does not lie as the request wants it. The class goes
  // on waiting as if it had not been placed.
  void note_refused(int32_t priority, ClassId klass);
  // What this worker is kept for; nothing for most.
  [[nodiscard]] std::optional<Reservation> reservation(WorkerId worker) const;
  // The priority of the multi-node tasks for which the last pass kept this worker from lower ones.
  [[nodiscard]] std::optional<int32_t> drains_for(WorkerId worker) const;
  // What this worker has free gets nothing of this priority and below until the next task ends: so the last
  // pass found out, because all is done sooner then.
  [[nodiscard]] std::optional<int32_t> left_idle(WorkerId worker) const;

  struct Waiting {  // a class that could run and is passed by others
    WallTime since;
    std::vector<WorkerId> reserved;
  };
  // The order in which the rest of a workload is done soonest, as last found.
  struct AheadFound {
    struct Turn {
      ClassId klass;
      uint8_t variant = 0;
      bool patient = false;
      std::optional<WorkerId> worker;  // that a patient one waits for
    };
    std::vector<Turn> turns;
    bool tightest = false;
    std::optional<WallTime> idles_since;  // every pass since then has left something idle for it
  };
  using WaitKey = std::pair<int32_t, ClassId>;
  using WaitingClasses = std::map<WaitKey, Waiting>;

 private:
  void note_ended_waits(WallTime now);

  WaitingClasses waiting_;
  std::map<WorkerId, Reservation> kept_;
  std::map<WorkerId, int32_t> draining_;
  std::map<WorkerId, int32_t> left_idle_;
  struct EndedWait {
    Waiting wait;
    WallTime at;
  };
  std::map<WaitKey, EndedWait> ended_waits_;  // that may have to go on
  std::unique_ptr<Pass> pass_;
  WaitingClasses before_;  // as it was when the pass began
  AheadFound ahead_;
  std::set<WorkerId> shunned_;  // by the pass under way: they would not reach their least utilisation
};

// The tasks of one placement, in order: restarted ones first, then by job and id. May be fewer than asked
// for.
[[nodiscard]] std::vector<AssignedRange> pick(const State& state, const Placed& placed);

// How many tasks of a variant fit into `free`; `total` is the worker's whole (for "all").
[[nodiscard]] uint64_t fit_count(const VariantNeed& need, const AmountVector& free,
                                 const AmountVector& total);
// Whether the worker lives long enough for the variant.
[[nodiscard]] bool lives_for(const VariantNeed& need, const WorkerState& worker, WallTime now);
// Whether the worker could run a variant of one node when empty, and lives long enough.
[[nodiscard]] bool could_run(const VariantNeed& need, const WorkerState& worker, WallTime now);
// Time until the worker's limit; nothing when it has none.
[[nodiscard]] std::optional<Duration> remaining_life(const WorkerState& worker, WallTime now);

}  // namespace hq
