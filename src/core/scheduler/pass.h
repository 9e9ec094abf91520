// One pass over all ready classes, in steps. For each priority, from the highest: reserved workers, slots in
// order of the classes, backlogs, and what is kept from lower priorities; at the end, what is taken back.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/scheduler/lookahead.h"
#include "core/scheduler/rooms.h"
#include "hq/core/scheduler.h"

namespace hq {

class Pass {
 public:
  // Workers in `shunned` get nothing but multi-node tasks (besides those that are closed).
  explicit Pass(std::set<WorkerId> shunned) : shunned_(std::move(shunned)) {}
  // True when the pass is complete. `waiting` is what passes remember.
  bool step(const PlanInput& input, Scheduler::WaitingClasses& waiting, Scheduler::AheadFound& ahead,
            uint64_t work, Placement& out);
  // After the last step: workers whose least utilisation would not be reached by what this pass would place
  // there. It was not placed.
  [[nodiscard]] const std::vector<WorkerId>& underused() const { return underused_; }
  // Waits that ended since this was asked last, of classes whose tasks a worker may give back as not fitting.
  [[nodiscard]] std::vector<std::pair<Scheduler::WaitKey, Scheduler::Waiting>> take_ended_waits() {
    return std::exchange(ended_waits_, {});
  }
  // Workers kept for multi-node tasks from priorities below this one.
  [[nodiscard]] const std::map<WorkerId, int32_t>& draining() const { return draining_; }
  // Workers that get nothing of this priority and below until the next end.
  [[nodiscard]] const std::map<WorkerId, int32_t>& left_idle() const { return left_idle_; }

 private:
  struct Demand {
    ClassId klass;
    uint64_t remaining = 0;
    size_t age = 0;  // its place in the order without what is urgent
    bool got_some = false;
  };
  // Of one priority, in this order; the last one is of the whole pass.
  enum class Stage : uint8_t { kSlots, kBacklogs, kKeepForGangs, kKeep, kRetract };

  static constexpr size_t kNoOrder = SIZE_MAX;

  // pass.cc
  [[nodiscard]] size_t order_of(ClassId klass) const {
    return klass.value < order_of_.size() ? order_of_[klass.value] : kNoOrder;
  }
  void begin_step(const PlanInput& input);
  bool open();
  bool work_on_demands();
  bool next_stage();
  bool next_priority();
  void open_priority();
  void read_remaining();
  [[nodiscard]] bool is_spent() const { return rooms_.work >= most_work_; }
  [[nodiscard]] const std::vector<VariantNeed>& needs(ClassId klass) const {
    return in_->state.classes().needs(klass);
  }
  [[nodiscard]] const ReadyClass* ready(ClassId klass) const;
  void put(size_t room, Demand& demand, uint8_t variant, uint64_t n, bool slot);
  void note_passing(const Demand& demand, const VariantNeed* need);
  bool hand_over_held_back();

  // order.cc
  struct Turn {
    ClassId klass;
    uint64_t count = 0;
    JobId oldest;
    uint32_t weight = 0;
    size_t age = 0;
    double seconds = 0;  // of one task, as far as known
    bool known = false;  // measured or requested
    double lasts = 0;    // of all of them, if they had all workers to themselves
    double size = 0;     // of one task: the shares of all resources that it asks for, added up
    bool urgent = false;
  };
  [[nodiscard]] std::vector<Turn> turns();
  void find_durations(std::vector<Turn>& turns) const;
  void find_urgent(std::vector<Turn>& turns);
  [[nodiscard]] double places_for(ClassId klass, bool exact);
  void add_use(Turn& turn, std::vector<double>& use) const;

  // Of one task: measured, else requested, else negative.
  [[nodiscard]] double known_seconds(ClassId klass) const;

  // ahead.cc
  void look_ahead();
  [[nodiscard]] bool may_look_ahead() const;
  [[nodiscard]] bool has_indices(ResourceIndex r) const;
  [[nodiscard]] bool amounts_tell_all() const;
  [[nodiscard]] std::optional<Ahead> make_ahead() const;
  bool add_running(size_t room, Ahead& ahead) const;
  [[nodiscard]] double may_idle_for() const;
  [[nodiscard]] AheadOrder order_found_before() const;
  void follow(const LookAhead& found);
  void leave_idle(const LookAhead& found);

