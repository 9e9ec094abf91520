// One pass over all ready classes, in steps. For each priority, from the highest: reserved workers, slots in
// order of the classes, backlogs, and what is kept from lower priorities; at the end, what is taken back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/scheduler/rooms.h"
#include "hq/core/scheduler.h"

namespace hq {

class Pass {
 public:
  explicit Pass(const PlanInput& input);
  // True when the pass is complete. `waiting` is what passes remember.
  bool step(const PlanInput& input, Scheduler::WaitingClasses& waiting, uint64_t work, Placement& out);
  // Workers whose least utilisation would not be reached by what this pass placed there.
  [[nodiscard]] std::vector<WorkerId> underused() const;

 private:
  struct Demand {
    ClassId klass;
    uint64_t remaining = 0;
    bool got_some = false;
  };
  enum class Stage : uint8_t { kSlots, kBacklogs, kAfter };

  // pass.cc
  void open_priority();
  bool next_priority();
  void close_priority();
  void read_remaining();
  [[nodiscard]] const std::vector<VariantNeed>& needs(ClassId klass) const {
    return in_->state.classes().needs(klass);
  }
  [[nodiscard]] const ReadyClass* ready(ClassId klass) const;
  void put(size_t room, Demand& demand, uint8_t variant, uint64_t n, bool slot);
  void note_passing(const Demand& demand, const VariantNeed* need);

  // slots.cc
  void place(Demand& demand);
  void place_one_variant(Demand& demand);
  uint64_t room_for(size_t room, const Demand& demand, const VariantNeed& need);
  // Nothing that waits fits there any more.
  [[nodiscard]] bool is_shut(size_t room) const;
  void sweep_open();
  void find_wanted();
  [[nodiscard]] bool spares(size_t room, const std::vector<ResourceIndex>& wanted) const;
  [[nodiscard]] bool hopeless(const VariantNeed& need) const;

  // variants.cc
  struct Choice {  // the best use of one worker by `tasks` tasks at most
    double value = 0;
    uint64_t tasks = 0;
    std::vector<uint32_t> counts;  // by variant
  };
  void place_variants(Demand& demand);
  [[nodiscard]] std::vector<Choice> choices(size_t room, const Demand& demand, uint64_t most);
  [[nodiscard]] double value_of(size_t room, ClassId klass, size_t variant) const;

  // gangs.cc
  void place_gangs(Demand& demand);
  void find_groups();
  [[nodiscard]] std::vector<size_t> drain_order(const VariantNeed& need, uint64_t gangs) const;

  // backlog.cc
  void fill_backlogs(Demand& demand);
  [[nodiscard]] float mean_of(ClassId klass) const;
  void retract(Placement& out);
  bool retract_at_once(size_t room, Placement& out);
  [[nodiscard]] uint64_t room_in_all(const VariantNeed& need) const;

  // reserve.cc
  void open_reservations();
  void cap_for(const Demand& demand, const VariantNeed& need, size_t room, uint64_t held);
  void mark_shut_rooms();
  void keep_from_lower(const Demand& demand);
  void keep_for_gang(const Demand& demand);
  void keep_for_one(const Demand& demand, const VariantNeed& need, size_t room);
  void judge_waiting();
  void wait_or_reserve(size_t order);
  [[nodiscard]] bool is_passed(size_t order) const;
  [[nodiscard]] std::vector<WorkerId> choose_reserved(ClassId klass) const;

  const PlanInput* in_;
  Scheduler::WaitingClasses* waiting_ = nullptr;
  Placement* out_ = nullptr;
  Rooms rooms_;
  std::vector<std::vector<size_t>> groups_;  // rooms of one worker group each; only when gangs wait
  bool groups_known_ = false;

  // the cursor
  std::optional<int32_t> priority_;
  Stage stage_ = Stage::kSlots;
  std::vector<Demand> demands_;  // of this priority, in order
  size_t next_ = 0;              // of demands_
  uint64_t work_ = 0;            // done in this step

  // No room has more of a resource available than this.
  std::vector<int64_t> upper_;
  // Resources that any ready class asks for.
  std::vector<bool> wanted_;
  // Resources that every variant of every ready class asks for, and the least amount of it that one does.
  std::vector<std::pair<ResourceIndex, int64_t>> needed_by_all_;
  std::vector<size_t> open_;  // rooms that are not shut, ascending; swept now and then
  // What was placed at this priority: the least amounts asked for, and the last class that got something.
  std::vector<int64_t> least_placed_;
  std::optional<size_t> last_placed_;
};

}  // namespace hq
