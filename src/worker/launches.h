// What was handed to the launcher: chains of launches that take turns on one claim.
//
// The first of a chain runs or is about to; the others are its successors, which the launcher starts by
// itself, each when the one before it has ended. A successor is still ours to take back, last one first,
// since a dropped request frees the next one as if it had ended. What always holds: a claim belongs to one
// chain, a launch to one chain, and only the first of a chain can be running (or the second, if its start was
// heard of first).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>

#include "hq/core/resource_pool.h"
#include "worker/task.h"

namespace hq {

// Why a successor was asked back.
enum class Recall : uint8_t { kNone, kBacklog, kRetract, kCancel, kWorkerEnds };
// Why we stopped a task.
enum class StopCause : uint8_t { kNone, kCancel, kTimeLimit, kWorkerEnds, kOutput };

struct Launch {
  enum class State : uint8_t { kHanded, kRequested, kRunning };
  LaunchId id;
  Task task;
  uint64_t chain = 0;
  State state = State::kRequested;
  Recall recall = Recall::kNone;
  StopCause stopped = StopCause::kNone;
  TimePoint started{};
  bool streamed = false;       // its output is being kept
  std::string output_failure;  // kOutput: why it can't be
  std::string token;           // by which we know what it says
};

struct Chain {
  ResourceClaim claim;
  uint32_t request = 0;
  std::deque<LaunchId> members;
};

class Launches {
 public:
  [[nodiscard]] bool empty() const { return launches_.empty(); }
  [[nodiscard]] size_t size() const { return launches_.size(); }
  [[nodiscard]] size_t handed() const { return handed_; }  // successors
  void start_chain(LaunchId id, Task task, ResourceClaim claim);
  void append(uint64_t chain, LaunchId id, Task task);
  [[nodiscard]] Launch* find(LaunchId id);
  [[nodiscard]] Launch& get(LaunchId id);
  void set_running(Launch& launch, TimePoint now);
  // The next of the chain moves up; the claim is given back with the last.
  Launch remove(LaunchId id);
  [[nodiscard]] std::map<uint64_t, Chain>& chains() { return chains_; }
  [[nodiscard]] const std::unordered_map<LaunchId, Launch>& all() const { return launches_; }
  void check_invariants() const;

 private:
  void move_up(Chain& chain);

  std::map<uint64_t, Chain> chains_;  // in the order of their start
  std::unordered_map<LaunchId, Launch> launches_;
  uint64_t last_chain_ = 0;
  size_t handed_ = 0;
};

}  // namespace hq
