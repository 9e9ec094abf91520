// The decision in steps: what will come anyway, what multi-node tasks take of it and need besides, how many
// workers more the plan would use, cut to what each queue may submit.
#include "hq/core/alloc_policy.h"

#include <algorithm>
#include <optional>

#include "hq/core/alloc_outlook.h"

namespace hq {

namespace {

constexpr Duration kArrival = 60s;  // the workers of an allocation come within that time of each other

// Workers that will come together.
struct Coming {
  std::optional<uint32_t> waits;  // the number of an allocation that waits in the batch system
  uint64_t workers = 0;           // those that no multi-node task takes
  uint64_t together = 0;          // with those of the allocation that have come already
  bool taken = false;             // by a multi-node task
};

class QueuePlan {
 public:
  QueuePlan(const AllocQueue& queue, WallTime now, bool pausing);

  [[nodiscard]] AllocQueueId id() const { return queue_.id; }
  [[nodiscard]] bool outlives(Duration time) const;
  // Coming ones that can take a task of so many nodes: taken.
  bool cover(uint32_t nodes);
  // A new allocation for it.
  bool add(uint32_t nodes);
  [[nodiscard]] uint64_t coming() const;
  // More that could be submitted, as workers.
  [[nodiscard]] uint64_t capacity() const;
  void submit_single(uint64_t wanted);
  // The waiting allocations that are left when so many single workers are wanted.
  [[nodiscard]] std::vector<uint32_t> unneeded(uint64_t wanted) const;
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] const std::vector<uint32_t>& submissions() const { return submissions_; }

