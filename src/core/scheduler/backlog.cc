// What workers hold beyond what runs: short tasks ahead, and taking them back.
#include <algorithm>
#include <cmath>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

// Mean duration of the tasks at the head of this class, in seconds; negative when not known.
float Pass::mean_of(ClassId klass) const {
  const ReadyClass* now = ready(klass);
  if (now == nullptr) return -1;
  const GroupKey head = now->groups.begin()->first;
  const float own = in_->state.find_job(head.job)->groups[head.group]->mean_ran_s;
  return own >= 0 ? own : in_->state.class_mean_ran_s(klass);
}

void Pass::fill_backlogs(Demand& demand) {
  ++work_;
  if (demand.remaining == 0) return;
  const VariantNeed& need = needs(demand.klass)[0];
  if (!need.may_wait_at_worker) return;
  const float mean = mean_of(demand.klass);
  // What we send may have to wait for the commit under way and for its own.
  const double seconds = kBacklogSeconds + 2 * std::chrono::duration<double>(in_->commit_time).count();
  if (mean < 0 || double(kMaxBacklog) * seconds < double{mean}) return;
  work_ += rooms_.size();
  struct Want {
    size_t room;
    uint64_t count;
  };
  std::vector<Want> wants;
  uint64_t total = 0;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const Room& room = rooms_.at(i);
    if (room.closed || room.watched() || room.kept_for || room.capped_by) continue;
    rooms_.touch(*in_, i);
    if (room.closed || room.backlog >= kMaxBacklog || room.no_backlog || room.occupied || room.gang) continue;
    if (in_->retracting.contains(room.worker->id)) continue;
    const auto at_once = double(std::min<uint64_t>(rooms_.fit_total(i, need), kMaxBacklog));
    const double depth = std::floor(std::min(double(kMaxBacklog), at_once * seconds / std::max(mean, 1e-6F)));
    const auto target = uint64_t(depth);
    if (room.backlog * 2 > target) continue;  // topped up when half is gone: few, larger messages
    const uint64_t n = target - room.backlog;
    if (n == 0) continue;
    wants.push_back({i, n});
    total += n;
  }
  if (total == 0) return;
  const uint64_t available = demand.remaining;
  for (const Want& want : wants) {
    uint64_t n = want.count;
    if (total > available) n = want.count * available / total;  // a fair share of what is left
    if (n == 0) continue;
    rooms_.at(want.room).backlog += n;
    put(want.room, demand, 0, n, false);
  }
}

// --- taking back ------------------------------------------------------------------------------------------

// How many tasks could start now on all workers together.
uint64_t Pass::room_in_all(const VariantNeed& need) const {
  uint64_t sum = 0;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const Room& room = rooms_.at(i);
    if (room.closed || room.watched() || !rooms_.lives_for(i, need)) continue;
    sum += std::min<uint64_t>(rooms_.fit(i, need), kMaxBacklog);
  }
  return sum;
}

// A worker that is kept for something gives back what must not start before it; one that is watched, all.
bool Pass::retract_at_once(size_t i, Placement& out) {
  const Room& room = rooms_.at(i);
  if (!room.kept_for && !room.capped_by && !room.watched()) return false;
  for (const WorkerState::BacklogOf& of : room.worker->backlog_of) {
    const bool other = room.kept_for && of.klass != room.kept_for->second;
    const bool lower = room.capped_by && of.priority < *room.capped_by;
    if (!other && !lower && !room.watched()) continue;
    out.retractions.push_back({room.worker->id, of.definition, of.count});
    return true;
  }
  return false;
}

// Backlogs whose tasks an idle worker could start now are taken back; a backlog that its worker will have
// started within a few milliseconds anyway is left alone.
void Pass::retract(Placement& out) {
  struct Elsewhere {
    ClassId klass;
    uint64_t room;
  };
  std::vector<Elsewhere> known;
  const auto elsewhere = [&](ClassId klass) -> uint64_t& {
    for (Elsewhere& entry : known) {
      if (entry.klass == klass) return entry.room;
    }
    known.push_back({klass, room_in_all(needs(klass)[0])});
    return known.back().room;
  };
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const WorkerState& holder = *rooms_.at(i).worker;
    if (!holder.alive() || holder.backlog == 0 || in_->retracting.contains(holder.id)) continue;
    if (retract_at_once(i, out)) continue;
    for (const WorkerState::BacklogOf& of : holder.backlog_of) {
      const VariantNeed& need = needs(of.klass)[0];
      uint64_t& all = elsewhere(of.klass);
      const uint64_t own = rooms_.at(i).closed ? 0 : std::min<uint64_t>(rooms_.fit(i, need), kMaxBacklog);
      if (all <= own) continue;
      const Duration stalled = in_->now - holder.last_progress;
      if (stalled < kRetractAfter) {
        const Duration left = kRetractAfter - stalled;
        out.again_in = std::min(out.again_in.value_or(left), left);
        continue;
      }
      const auto count = uint32_t(std::min<uint64_t>(all - own, of.count));
      out.retractions.push_back({holder.id, of.definition, count});
      all -= count;
      break;
    }
  }
}

}  // namespace hq
