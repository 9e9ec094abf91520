// The workers while a pass is made: what each has free, and how much of it the class at hand may take. Kept
// by resource, so that looking at all workers for one class is one walk over a few columns; and in blocks
// whose parts have an upper bound each, so that most of that walk is left out.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "hq/core/scheduler.h"

namespace hq {

struct Room {
  const WorkerState* worker = nullptr;
  Duration life = Duration::max();  // until its time limit
  uint64_t backlog = 0;             // with what we add
  uint64_t most = UINT64_MAX;       // new tasks that it may still get
  bool closed = false;
  bool shunned = false;                        // closed, but for multi-node tasks: these use all of it
  bool gang = false;                           // taken by a multi-node task of this pass
  bool occupied = false;                       // has one since before
  bool least_use = false;                      // has a least utilisation
  bool fresh = true;                           // nothing was placed here by this pass
  bool changed = false;                        // since its amounts were read
  bool holders_known = false;                  // whether these two are
  int32_t lowest_held = INT32_MAX;             // the lowest priority of tasks that hold something there
  uint64_t classes_held = 0;                   // a bit for some classes each (bit_of): of those that do
  std::optional<int32_t> capped_by;            // the highest priority that keeps something of it for itself
  std::optional<Scheduler::WaitKey> kept_for;  // a reservation

  // It gets single tasks at most, no backlog, and nothing is kept there for anyone.
  [[nodiscard]] bool watched() const { return most != UINT64_MAX; }
  [[nodiscard]] bool closed_to_gangs() const { return closed && !shunned; }
};

class Rooms {
 public:
  static constexpr int64_t kNoCap = std::numeric_limits<int64_t>::max();
  static constexpr size_t kBlock = 64;
  static constexpr size_t kParts = 4;  // of a block, with a bound each
  static constexpr size_t kPart = kBlock / kParts;
  // What looking costs, in units of Scheduler::kStepWork.
  static constexpr uint64_t kBlockWork = 1;
  static constexpr uint64_t kScanWork = 20;
  static constexpr uint64_t kRoomWork = 10;
  static constexpr uint64_t kOpenWork = 80;     // a worker's amounts lie scattered in memory
  static constexpr uint64_t kPlacedWork = 400;  // to name the tasks, record them and tell the worker

  // Reads the workers, as far as the next ones when it is called again; true once all are read. It ends
  // early when `work` has reached `most_work`. Workers that come meanwhile may be left to the next pass.
  bool open(const PlanInput& input, uint64_t most_work);
  // The state may have moved on since the last step: what a room has is read anew when it is used next, if
  // anything has happened there.
  void next_step(const PlanInput& input);
  void touch(const PlanInput& input, size_t i) {
    if (rooms_[i].changed) read_again(input, i);
  }
  // Something was placed there that may not be recorded in the end.
  void note_use(size_t i) { used_.push_back(i); }
  // From now on classes of this priority are looked at: what a backlog of at least this priority will start
  // is not free for them.
  void set_priority(const State& state, int32_t priority);

  [[nodiscard]] size_t size() const { return rooms_.size(); }
  [[nodiscard]] Room& at(size_t i) { return rooms_[i]; }
  [[nodiscard]] const Room& at(size_t i) const { return rooms_[i]; }
  [[nodiscard]] WorkerId id(size_t i) const { return ids_[i]; }
  [[nodiscard]] int64_t total(size_t i, ResourceIndex r) const { return total_[r][i]; }
  [[nodiscard]] int64_t free(size_t i, ResourceIndex r) const { return free_[r][i]; }
  [[nodiscard]] int64_t available(size_t i, ResourceIndex r) const { return available_[r][i]; }
  [[nodiscard]] int64_t cap(size_t i, ResourceIndex r) const { return cap_[r][i]; }

