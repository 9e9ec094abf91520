// plan: stages are demand (classes of a priority, oldest job first) → place (slots) → backlog → retract.
#include <algorithm>
#include <cmath>
#include <map>

#include "core/scheduler/scheduler_limits.h"
#include "hq/base/assert.h"
#include "hq/core/scheduler.h"

namespace hq {

namespace {

struct Room {  // a worker while we plan
  const WorkerState* worker;
  AmountVector free;     // after slots, running, lingering, what we place, and its own backlog
  AmountVector blocked;  // > 0 for resources that a higher priority waits for here
  uint64_t backlog = 0;  // with what we add
};

struct Demand {
  ClassId klass;
  uint64_t remaining;
  JobId oldest;
  const ReadyClass* ready;
};

std::vector<Demand> demands_of(const ReadyQueue::Classes& classes) {
  std::vector<Demand> out;
  for (const auto& [klass, ready] : classes) {
    out.push_back({klass, ready.count, ready.groups.begin()->first.job, &ready});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Demand& a, const Demand& b) { return a.oldest < b.oldest; });
  return out;
}

bool is_blocked(const VariantNeed& need, const Room& room) {
  return std::any_of(need.items.begin(), need.items.end(), [&](const VariantNeed::Item& item) {
    return !room.blocked.at(item.resource).is_zero();
  });
}

class Planner {
 public:
  explicit Planner(const PlanInput& input) : in_(input) {
    for (const auto& [id, worker] : in_.state.alive_workers()) {
      if (in_.closed.contains(id)) continue;
      if (in_.only != nullptr && !in_.only->contains(id)) continue;
      rooms_.push_back({worker, worker->free, {}, worker->backlog});
    }
  }

  Placement run() {
    for (const auto& [priority, classes] : in_.state.ready().priorities()) {
      if (rooms_.empty()) break;
      std::vector<Demand> demands = demands_of(classes);
      for (Demand& demand : demands) place_slots(priority, demand);
      for (Demand& demand : demands) {
        if (demand.remaining > 0) fill_backlogs(priority, demand);
      }
      for (const Demand& demand : demands) {
        if (demand.remaining > 0) block_lower(demand);
      }
    }
    retract();
    return std::move(out_);
  }

 private:
  [[nodiscard]] const std::vector<VariantNeed>& needs(ClassId klass) const {
    return in_.state.classes().needs(klass);
  }

  // What the worker will start from its backlog before a task of this priority is not free for it.
  [[nodiscard]] AmountVector free_for(const Room& room, int32_t priority) const {
    AmountVector free = room.free;
    for (const auto& of : room.worker->backlog_of) {
      if (of.priority < priority) continue;
      const VariantNeed& need = needs(of.klass)[0];
      const uint64_t fits = std::min<uint64_t>(of.count, fit_count(need, free, room.worker->total));
      take(free, need, room.worker->total, fits);
    }
    return free;
  }

  static void take(AmountVector& free, const VariantNeed& need, const AmountVector& total, uint64_t n) {
    for (const VariantNeed::Item& item : need.items) {
      const Amount each = item.all ? total.at(item.resource) : item.amount;
      free.subtract(item.resource, Amount::from_scaled(each.scaled * n));
    }
  }

  void place_slots(int32_t priority, Demand& demand) {
    const std::vector<VariantNeed>& variants = needs(demand.klass);
    for (Room& room : rooms_) {
      if (demand.remaining == 0) return;
      for (size_t v = 0; v < variants.size() && demand.remaining > 0; ++v) {
        if (!could_run(variants[v], *room.worker, in_.now) || is_blocked(variants[v], room)) continue;
        const AmountVector free = room.worker->backlog_of.empty() ? room.free : free_for(room, priority);
        uint64_t n = std::min(fit_count(variants[v], free, room.worker->total), demand.remaining);
        if (variants[v].items.empty()) n = std::min(n, kMaxWithoutResources);
        if (n == 0) continue;
        take(room.free, variants[v], room.worker->total, n);
        demand.remaining -= n;
        out_.placed.push_back({room.worker->id, priority, demand.klass, uint8_t(v), n, true});
      }
    }
  }

