// What workers hold beyond what runs: short tasks ahead, and taking them back.
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

// Mean duration of the tasks at the head of this class, in seconds; negative when not known.
float Pass::mean_of(ClassId klass) const {
  const ReadyClass* now = ready(klass);
  if (now == nullptr) return -1;
  const GroupKey head = now->groups.begin()->first;
  const float own = in_->state.find_job(head.job)->groups[head.group]->mean_ran_s(klass);
  return own >= 0 ? own : in_->state.class_mean_ran_s(klass);
}

// How many tasks each room would like to have.
std::vector<Pass::Want> Pass::backlog_wants(const VariantNeed& need, double seconds, float mean) {
  std::vector<Want> wants;
  const double per_slot = seconds / std::max(mean, 1e-6F);
  rooms_.work += rooms_.size() / 2;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const Room& room = rooms_.at(i);
    if (room.backlog >= kMaxBacklog || room.closed || room.watched() || room.kept_for || room.capped_by)
      continue;
    const auto at_once = double(std::min<uint64_t>(rooms_.fit_total(i, need), kMaxBacklog));
    const auto target = uint64_t(std::min(double(kMaxBacklog), at_once * per_slot));
    if (room.backlog * 2 > target) continue;  // topped up when half is gone: few, larger messages
    rooms_.touch(*in_, i);
    if (room.backlog < target && takes_backlog(i)) wants.push_back({i, target - room.backlog});
  }
  return wants;
}

bool Pass::takes_backlog(size_t i) const {
  const Room& room = rooms_.at(i);
  return !room.closed && !room.least_use && !room.occupied && !room.gang &&
         !in_->retracting.contains(rooms_.id(i));
}

void Pass::find_backlog_wants(const Demand& demand) {
  wants_.clear();
  next_want_ = 0;
  const VariantNeed& need = needs(demand.klass)[0];
  if (!need.may_wait_at_worker) return;
  const float mean = mean_of(demand.klass);
  // What we send may have to wait for the commit under way and for its own.
  const double seconds = kBacklogSeconds + 2 * std::chrono::duration<double>(in_->commit_time).count();
  if (mean < 0 || double(kMaxBacklog) * seconds < double{mean}) return;
  wants_ = backlog_wants(need, seconds, mean);
  wanted_in_all_ = 0;
  for (const Want& want : wants_) wanted_in_all_ += want.count;
  to_share_ = demand.remaining;
}

bool Pass::fill_backlogs(Demand& demand) {
  if (next_want_ == wants_.size() && demand.remaining > 0) find_backlog_wants(demand);
  while (next_want_ < wants_.size()) {
    put_backlog(demand, wants_[next_want_++]);
    if (is_spent() && next_want_ < wants_.size()) return false;
  }
  return true;
}

void Pass::put_backlog(Demand& demand, const Want& want) {
  uint64_t n = want.count;
  if (wanted_in_all_ > to_share_)
    n = want.count * to_share_ / wanted_in_all_;  // a fair share of what is left
  n = std::min(n, demand.remaining);
  if (n == 0) return;
  rooms_.touch(*in_, want.room);  // since it was asked, in an earlier step
  if (!takes_backlog(want.room)) return;
  rooms_.at(want.room).backlog += n;
  put(want.room, demand, 0, n, false);
}

// --- taking back ------------------------------------------------------------------------------------------

// How many tasks could start now on all workers together; no more than is worth knowing.
uint64_t Pass::room_in_all(const VariantNeed& need) {
  uint64_t sum = 0;
  rooms_.look_for(need, looks_[0]);
  for (size_t block = 0; block < rooms_.blocks() && sum <= UINT32_MAX; ++block) {
    for (uint64_t bits = rooms_.fitting(block, looks_[0]); bits != 0; bits &= bits - 1) {
      const size_t i = block * Rooms::kBlock + size_t(std::countr_zero(bits));
      const Room& room = rooms_.at(i);
      if (room.closed || room.watched() || !rooms_.lives_for(i, need)) continue;
      sum += std::min<uint64_t>(rooms_.fit(i, need), kMaxBacklog);
    }
  }
  return sum;
}

uint64_t& Pass::elsewhere(ClassId klass) {
  const auto [known, is_new] = room_elsewhere_.emplace(klass, 0);
  if (is_new) known->second = room_in_all(needs(klass)[0]);
  return known->second;
}

// A worker that is kept for something gives back what must not start before it; one that is watched, all.
bool Pass::retract_at_once(size_t i) {
  const Room& room = rooms_.at(i);
  if (!room.kept_for && !room.capped_by && !room.watched()) return false;
  for (const WorkerState::BacklogOf& of : room.worker->backlog_of) {
    const bool other = room.kept_for && of.klass != room.kept_for->second;
    const bool lower = room.capped_by && of.priority < *room.capped_by;
    if (!other && !lower && !room.watched()) continue;
    out_->retractions.push_back({room.worker->id, of.definition, of.count});
    rooms_.work += Rooms::kPlacedWork;
    return true;
  }
  return false;
}

// Backlogs whose tasks an idle worker could start now are taken back; a backlog that its worker will have
// started within a few milliseconds anyway is left alone.
void Pass::retract_from(size_t i) {
  if (rooms_.at(i).backlog == 0 && !rooms_.at(i).changed) return;
  const WorkerState& holder = *rooms_.at(i).worker;
  if (!holder.alive() || holder.backlog == 0 || in_->retracting.contains(holder.id)) return;
  if (in_->asked != nullptr && in_->asked->contains(holder.id)) return;
  if (retract_at_once(i)) return;
  for (const WorkerState::BacklogOf& of : holder.backlog_of) {
    rooms_.work += Rooms::kRoomWork;
    const VariantNeed& need = needs(of.klass)[0];
    uint64_t& all = elsewhere(of.klass);
    const uint64_t own = rooms_.at(i).closed ? 0 : std::min<uint64_t>(rooms_.fit(i, need), kMaxBacklog);
    if (all <= own) continue;
    const Duration stalled = in_->now - holder.last_progress;
    if (stalled < kRetractAfter) {
      const Duration left = kRetractAfter - stalled;
      out_->again_in = std::min(out_->again_in.value_or(left), left);
      continue;
    }
    const auto count = uint32_t(std::min<uint64_t>(all - own, of.count));
    out_->retractions.push_back({holder.id, of.definition, count});
    rooms_.work += Rooms::kPlacedWork;
    all -= count;
    return;
  }
}

// False when the step is spent before all were asked.
bool Pass::retract() {
  while (next_ < rooms_.size()) {
    retract_from(next_++);
    ++rooms_.work;
    if (is_spent()) return next_ == rooms_.size();
  }
  return true;
}

}  // namespace hq