  // slots.cc
  // These return false when the step is spent before the class is done; they go on where they stood.
  bool place(Demand& demand);
  bool place_variant(Demand& demand, uint8_t variant);
  void place_in_block(Demand& demand, uint8_t variant, size_t block, uint64_t rooms);
  uint64_t room_for(size_t room, const Demand& demand, const VariantNeed& need);
  void take(size_t room, Demand& demand, uint8_t variant, uint64_t n);
  // Nothing that waited when the pass began fits there any more.
  [[nodiscard]] bool is_shut(size_t room) const;
  void find_wanted();
  [[nodiscard]] std::vector<ResourceIndex> wanted_besides(const VariantNeed& need) const;

  // variants.cc
  struct Choice {  // the best use of one worker by `tasks` tasks at most
    double value = 0;
    uint64_t tasks = 0;
    std::vector<uint32_t> counts;  // by variant
  };
  struct Offer {
    size_t room;
    size_t choices;      // index into choices_
    uint64_t taken = 0;  // index into these
  };
  struct Taking {
    size_t room;
    std::vector<uint32_t> counts;  // by variant
  };
  bool place_variants(Demand& demand);
  bool gather_offers(Demand& demand);
  void choose_offers(const Demand& demand);
  bool take_chosen(Demand& demand);  // as place()
  void select(uint64_t tasks);
  void look_at_variants(size_t room, Demand& demand);
  [[nodiscard]] std::optional<uint8_t> one_variant_for_all(const Demand& demand);
  [[nodiscard]] std::vector<Choice> choices_of(size_t room, const Demand& demand,
                                               const std::vector<uint64_t>& fits, uint64_t most);
  [[nodiscard]] double value_of(size_t room, ClassId klass, size_t variant) const;

  // spare.cc
  struct Lesser {  // a variant that asks for less than another one, and for nothing more
    uint8_t from;
    uint8_t to;
    std::vector<std::pair<ResourceIndex, int64_t>> spares;
  };
  struct Behind {  // a class whose turn is later
    ClassId klass;
    uint64_t remaining;
  };
  struct Others {
    std::vector<int64_t> free;                 // by resource: in all rooms
    std::vector<std::vector<int64_t>> behind;  // by demand, then resource: what this one and later ones want
  };
  struct Sparing {
    std::vector<int64_t> lack;   // by resource: what those behind want beyond what is free for them
    std::vector<int64_t> left;   // of the room at hand
    std::vector<Behind> behind;  // the next ones
  };
  [[nodiscard]] std::vector<Lesser> lesser_variants(ClassId klass) const;
  void find_others();
  [[nodiscard]] Sparing behind(const Demand& demand, const std::vector<Taking>& takings);
  void spare_for_others(const Demand& demand, std::vector<Taking>& takings);
  bool spare_one(const Lesser& lesser, size_t room, Sparing& sparing);
  [[nodiscard]] uint64_t users_of(const Lesser& lesser, const VariantNeed& need, uint64_t most, size_t room,
                                  const Sparing& sparing) const;

  // gangs.cc
  struct Group {
    std::vector<size_t> rooms;
    std::vector<size_t>
        idle;  // those where nothing ran when the group was found and nothing was placed since
  };
  bool place_gangs(Demand& demand);  // as place()
  void find_groups();
  void sweep_idle(Group& group);
  [[nodiscard]] std::vector<size_t> idle_for(const Group& group, const VariantNeed& need,
                                             const Scheduler::WaitKey& own);
  [[nodiscard]] std::vector<size_t> drain_first(const VariantNeed& need, uint64_t gangs);

  // backlog.cc
  struct Want {
    size_t room;
    uint64_t count;
  };
  bool fill_backlogs(Demand& demand);  // as place()
  void find_backlog_wants(const Demand& demand);
  void put_backlog(Demand& demand, const Want& want);
  [[nodiscard]] bool takes_backlog(size_t room) const;
  [[nodiscard]] std::vector<Want> backlog_wants(const VariantNeed& need, double seconds, float mean);
  [[nodiscard]] float mean_of(ClassId klass) const;
  bool retract();
  void retract_from(size_t room);
  bool retract_at_once(size_t room);
  uint64_t& elsewhere(ClassId klass);
  [[nodiscard]] uint64_t room_in_all(const VariantNeed& need);

  // reserve.cc
  void open_reservations();
  void open_reservation(Demand& demand, Scheduler::WaitingClasses::iterator waits);
  bool place_reserved(Demand& demand, const std::vector<size_t>& rooms);
  void keep_for_gang(const Demand& demand);
  void keep_for_one(const Demand& demand, const VariantNeed& need, size_t room);
  Scheduler::WaitingClasses::iterator end_wait(Scheduler::WaitingClasses::iterator wait);
  void judge_waiting();
  void wait_or_reserve(size_t order);
  [[nodiscard]] bool is_passed(size_t order) const;
  [[nodiscard]] std::vector<WorkerId> choose_reserved(ClassId klass);