  // Mean duration of the tasks at the head of this demand, in seconds; negative when not known.
  [[nodiscard]] float mean_of(const Demand& demand) const {
    const GroupKey head = demand.ready->groups.begin()->first;
    const float own = in_.state.find_job(head.job)->groups[head.group]->mean_ran_s;
    return own >= 0 ? own : in_.state.class_mean_ran_s(demand.klass);
  }

  void fill_backlogs(int32_t priority, Demand& demand) {
    const float mean = mean_of(demand);
    if (mean < 0) return;
    const std::vector<VariantNeed>& variants = needs(demand.klass);
    if (!variants[0].may_wait_at_worker) return;
    struct Want {
      Room* room;
      uint64_t count;
    };
    std::vector<Want> wants;
    uint64_t total = 0;
    for (Room& room : rooms_) {
      const WorkerState& worker = *room.worker;
      if (room.backlog >= kMaxBacklog || in_.retracting.contains(worker.id)) continue;
      if (!could_run(variants[0], worker, in_.now) || is_blocked(variants[0], room)) continue;
      const double at_once =
          double(std::min<uint64_t>(fit_count(variants[0], worker.total, worker.total), kMaxBacklog));
      // What we send may have to wait for the commit under way and for its own.
      const double seconds = kBacklogSeconds + 2 * std::chrono::duration<double>(in_.commit_time).count();
      const double depth =
          std::floor(std::min(double(kMaxBacklog), at_once * seconds / std::max(mean, 1e-6F)));
      const auto target = uint64_t(depth);
      if (room.backlog * 2 > target) continue;  // topped up when half is gone: few, larger messages
      const uint64_t n = target - room.backlog;
      if (n == 0) continue;
      wants.push_back({&room, n});
      total += n;
    }
    if (total == 0) return;
    const uint64_t available = demand.remaining;
    for (const Want& want : wants) {
      uint64_t n = want.count;
      if (total > available) n = want.count * available / total;  // a fair share of what is left
      if (n == 0) continue;
      want.room->backlog += n;
      demand.remaining -= n;
      out_.placed.push_back({want.room->worker->id, priority, demand.klass, 0, n, false});
    }
  }

  void block_lower(const Demand& demand) {
    for (Room& room : rooms_) {
      for (const VariantNeed& need : needs(demand.klass)) {
        if (!could_run(need, *room.worker, in_.now)) continue;
        for (const VariantNeed::Item& item : need.items) room.blocked.add(item.resource, Amount::units(1));
      }
    }
  }

  // Backlogs whose tasks an idle worker could start now are taken back; a backlog that its worker will have
  // started within a few milliseconds anyway is left alone.
  void retract() {
    if (in_.only != nullptr) return;
    std::map<WorkerId, bool> asked;
    for (const auto& [id, holder] : in_.state.alive_workers()) {
      if (holder->backlog == 0 || in_.retracting.contains(id)) continue;
      for (const auto& of : holder->backlog_of) {
        if (asked[id]) break;
        const VariantNeed& need = needs(of.klass)[0];
        uint64_t room_elsewhere = 0;
        for (Room& room : rooms_) {
          if (room.worker->id == id || !could_run(need, *room.worker, in_.now) || is_blocked(need, room))
            continue;
          room_elsewhere += std::min<uint64_t>(fit_count(need, room.free, room.worker->total), kMaxBacklog);
        }
        if (room_elsewhere == 0) continue;
        const Duration stalled = in_.now - holder->last_progress;
        if (stalled < kRetractAfter) {
          const Duration left = kRetractAfter - stalled;
          out_.again_in = std::min(out_.again_in.value_or(left), left);
          continue;
        }
        const auto count = uint32_t(std::min<uint64_t>(room_elsewhere, of.count));
        out_.retractions.push_back({id, of.definition, count});
        asked[id] = true;
      }
    }
  }

  const PlanInput& in_;
  std::vector<Room> rooms_;
  Placement out_;
};

}  // namespace

Placement plan(const PlanInput& input) {
  return Planner(input).run();
}

}  // namespace hq