 private:
  const AllocQueue& queue_;
  const bool active_;
  std::vector<Coming> coming_;
  uint64_t slots_ = 0;  // allocations that may be submitted
  uint64_t room_ = 0;   // workers that they may have
  std::vector<uint32_t> submissions_;
};

QueuePlan::QueuePlan(const AllocQueue& queue, WallTime now, bool pausing)
    : queue_(queue), active_(!queue.paused && !pausing) {
  uint64_t waiting = queue.under_way.size();
  uint64_t workers = 0;
  std::vector<Coming> late;
  for (const auto& [number, allocation] : queue.allocations) {
    if (!allocation.active()) continue;
    workers += allocation.workers;
    if (allocation.state == AllocationState::kQueued) {
      ++waiting;
      late.push_back({number, allocation.workers, allocation.workers, false});
    } else if (allocation.missing() > 0 && now - *allocation.started <= kArrival) {
      coming_.push_back({std::nullopt, allocation.missing(), allocation.workers, false});
    }
  }
  coming_.insert(coming_.end(), late.begin(), late.end());
  for (const auto& [number, submission] : queue.under_way) {
    workers += submission.workers;
    coming_.push_back({std::nullopt, submission.workers, submission.workers, false});
  }
  const AllocParams& params = *queue.params;
  if (!active_ || !queue.under_way.empty() || now < queue.next_attempt()) return;
  slots_ = params.backlog - std::min<uint64_t>(params.backlog, waiting);
  const uint64_t most = params.max_worker_count.value_or(UINT32_MAX);
  room_ = most - std::min(most, workers);
}

bool QueuePlan::outlives(Duration time) const {
  const AllocParams& params = *queue_.params;
  return std::min(params.time_limit, params.worker_time_limit.value_or(params.time_limit)) >= time;
}

bool QueuePlan::cover(uint32_t nodes) {
  for (Coming& coming : coming_) {
    if (coming.taken || coming.together < nodes) continue;
    coming.taken = true;
    coming.workers -= std::min<uint64_t>(coming.workers, nodes);
    return true;
  }
  return false;
}

bool QueuePlan::add(uint32_t nodes) {
  if (slots_ == 0 || room_ < nodes || queue_.params->max_workers_per_alloc < nodes) return false;
  --slots_;
  room_ -= nodes;
  submissions_.push_back(nodes);
  return true;
}

uint64_t QueuePlan::coming() const {
  uint64_t sum = 0;
  for (const Coming& coming : coming_) sum += coming.workers;
  return sum;
}

uint64_t QueuePlan::capacity() const {
  return std::min(slots_ * queue_.params->max_workers_per_alloc, room_);
}

void QueuePlan::submit_single(uint64_t wanted) {
  uint64_t more = wanted - std::min(wanted, coming());
  while (more > 0 && slots_ > 0 && room_ > 0) {
    const uint64_t workers = std::min<uint64_t>({more, queue_.params->max_workers_per_alloc, room_});
    if (workers == 0 || !add(uint32_t(workers))) return;
    more -= workers;
  }
}

std::vector<uint32_t> QueuePlan::unneeded(uint64_t wanted) const {
  std::vector<uint32_t> out;
  for (const Coming& coming : coming_) {
    if (!coming.taken && wanted == 0 && coming.waits) out.push_back(*coming.waits);
    wanted -= std::min(wanted, coming.workers);
  }
  return out;
}

// What waits there gets what comes, then new allocations of the first queue that may submit one.
void serve_multi_node(const State& state, std::vector<QueuePlan>& plans) {
  for (const auto& [priority, classes] : state.ready().priorities()) {
    for (const auto& [klass, ready] : classes) {
      const VariantNeed& need = state.classes().needs(klass)[0];
      if (need.nodes == 0) continue;
      const auto serve = [&] {
        const auto fits = [&](const QueuePlan& plan) { return plan.outlives(need.min_time); };
        const bool covered = std::any_of(plans.begin(), plans.end(), [&](QueuePlan& plan) {
          return fits(plan) && plan.cover(need.nodes);
        });
        return covered || std::any_of(plans.begin(), plans.end(),
                                      [&](QueuePlan& plan) { return fits(plan) && plan.add(need.nodes); });
      };
      for (uint64_t left = ready.count; left > 0 && serve(); --left) {
      }
    }
  }
}

// By plan, in their order.
std::vector<uint64_t> wanted_single(const State& state, WallTime now, const std::set<WorkerId>& unusable,
                                    const std::vector<QueuePlan>& plans) {
  std::vector<FutureWorkers> future;
  for (const QueuePlan& plan : plans) future.push_back({plan.id(), plan.coming() + plan.capacity()});
  return busy_future_workers(state, now, unusable, future);
}

}  // namespace

AllocDecision decide_allocations(const State& state, WallTime now, const std::set<WorkerId>& unusable,
                                 const AllocLimits& limits,
                                 const std::map<AllocationKey, WallTime>& unneeded) {
  AllocDecision decision;
  std::vector<QueuePlan> plans;
  for (const auto& [id, queue] : state.allocations().queues()) {
    const bool pausing = !queue.paused && (queue.failures.submissions >= limits.failed_submissions ||
                                           queue.failures.allocations >= limits.failed_allocations);
    if (pausing) decision.pauses.push_back(id);
    plans.emplace_back(queue, now, pausing);
  }
  if (plans.empty()) return decision;
  serve_multi_node(state, plans);
  const std::vector<uint64_t> wanted = wanted_single(state, now, unusable, plans);
  for (size_t i = 0; i < plans.size(); ++i) {
    QueuePlan& plan = plans[i];
    if (plan.active()) {
      for (uint32_t number : plan.unneeded(wanted[i])) {
        const AllocationKey key{plan.id(), number};
        const auto known = unneeded.find(key);
        const WallTime since = known == unneeded.end() ? now : known->second;
        decision.unneeded[key] = since;
        if (now - since >= limits.patience) decision.cancellations.push_back(key);
      }
    }
    plan.submit_single(wanted[i]);
    for (uint32_t workers : plan.submissions()) decision.submissions.push_back({plan.id(), workers});
  }
  return decision;
}

}  // namespace hq