  // keep.cc
  struct Keeper {  // a variant that waits at this priority
    size_t demand;
    const VariantNeed* need;
  };
  struct Put {  // slots put into a room that are not in the state yet
    size_t room;
    size_t demand;
    uint64_t count;
  };
  void prepare_keep();
  bool keep_from_lower();
  void keep_in(size_t room);
  void mark_shut(size_t room);
  void settle(size_t room);
  bool count_holders(size_t room);
  void forget_holders(size_t room);
  void cap_for(const Keeper& keeper, size_t room, uint64_t most);
  void ask_again_when_too_short(const Room& room, const VariantNeed& need);

  const PlanInput* in_ = nullptr;
  Scheduler::WaitingClasses* waiting_ = nullptr;
  Scheduler::AheadFound* ahead_before_ = nullptr;
  Placement* out_ = nullptr;
  Rooms rooms_;
  std::vector<Group> groups_;  // by name of the workers' group; only when gangs wait
  bool groups_known_ = false;

  std::set<WorkerId> shunned_;

  // the cursor
  bool begun_ = false;
  bool open_ = false;  // all workers are read
  std::optional<int32_t> priority_;
  Stage stage_ = Stage::kSlots;
  std::vector<Demand> demands_;   // of this priority, in order
  std::vector<size_t> order_of_;  // by class: index into demands_
  size_t next_ = 0;               // of demands_, or of the rooms' blocks
  size_t next_block_ = 0;         // within the class at hand
  uint64_t most_work_ = 0;        // of this step

  std::vector<bool> known_;  // classes that were ready when the pass began: the only ones it looks at
  // Resources that any ready class asks for.
  std::vector<bool> wanted_;
  // Resources that every variant of every ready class asks for, and the least amount of it that one does.
  std::vector<std::pair<ResourceIndex, int64_t>> needed_by_all_;
  // What was placed at this priority: the least amounts asked for, and the youngest class that got something.
  std::vector<int64_t> least_placed_;
  std::optional<size_t> last_placed_;
  size_t new_reservations_ = 0;

  // of the class at hand
  std::vector<Rooms::Look> looks_{1};  // by variant
  std::vector<bool> found_;            // by variant: a room in which it fits
  bool found_some_ = false;            // of the only variant
  uint64_t raises_then_ = 0;           // when looking began

  // of the class at hand, while backlogs are filled
  std::vector<Want> wants_;
  size_t next_want_ = 0;
  uint64_t wanted_in_all_ = 0;
  uint64_t to_share_ = 0;  // tasks that waited when that was found out

  // of the class with variants at hand
  std::vector<Offer> offers_;
  std::vector<std::vector<Choice>> choices_;
  std::vector<uint64_t> rooms_seen_;                      // by variant: offers in which it fits
  std::vector<uint64_t> fits_;                            // of the room at hand, by variant
  std::vector<int64_t> key_;                              // and what its choices depend on
  std::map<std::vector<int64_t>, size_t> known_choices_;  // rooms that are alike in what matters count as one
  uint64_t combinations_ = 0;                             // compared so far
  std::optional<uint8_t> only_variant_;
  std::vector<Taking> takings_;  // chosen among all offers
  size_t next_taking_ = 0;
  std::optional<Others> others_;  // of this step and priority, once somebody has asked
  size_t spared_in_ = 0;          // rooms in which something to spare was looked for

  // while things are kept from lower priorities
  std::vector<Keeper> keepers_;
  std::vector<uint64_t> settled_;  // by block: rooms, as bits
  uint64_t keeper_classes_ = 0;    // Rooms::bit_of
  std::vector<Put> put_;
  size_t next_put_ = 0;
  std::vector<uint64_t> held_;  // by demand, of the room at hand
  std::vector<int64_t> lower_;  // by resource: what lower priorities hold of it

  // Placed on workers with a least utilisation; handed over at the end, if that is reached.
  std::vector<std::pair<size_t, Placed>> held_back_;
  size_t next_held_back_ = 0;
  std::vector<WorkerId> underused_;
  std::map<WorkerId, int32_t> draining_;
  std::map<WorkerId, int32_t> left_idle_;
  std::vector<std::pair<Scheduler::WaitKey, Scheduler::Waiting>> ended_waits_;
  std::map<ClassId, uint64_t> room_elsewhere_;
};

}  // namespace hq
