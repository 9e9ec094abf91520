// Allocation queues and their allocations (our jobs in Slurm or PBS), as the fold keeps them. docs/states.md
// has the table of states. Whoever submits and cancels is the server (src/server/allocs.cc); when it does so
// is decided by alloc_policy.h.
//
// Always holds: an allocation is found by (queue, number), the number that its directory has; a number is
// used once. A submission under way is durable, so that an allocation made just before a crash is found again
// through its directory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/event.h"
#include "hq/core/ids.h"

namespace hq {

enum class AllocationState : uint8_t { kQueued, kRunning, kFinished, kFailed };
// As protocol, JSON and tables name it.
inline constexpr std::array<std::string_view, 4> kAllocationStateNames{"queued", "running", "finished",
                                                                       "failed"};
[[nodiscard]] constexpr std::string_view name_of(AllocationState state) {
  return kAllocationStateNames[size_t(state)];
}

struct Allocation {
  AllocQueueId queue;
  uint32_t number = 0;
  std::string id;  // of the batch system
  uint32_t workers = 0;
  std::string directory;
  AllocationState state = AllocationState::kQueued;
  WallTime queued;
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  // How it ended; of one that has.
  std::optional<AllocationEndKind> end;
  std::string cause;  // of a failure
  bool worker_seen = false;
  std::set<WorkerId> connected;  // workers that are there
  struct Gone {
    WorkerUid uid;
    bool crashed_early = false;
  };
  std::map<WorkerId, Gone> gone;  // workers that were there

  [[nodiscard]] bool active() const {
    return state == AllocationState::kQueued || state == AllocationState::kRunning;
  }
  // Workers that have not come yet.
  [[nodiscard]] uint32_t missing() const {
    const size_t seen = connected.size() + gone.size();
    return seen >= workers ? 0 : uint32_t(workers - seen);
  }
  // As many workers have left as were wanted, the normal end: failed if all of them were lost within a minute
  // of their life.
  [[nodiscard]] bool all_gone() const { return connected.empty() && gone.size() >= workers; }
  [[nodiscard]] bool all_crashed_early() const;
};

// Why a queue waits before it submits again, or was paused.
struct AllocFailures {
  uint32_t submissions = 0;  // failed one after the other
  uint32_t allocations = 0;  // dtto
  uint32_t delay_level = 0;
  std::optional<WallTime> last_attempt;  // to submit
  std::string last;                      // what went wrong last
  friend bool operator==(const AllocFailures&, const AllocFailures&) = default;
};

struct AllocQueue {
  AllocQueueId id;
  std::shared_ptr<const AllocParams> params;
  bool paused = false;
  bool paused_by_failures = false;
  std::optional<WorkerId> known_worker;  // the last one that connected
  std::shared_ptr<const WorkerConfig> known_config;
  uint32_t last_number = 0;
  AllocFailures failures;
  std::map<uint32_t, Allocation> allocations;  // by number
  struct Submission {
    uint32_t workers = 0;
    std::string directory;
  };
  std::map<uint32_t, Submission> under_way;

  // Time between two attempts, at this level of failures.
  [[nodiscard]] static Duration delay(uint32_t level);
  // It may not try before.
  [[nodiscard]] WallTime next_attempt() const;
};

class Allocations {
 public:
  void apply(const AllocQueueCreated& e);
  void apply(const AllocQueueRemoved& e);
  void apply(const AllocQueuePaused& e);
  void apply(const AllocQueueResumed& e);
  void apply(const AllocationSubmitting& e, WallTime time);
  // `there`: workers of this allocation that came before it was known.
  void apply(const AllocationQueued& e, WallTime time, const std::vector<WorkerConnected>& there);
  void apply(const AllocationNotQueued& e);
  void apply(const AllocationStarted& e, WallTime time);
  void apply(const AllocationEnded& e, WallTime time);
  void worker_connected(WorkerId worker, WorkerUid uid, const std::shared_ptr<const WorkerConfig>& config);
  void worker_lost(WorkerId worker, WorkerUid uid, const WorkerConfig& config, LossReason reason,
                   Duration lived);
  // Its end cancels what waits or runs.
  void server_stopped(WallTime time);

  [[nodiscard]] const char* why_not(const AllocQueueCreated& e) const;
  [[nodiscard]] const char* why_not(const AllocQueueRemoved& e) const;
  [[nodiscard]] const char* why_not(const AllocQueuePaused& e) const;
  [[nodiscard]] const char* why_not(const AllocQueueResumed& e) const;
  [[nodiscard]] const char* why_not(const AllocationSubmitting& e) const;
  [[nodiscard]] const char* why_not(const AllocationQueued& e) const;
  [[nodiscard]] const char* why_not(const AllocationNotQueued& e) const;
  [[nodiscard]] const char* why_not(const AllocationStarted& e) const;
  [[nodiscard]] const char* why_not(const AllocationEnded& e) const;

  [[nodiscard]] const std::map<AllocQueueId, AllocQueue>& queues() const { return queues_; }
  [[nodiscard]] const AllocQueue* find(AllocQueueId id) const;
  [[nodiscard]] const Allocation* find(AllocQueueId queue, uint32_t number) const;
  // By the id that the batch system gave; the newest.
  [[nodiscard]] const Allocation* find(const std::string& id) const;
  [[nodiscard]] const Allocation* of_worker(const WorkerConfig& config) const;
  [[nodiscard]] AllocQueueId last_queue_id() const { return last_queue_; }
  [[nodiscard]] AllocQueueId next_queue_id() const { return AllocQueueId(last_queue_.value + 1); }
  // What is known here rests on this worker.
  [[nodiscard]] bool needs(WorkerId worker) const;

  void check_invariants() const;

 private:
  AllocQueue* queue_of(AllocQueueId id);
  Allocation* allocation(AllocQueueId queue, uint32_t number);
  Allocation* allocation_of(const WorkerConfig& config);
  void join(Allocation& allocation, WorkerId worker, WorkerUid uid,
            const std::shared_ptr<const WorkerConfig>& config);

  std::map<AllocQueueId, AllocQueue> queues_;
  std::map<std::string, std::pair<AllocQueueId, uint32_t>> by_id_;
  AllocQueueId last_queue_;
};

}  // namespace hq