  [[nodiscard]] size_t blocks() const { return stale_.size(); }
  // Where it is worth while to look for room for one task of a variant: in parts of blocks whose bounds allow
  // it. True until something is placed or read again there.
  struct Look {
    const VariantNeed* need = nullptr;
    bool none = false;            // nowhere: somebody who asks for no more has found nothing
    std::vector<uint16_t> parts;  // all bits or none
  };
  void look_for(const VariantNeed& need, Look& look);
  // Rooms of this block, as bits, in which one task may start now as far as amounts tell.
  [[nodiscard]] uint64_t fitting(size_t block, const Look& look);
  // No block had a fitting room; `raises` are those before the first one was asked.
  void note_none(const VariantNeed& need, uint64_t raises);
  // How often more has become available of something.
  [[nodiscard]] uint64_t raises() const { return raises_; }
  // Rooms of this block, as bits, that have less than the least amount of one of these available.
  [[nodiscard]] uint64_t lacking(size_t block,
                                 const std::vector<std::pair<ResourceIndex, int64_t>>& least) const;
  // Rooms of this block, as bits, that have none of these resources at all.
  [[nodiscard]] uint64_t without(size_t block, const std::vector<ResourceIndex>& resources) const;
  // How many tasks of the variant may start here now.
  [[nodiscard]] uint64_t fit(size_t i, const VariantNeed& need) const;
  // How many fit into an empty worker.
  [[nodiscard]] uint64_t fit_total(size_t i, const VariantNeed& need) const;
  [[nodiscard]] bool lives_for(size_t i, const VariantNeed& need) const {
    return rooms_[i].life >= need.min_time;
  }
  void take(size_t i, const VariantNeed& need, uint64_t n);
  // At most this much of the resource for whoever comes after.
  void set_cap(size_t i, ResourceIndex r, int64_t most);
  // Nothing of it is available any more.
  void empty(size_t i);
  // Tasks of a class that hold resources there, as the state knows.
  [[nodiscard]] static uint64_t in_use(const WorkerState& worker, ClassId klass);
  // Whether tasks of lower priorities or of one of these classes (bit_of) may hold something there.
  [[nodiscard]] bool may_be_held(size_t i, int32_t priority, uint64_t classes);
  [[nodiscard]] static uint64_t bit_of(ClassId klass) { return uint64_t{1} << (klass.value % 64); }
  [[nodiscard]] std::optional<size_t> find(WorkerId worker) const;
  [[nodiscard]] size_t resources() const { return free_.size(); }
  // Sum of the totals of all workers.
  [[nodiscard]] double sum_of(ResourceIndex r) const { return sums_[r]; }
  [[nodiscard]] bool any_least_use() const { return any_least_use_; }

  // Work done since somebody set this to 0.
  uint64_t work = 0;

 private:
  static void limit_watched(const PlanInput& input, Room& room);
  void add_columns(size_t resources);
  void add_room(const PlanInput& input, const WorkerState& worker);
  void read_room(const PlanInput& input, Room& room);
  void read_again(const PlanInput& input, size_t i);
  void read_free(size_t i);
  void read_total(size_t i);
  void read_available(const State& state, size_t i);
  void find_bounds(size_t block);
  void note_change(size_t i) {
    const size_t block = i / kBlock;
    if (stale_[block]) return;
    stale_[block] = true;
    stale_blocks_.push_back(block);
  }

  std::vector<Room> rooms_;                      // by worker id
  std::vector<WorkerId> ids_;                    // the same
  std::optional<WorkerId> last_opened_;          // or left out
  size_t most_rooms_ = 0;                        // that the columns have space for
  std::vector<std::vector<int64_t>> free_;       // by resource, then room, to the end of the last block
  std::vector<std::vector<int64_t>> available_;  // free without the backlog, within the cap
  std::vector<std::vector<int64_t>> cap_;
  std::vector<std::vector<int64_t>> total_;
  std::vector<std::vector<float>> bound_;       // by resource, block and part: no room has more available
  std::vector<std::vector<uint64_t>> without_;  // by resource, then block: rooms that have none in total
  std::vector<bool> stale_;                     // by block: its bounds do not hold any more
  std::vector<size_t> stale_blocks_;            // these
  std::vector<double> sums_;
  // What fits nowhere until something is raised: the least amounts asked for.
  using Least = std::vector<std::pair<ResourceIndex, int64_t>>;
  std::vector<Least> found_none_;
  uint64_t raises_ = 0;
  // Backlogs by falling priority, and the first of them that is not counted yet.
  std::vector<std::pair<int32_t, size_t>> backlogs_;
  size_t next_backlog_ = 0;
  std::vector<int64_t> left_;  // of the room at hand
  std::vector<size_t> used_;   // in this step; some more than once
  uint64_t seen_changes_ = 0;  // State::recent_workers
  bool any_least_use_ = false;
  std::optional<int32_t> priority_;
};

}  // namespace hq
