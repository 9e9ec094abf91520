// The fold of allocation queues.
#include "hq/core/allocations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "hq/base/assert.h"

namespace hq {

namespace {

constexpr Duration kEarlyCrash = 60s;  // of a worker's life: the allocation is no good
constexpr std::array<Duration, 5> kDelays = {Duration(0), 60s, 15min, 30min, 60min};

constexpr const char* kNoQueue = "there is no such allocation queue";
constexpr const char* kNoAllocation = "there is no such allocation";

void raise_level(AllocFailures& failures) {
  failures.delay_level = std::min<uint32_t>(failures.delay_level + 1, kDelays.size() - 1);
}

}  // namespace

bool Allocation::all_crashed_early() const {
  return std::all_of(gone.begin(), gone.end(), [](const auto& entry) { return entry.second.crashed_early; });
}

Duration AllocQueue::delay(uint32_t level) {
  return kDelays[std::min<size_t>(level, kDelays.size() - 1)];
}

WallTime AllocQueue::next_attempt() const {
  return failures.last_attempt ? *failures.last_attempt + delay(failures.delay_level) : WallTime{};
}

// --- questions --------------------------------------------------------------------------------------------

const AllocQueue* Allocations::find(AllocQueueId id) const {
  auto it = queues_.find(id);
  return it == queues_.end() ? nullptr : &it->second;
}

const Allocation* Allocations::find(AllocQueueId queue, uint32_t number) const {
  const AllocQueue* found = find(queue);
  if (found == nullptr) return nullptr;
  auto it = found->allocations.find(number);
  return it == found->allocations.end() ? nullptr : &it->second;
}

const Allocation* Allocations::find(const std::string& id) const {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : find(it->second.first, it->second.second);
}

const Allocation* Allocations::of_worker(const WorkerConfig& config) const {
  if (config.manager == ManagerKind::kNone) return nullptr;
  const Allocation* found = find(config.manager_job_id);
  return found != nullptr && find(found->queue)->params->manager == config.manager ? found : nullptr;
}

bool Allocations::needs(WorkerId worker) const {
  return std::any_of(queues_.begin(), queues_.end(), [&](const auto& entry) {
    const AllocQueue& queue = entry.second;
    return queue.known_worker == worker ||
           std::any_of(queue.allocations.begin(), queue.allocations.end(), [&](const auto& item) {
             return item.second.active() &&
                    (item.second.connected.contains(worker) || item.second.gone.contains(worker));
           });
  });
}

AllocQueue* Allocations::queue_of(AllocQueueId id) {
  return const_cast<AllocQueue*>(std::as_const(*this).find(id));
}

Allocation* Allocations::allocation(AllocQueueId queue, uint32_t number) {
  return const_cast<Allocation*>(std::as_const(*this).find(queue, number));
}

Allocation* Allocations::allocation_of(const WorkerConfig& config) {
  return const_cast<Allocation*>(std::as_const(*this).of_worker(config));
}

// --- queues -----------------------------------------------------------------------------------------------

const char* Allocations::why_not(const AllocQueueCreated& e) const {
  if (e.queue.value == 0 || e.params == nullptr) return "it says nothing about the allocation queue";
  return find(e.queue) == nullptr ? nullptr : "there is an allocation queue of this id already";
}

void Allocations::apply(const AllocQueueCreated& e) {
  HQ_ASSERT(!queues_.contains(e.queue));
  AllocQueue& queue = queues_[e.queue];
  queue.id = e.queue;
  queue.params = e.params;
  last_queue_ = std::max(last_queue_, e.queue);
}

const char* Allocations::why_not(const AllocQueueRemoved& e) const {
  return find(e.queue) == nullptr ? kNoQueue : nullptr;
}

void Allocations::apply(const AllocQueueRemoved& e) {
  for (const auto& [number, allocation] : queue_of(e.queue)->allocations) {
    auto it = by_id_.find(allocation.id);
    if (it != by_id_.end() && it->second == std::pair(e.queue, number)) by_id_.erase(it);
  }
  queues_.erase(e.queue);
}

const char* Allocations::why_not(const AllocQueuePaused& e) const {
  return find(e.queue) == nullptr ? kNoQueue : nullptr;
}

void Allocations::apply(const AllocQueuePaused& e) {
  AllocQueue& queue = *queue_of(e.queue);
  queue.paused = true;
  queue.paused_by_failures = e.by_failures;
}

const char* Allocations::why_not(const AllocQueueResumed& e) const {
  return find(e.queue) == nullptr ? kNoQueue : nullptr;
}

void Allocations::apply(const AllocQueueResumed& e) {
  AllocQueue& queue = *queue_of(e.queue);
  queue.paused = queue.paused_by_failures = false;
  queue.failures = {};
}

// --- allocations ------------------------------------------------------------------------------------------

const char* Allocations::why_not(const AllocationSubmitting& e) const {
  const AllocQueue* queue = find(e.queue);
  if (queue == nullptr) return kNoQueue;
  return e.number > queue->last_number ? nullptr : "the number of the allocation was used before";
}

void Allocations::apply(const AllocationSubmitting& e, WallTime time) {
  AllocQueue& queue = *queue_of(e.queue);
  queue.last_number = e.number;
  queue.failures.last_attempt = time;
  queue.under_way[e.number] = {e.workers, e.directory};
}

const char* Allocations::why_not(const AllocationQueued& e) const {
  const AllocQueue* queue = find(e.queue);
  if (queue == nullptr) return kNoQueue;
  return queue->under_way.contains(e.number) ? nullptr : "nothing was known of its submission";
}

void Allocations::apply(const AllocationQueued& e, WallTime time, const std::vector<WorkerConnected>& there) {
  AllocQueue& queue = *queue_of(e.queue);
  auto submission = queue.under_way.extract(e.number);
  HQ_ASSERT(!submission.empty());
  Allocation& fresh = queue.allocations[e.number];
  fresh.queue = e.queue;
  fresh.number = e.number;
  fresh.id = e.allocation;
  fresh.workers = submission.mapped().workers;
  fresh.directory = std::move(submission.mapped().directory);
  fresh.queued = time;
  by_id_[e.allocation] = {e.queue, e.number};
  queue.failures.submissions = 0;
  if (queue.failures.allocations == 0) queue.failures.delay_level = 0;
  for (const WorkerConnected& worker : there) {
    if (worker.config->manager == queue.params->manager)
      join(fresh, worker.worker, worker.uid, worker.config);
  }
}

const char* Allocations::why_not(const AllocationNotQueued& e) const {
  const AllocQueue* queue = find(e.queue);
  if (queue == nullptr) return kNoQueue;
  return queue->under_way.contains(e.number) ? nullptr : "nothing was known of its submission";
}

void Allocations::apply(const AllocationNotQueued& e) {
  AllocQueue& queue = *queue_of(e.queue);
  queue.under_way.erase(e.number);
  if (!e.counts) return;
  ++queue.failures.submissions;
  queue.failures.last = e.cause;
  raise_level(queue.failures);
}

const char* Allocations::why_not(const AllocationStarted& e) const {
  const Allocation* found = find(e.queue, e.number);
  if (found == nullptr) return kNoAllocation;
  return found->active() ? nullptr : "the allocation had ended before";
}

void Allocations::apply(const AllocationStarted& e, WallTime time) {
  Allocation& started = *allocation(e.queue, e.number);
  started.state = AllocationState::kRunning;
  if (!started.started) started.started = time;
  if (e.by_worker) started.worker_seen = true;
}

const char* Allocations::why_not(const AllocationEnded& e) const {
  const Allocation* found = find(e.queue, e.number);
  if (found == nullptr) return kNoAllocation;
  return found->active() ? nullptr : "the allocation had ended before";
}

void Allocations::apply(const AllocationEnded& e, WallTime time) {
  Allocation& ended = *allocation(e.queue, e.number);
  ended.state = e.failed ? AllocationState::kFailed : AllocationState::kFinished;
  ended.end = e.kind;
  ended.cause = e.cause;
  ended.ended = e.ended.ns != 0 ? e.ended : time;
  if (e.started.ns != 0) ended.started = e.started;
  if (e.kind == AllocationEndKind::kUnknown || e.kind == AllocationEndKind::kCanceled) return;
  AllocFailures& failures = queue_of(e.queue)->failures;
  if (e.failed) {
    ++failures.allocations;
    failures.last = e.cause;
    raise_level(failures);
  } else {
    failures.allocations = 0;
    failures.delay_level = 0;
  }
}

// --- workers ----------------------------------------------------------------------------------------------

void Allocations::join(Allocation& allocation, WorkerId worker, WorkerUid uid,
                       const std::shared_ptr<const WorkerConfig>& config) {
  // One that was given up and is back under another number has not gone.
  std::erase_if(allocation.gone, [&](const auto& entry) { return entry.second.uid == uid; });
  allocation.connected.insert(worker);
  if (!allocation.active()) {  // it was taken for ended
    allocation.state = AllocationState::kRunning;
    allocation.ended.reset();
    allocation.end.reset();
    allocation.cause.clear();
  }
  AllocQueue& queue = *queue_of(allocation.queue);
  queue.known_worker = worker;
  queue.known_config = config;
}

void Allocations::worker_connected(WorkerId worker, WorkerUid uid,
                                   const std::shared_ptr<const WorkerConfig>& config) {
  if (Allocation* found = allocation_of(*config)) join(*found, worker, uid, config);
}

void Allocations::worker_lost(WorkerId worker, WorkerUid uid, const WorkerConfig& config, LossReason reason,
                              Duration lived) {
  Allocation* found = allocation_of(config);
  if (found == nullptr || found->connected.erase(worker) == 0) return;
  found->gone[worker] = {uid, counts_as_crash(reason) && lived <= kEarlyCrash};
}

void Allocations::server_stopped(WallTime time) {
  for (auto& [id, queue] : queues_) {
    queue.under_way.clear();
    for (auto& [number, allocation] : queue.allocations) {
      if (!allocation.active()) continue;
      allocation.state = AllocationState::kFinished;
      allocation.end = AllocationEndKind::kCanceled;
      allocation.ended = time;
    }
  }
}

void Allocations::check_invariants() const {
  for (const auto& [id, queue] : queues_) {
    HQ_ASSERT(queue.id == id && id <= last_queue_ && queue.params != nullptr);
    HQ_ASSERT(queue.known_worker.has_value() == (queue.known_config != nullptr));
    HQ_ASSERT(queue.paused || !queue.paused_by_failures);
    for (const auto& [number, allocation] : queue.allocations) {
      HQ_ASSERT(allocation.queue == id && allocation.number == number && number <= queue.last_number);
      HQ_ASSERT(allocation.active() == !allocation.ended.has_value());
      HQ_ASSERT(allocation.active() == !allocation.end.has_value());
      for (const auto& [worker, gone] : allocation.gone) HQ_ASSERT(!allocation.connected.contains(worker));
    }
    for (const auto& [number, submission] : queue.under_way) {
      HQ_ASSERT(number <= queue.last_number && !queue.allocations.contains(number));
    }
  }
  for (const auto& [text, place] : by_id_) HQ_ASSERT(find(place.first, place.second) != nullptr);
}

}  // namespace hq
