// A class that has been passed by for too long gets one worker (or one gang) that drains for it.
#include <algorithm>

#include "core/scheduler/left.h"
#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

// Reserved workers first try the class they are reserved for; then the rest of the priority gets what that
// class leaves of them.
void Pass::open_reservations() {
  auto waits = waiting_->lower_bound({*priority_, ClassId(0)});
  while (waits != waiting_->end() && waits->first.first == *priority_) {
    const auto next = std::next(waits);
    const size_t order = order_of(waits->first.second);
    if (order != kNoOrder && !waits->second.reserved.empty()) open_reservation(demands_[order], waits);
    waits = next;
  }
}

void Pass::open_reservation(Demand& demand, Scheduler::WaitingClasses::iterator waits) {
  std::vector<size_t> rooms;
  for (WorkerId worker : waits->second.reserved) {
    const auto room = rooms_.find(worker);
    if (!room || rooms_.at(*room).closed) break;
    rooms.push_back(*room);
  }
  if (rooms.size() != waits->second.reserved.size()) {
    waits->second.reserved.clear();  // one of them has gone: chosen again
    return;
  }
  for (size_t i : rooms) rooms_.at(i).kept_for = waits->first;
  if (place_reserved(demand, rooms)) {
    for (size_t i : rooms) rooms_.at(i).kept_for.reset();
    end_wait(waits);
    return;
  }
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  for (size_t i : rooms) {
    if (variants[0].nodes > 0) {
      for (ResourceIndex r = 0; r < rooms_.resources(); ++r) rooms_.set_cap(i, r, 0);
    } else {
      for (const VariantNeed& need : variants) keep_for_one(demand, need, i);
    }
  }
}

bool Pass::place_reserved(Demand& demand, const std::vector<size_t>& rooms) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  if (variants[0].nodes > 0) place_gangs(demand);
  for (size_t v = 0; v < variants.size() && variants[0].nodes == 0 && !demand.got_some; ++v) {
    if (room_for(rooms[0], demand, variants[v]) > 0) take(rooms[0], demand, uint8_t(v), 1);
  }
  return demand.got_some;
}

// One task of the class shall fit there once what runs has ended. Others may have what it would leave.
void Pass::keep_for_one(const Demand& demand, const VariantNeed& need, size_t i) {
  if (rooms_.fit_total(i, need) == 0) return;
  const WorkerState& worker = *rooms_.at(i).worker;
  const bool whole = needs_whole_groups(in_->state.classes().request(demand.klass));
  for (const VariantNeed::Item& item : need.items) {
    const int64_t total = rooms_.total(i, item.resource);
    const int64_t each = item.all || whole ? total : int64_t(item.amount.scaled);
    const int64_t others = held_by_others(in_->state, worker, item.resource, demand.klass);
    rooms_.set_cap(i, item.resource, left_beside_one(total, rooms_.free(i, item.resource), each, others));
  }
}

// --- fairness within a priority ---------------------------------------------------------------------------

// Somebody who asks for less, or whose turn is later, got what this class could not wait for.
bool Pass::is_passed(size_t order) const {
  if (!last_placed_) return false;
  if (*last_placed_ > demands_[order].age) return true;
  const std::vector<VariantNeed>& variants = needs(demands_[order].klass);
  if (variants[0].nodes > 0) return true;
  return std::any_of(variants.begin(), variants.end(), [&](const VariantNeed& need) {
    return std::any_of(need.items.begin(), need.items.end(), [&](const VariantNeed::Item& item) {
      const int64_t asked = item.all ? Rooms::kNoCap : int64_t(item.amount.scaled);
      return asked > least_placed_[item.resource];
    });
  });
}

// What was placed may come back, where amounts do not tell all.
Scheduler::WaitingClasses::iterator Pass::end_wait(Scheduler::WaitingClasses::iterator wait) {
  if (needs_whole_groups(in_->state.classes().request(wait->first.second))) ended_waits_.push_back(*wait);
  return waiting_->erase(wait);
}

void Pass::judge_waiting() {
  // Classes of this priority that do not wait any more are forgotten, with their reservations.
  for (auto it = waiting_->lower_bound({*priority_, ClassId(0)});
       it != waiting_->end() && it->first.first == *priority_;) {
    const size_t order = order_of(it->first.second);
    const bool waits = order != kNoOrder && demands_[order].remaining > 0 && !demands_[order].got_some;
    // What was kept there in this pass is for others now.
    if (!waits && !it->second.reserved.empty()) out_->again_in = Duration::zero();
    it = waits ? std::next(it) : end_wait(it);
  }
  if (!last_placed_ && waiting_->empty()) return;
  new_reservations_ = 0;
  for (size_t d = 0; d < demands_.size(); ++d) {
    if (demands_[d].remaining > 0 && !demands_[d].got_some) wait_or_reserve(d);
  }
}

void Pass::wait_or_reserve(size_t order) {
  const Scheduler::WaitKey key{*priority_, demands_[order].klass};
  auto found = waiting_->find(key);
  if (found == waiting_->end()) {
    if (!is_passed(order)) return;
    found = waiting_->emplace(key, Scheduler::Waiting{in_->now, {}}).first;
  }
  if (!found->second.reserved.empty()) return;
  const Duration left = found->second.since + kPatience - in_->now;
  if (left > Duration::zero()) {
    out_->again_in = std::min(out_->again_in.value_or(left), left);
    return;
  }
  if (new_reservations_ >= kMaxNewReservations) {
    out_->again_in = std::min(out_->again_in.value_or(kNextReservations), kNextReservations);
    return;
  }
  ++new_reservations_;
  found->second.reserved = choose_reserved(key.second);
  for (WorkerId worker : found->second.reserved) rooms_.at(*rooms_.find(worker)).kept_for = key;
}

// The worker (or gang) that will have room soonest, as far as amounts tell.
std::vector<WorkerId> Pass::choose_reserved(ClassId klass) {
  const std::vector<VariantNeed>& variants = needs(klass);
  std::vector<WorkerId> out;
  if (variants[0].nodes > 0) {
    find_groups();
    for (size_t i : drain_first(variants[0], 1)) {
      if (rooms_.at(i).kept_for || rooms_.at(i).worker->gang) return {};
      out.push_back(rooms_.id(i));
    }
    return out;
  }
  rooms_.work += rooms_.size() * 4;
  double least_missing = 2;
  std::optional<size_t> best;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    if (rooms_.at(i).kept_for || rooms_.at(i).gang || rooms_.at(i).watched()) continue;
    for (const VariantNeed& need : variants) {
      if (rooms_.fit_total(i, need) == 0) continue;
      double missing = 0;
      for (const VariantNeed::Item& item : need.items) {
        const auto total = double(rooms_.total(i, item.resource));
        const double each = item.all ? total : double(item.amount.scaled);
        missing = std::max(missing, (each - double(rooms_.free(i, item.resource))) / total);
      }
      if (missing >= least_missing) continue;
      least_missing = missing;
      best = i;
    }
  }
  if (best) out.push_back(rooms_.id(*best));
  return out;
}

}  // namespace hq
