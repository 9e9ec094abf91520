// What classes that wait keep from lower priorities: of each worker that could run them, room by room.
#include <algorithm>
#include <bit>

#include "core/scheduler/left.h"
#include "core/scheduler/pass.h"

namespace hq {

namespace {

// A room that is shut is looked at for so many variants at most: one that could run there is mostly among
// them.
constexpr size_t kLooks = 16;

}  // namespace

// What is kept for a task is free for others once the worker's life has become too short for it.
void Pass::ask_again_when_too_short(const Room& room, const VariantNeed& need) {
  if (need.min_time <= Duration::zero() || room.life == Duration::max()) return;
  const Duration left = room.life - need.min_time + 1ms;
  out_->again_in = std::min(out_->again_in.value_or(left), left);
}

void Pass::keep_for_gang(const Demand& demand) {
  if (demand.remaining == 0 || needs(demand.klass)[0].nodes == 0) return;
  find_groups();
  for (size_t i : drain_first(needs(demand.klass)[0], demand.remaining)) {
    Room& room = rooms_.at(i);
    room.capped_by = std::max(room.capped_by.value_or(*priority_), *priority_);
    draining_.emplace(room.worker->id, *priority_);
    ask_again_when_too_short(room, needs(demand.klass)[0]);
    for (ResourceIndex r = 0; r < rooms_.resources(); ++r) rooms_.set_cap(i, r, 0);
  }
}

void Pass::prepare_keep() {
  keepers_.clear();
  keeper_classes_ = 0;
  for (size_t d = 0; d < demands_.size(); ++d) {
    if (demands_[d].remaining == 0) continue;
    keeper_classes_ |= Rooms::bit_of(demands_[d].klass);
    for (const VariantNeed& need : needs(demands_[d].klass)) {
      if (need.nodes == 0) keepers_.push_back({d, &need});
    }
  }
  for (const auto& [room, placed] : held_back_) {
    if (placed.priority == *priority_) put_.push_back({room, order_of_[placed.klass.value], placed.count});
  }
  std::sort(put_.begin(), put_.end(), [](const Put& a, const Put& b) { return a.room < b.room; });
  next_put_ = 0;
  held_.assign(demands_.size(), 0);
  lower_.assign(rooms_.resources(), 0);
  rooms_.work += demands_.size();
}

// False when the step is spent before all rooms were seen.
bool Pass::keep_from_lower() {
  if (keepers_.empty()) return true;
  while (next_ < rooms_.blocks()) {
    const size_t block = next_++;
    const size_t rooms = std::min(Rooms::kBlock, rooms_.size() - block * Rooms::kBlock);
    const uint64_t all = rooms == Rooms::kBlock ? ~uint64_t{0} : (uint64_t{1} << rooms) - 1;
    ++rooms_.work;
    uint64_t open = all & ~settled_[block];
    const uint64_t shut = open == 0 ? 0 : rooms_.lacking(block, needed_by_all_);
    for (; open != 0; open &= open - 1) {
      const auto k = size_t(std::countr_zero(open));
      const size_t i = block * Rooms::kBlock + k;
      if (rooms_.at(i).closed) continue;
      (shut >> k & 1) != 0 ? mark_shut(i) : keep_in(i);
      settle(i);
    }
    if (is_spent()) return next_ == rooms_.blocks();
  }
  return true;
}

// Settled is a room in which nothing changes any more, whoever comes after.
void Pass::settle(size_t i) {
  if (rooms_.at(i).capped_by && is_shut(i)) settled_[i / Rooms::kBlock] |= uint64_t{1} << (i % Rooms::kBlock);
}

void Pass::keep_in(size_t i) {
  rooms_.work += 2;
  rooms_.touch(*in_, i);
  const bool held = count_holders(i);
  Room& room = rooms_.at(i);
  for (const Keeper& keeper : keepers_) {
    rooms_.work += 3;
    const uint64_t most = rooms_.fit_total(i, *keeper.need);
    if (most == 0) continue;
    room.capped_by = std::max(room.capped_by.value_or(*priority_), *priority_);
    cap_for(keeper, i, most);
    ask_again_when_too_short(room, *keeper.need);
    if (is_shut(i)) break;
  }
  if (held) forget_holders(i);
}

// Nothing can be placed in a room that is shut; but its backlog is none of lower priorities either when one
// of these classes could run there.
void Pass::mark_shut(size_t i) {
  Room& room = rooms_.at(i);
  if (room.capped_by) return;
  for (size_t k = 0; k < std::min(kLooks, keepers_.size()); ++k) {
    rooms_.work += 2;
    if (rooms_.fit_total(i, *keepers_[k].need) == 0) continue;
    room.capped_by = *priority_;
    return;
  }
}

// Who holds what of the room: how many tasks of each class that waits, and what lower priorities have. False
// when there is nothing of that.
bool Pass::count_holders(size_t i) {
  while (next_put_ < put_.size() && put_[next_put_].room < i) ++next_put_;
  const bool was_put = next_put_ < put_.size() && put_[next_put_].room == i;
  const bool before = rooms_.may_be_held(i, *priority_, keeper_classes_);
  for (size_t p = next_put_; p < put_.size() && put_[p].room == i; ++p)
    held_[put_[p].demand] += put_[p].count;
  if (!before) return was_put;
  for (const WorkerState::InUse& use : rooms_.at(i).worker->in_use) {
    if (const size_t d = order_of(use.klass); d != kNoOrder) held_[d] += use.count;
    if (use.priority >= *priority_) continue;
    for (const VariantNeed::Item& item : needs(use.klass)[use.variant].items) {
      const int64_t each = item.all ? rooms_.total(i, item.resource) : int64_t(item.amount.scaled);
      lower_[item.resource] += each * int64_t{use.count};
    }
  }
  return true;
}

void Pass::forget_holders(size_t i) {
  for (const WorkerState::InUse& use : rooms_.at(i).worker->in_use) {
    if (const size_t d = order_of(use.klass); d != kNoOrder) held_[d] = 0;
  }
  for (size_t p = next_put_; p < put_.size() && put_[p].room == i; ++p) held_[put_[p].demand] = 0;
  std::fill(lower_.begin(), lower_.end(), 0);
}

void Pass::cap_for(const Keeper& keeper, size_t i, uint64_t most) {
  Keeping of;
  of.fit = most;
  of.held = held_[keeper.demand];
  of.waiting = demands_[keeper.demand].remaining;
  for (const VariantNeed::Item& item : keeper.need->items) {
    of.total = rooms_.total(i, item.resource);
    of.free = rooms_.free(i, item.resource);
    of.each = item.all ? of.total : int64_t(item.amount.scaled);
    of.lower = lower_[item.resource];
    rooms_.set_cap(i, item.resource, left_for_lower(of));
  }
}

}  // namespace hq
