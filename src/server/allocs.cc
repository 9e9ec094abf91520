// Allocations: decisions (core/alloc_policy.h) become facts and requests to batch systems; workers that come
// and go move the allocations they belong to.
#include <algorithm>
#include <utility>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kPlanning = 1s;
constexpr size_t kKeptDirectories = 20;  // of submissions that failed

std::string queued_text(uint32_t workers, AllocQueueId queue, const std::string& id) {
  return "Queued " + std::to_string(workers) + " worker(s) into queue " + queue.text() + ": allocation ID " +
         id;
}

}  // namespace

// --- time -------------------------------------------------------------------------------------------------

void Server::Impl::run_allocations() {
  if (stopping || state.allocations().queues().empty()) return;
  if (allocs.next_refresh <= now_.mono) {
    allocs.next_refresh = now_.mono + options.alloc.refresh;
    refresh_allocations();
    if (allocs.failed_directories.size() > kKeptDirectories) {
      BatchDiscard discard;
      while (allocs.failed_directories.size() > kKeptDirectories) {
        discard.directories.push_back(std::move(allocs.failed_directories.front()));
        allocs.failed_directories.pop_front();
      }
      ask_batch(std::move(discard), AllocWork::Discarding{});
    }
  }
  if (allocs.next_tick > now_.mono) return;
  // What the workers that are there get at once needs nobody else; but who plans all the time is not awaited.
  if ((wake_scheduler || pass_under_way) && now_.mono - allocs.next_tick < kPlanning) return;
  allocs.next_tick = now_.mono + options.alloc.tick;
  if (ports.journal.overfull() || (!allocs.changed && allocs.next_decision > now_.mono)) return;
  decide_on_allocations();
  allocs.changed = false;
  allocs.next_decision = now_.mono + options.alloc.longest_pause;
}

std::optional<TimePoint> Server::Impl::next_alloc_deadline() const {
  if (stopping || state.allocations().queues().empty()) return std::nullopt;
  return std::max(std::min(allocs.next_tick, allocs.next_refresh), now_.mono + 1ms);
}

void Server::Impl::decide_on_allocations() {
  std::set<WorkerId> unusable = closed;
  for (const auto& [worker, quarantine] : quarantined) unusable.insert(worker);
  AllocDecision decision =
      decide_allocations(state, now_.wall, unusable, options.alloc.limits, allocs.unneeded);
  allocs.unneeded = std::move(decision.unneeded);
  for (AllocQueueId id : decision.pauses) {
    const AllocFailures& failures = state.allocations().find(id)->failures;
    const bool submissions = failures.submissions >= options.alloc.limits.failed_submissions;
    log::error("The queue " + id.text() + " had too many failed " +
               (submissions ? "submissions" : "allocations") + ", it will be paused.");
    allocs.to_submit.erase(id);
    record(AllocQueuePaused{id, true});
  }
  for (const AllocationKey& key : decision.cancellations) {
    const Allocation& allocation = *state.allocations().find(key.first, key.second);
    log::info("Allocation " + allocation.id + " is not needed any more and will be canceled");
    cancel_allocation(*state.allocations().find(key.first), allocation);
    end_allocation(key, AllocationEndKind::kCanceled, false, "");
  }
  for (const AllocDecision::Submission& submission : decision.submissions) {
    allocs.to_submit[submission.queue].push_back(submission.workers);
  }
  for (const AllocDecision::Submission& submission : decision.submissions) {
    if (state.allocations().find(submission.queue)->under_way.empty()) submit_next(submission.queue);
  }
}

// --- what becomes of a decision ---------------------------------------------------------------------------

void Server::Impl::submit_next(AllocQueueId id) {
  auto waiting = allocs.to_submit.find(id);
  const AllocQueue* queue = state.allocations().find(id);
  if (waiting == allocs.to_submit.end() || queue == nullptr || stopping) return;
  const uint32_t workers = waiting->second.front();
  waiting->second.pop_front();
  if (waiting->second.empty()) allocs.to_submit.erase(waiting);
  const uint32_t number = queue->last_number + 1;
  const AllocSite& site = options.alloc.site;
  const std::string directory = allocation_directory(site.server_dir, id, *queue->params, number);
  const std::string script = allocation_script(site, {*queue->params, id, number, workers, directory, false});
  const ManagerKind manager = queue->params->manager;
  record(AllocationSubmitting{id, number, workers, directory});
  ask_batch(BatchSubmit{manager, directory, script}, AllocWork::Submitting{id, number, manager, directory});
}

void Server::Impl::note_queued(AllocQueueId queue, uint32_t number, const std::string& id) {
  record(AllocationQueued{queue, number, id});
  const Allocation& allocation = *state.allocations().find(queue, number);
  log::info(queued_text(allocation.workers, queue, id));
  if (!allocation.connected.empty()) record(AllocationStarted{queue, number, true});
}

void Server::Impl::end_allocation(const AllocationKey& key, AllocationEndKind kind, bool failed,
                                  const std::string& cause, const BatchStatus& told) {
  allocs.status_errors.erase(key);
  record(AllocationEnded{key.first, key.second, kind, failed, cause, told.started.value_or(WallTime{}),
                         told.ended.value_or(WallTime{})});
}

void Server::Impl::cancel_allocation(const AllocQueue& queue, const Allocation& allocation) {
  ask_batch(BatchCancel{queue.params->manager, allocation.id}, AllocWork::Canceling{allocation.id});
}

void Server::Impl::cancel_all_allocations() {
  allocs.to_submit.clear();
  for (const auto& [id, queue] : state.allocations().queues()) {
    for (const auto& [number, allocation] : queue.allocations) {
      if (allocation.active()) cancel_allocation(queue, allocation);
    }
  }
}

bool Server::Impl::allocations_settled() const {
  if (allocs.has<AllocWork::Submitting>()) return false;
  return leaving || (!allocs.has<AllocWork::Canceling>() && !allocs.has<AllocWork::Trying>());
}

// --- workers ----------------------------------------------------------------------------------------------

void Server::Impl::note_alloc_worker(WorkerId worker, const WorkerConfig& config) {
  if (config.manager == ManagerKind::kNone) return;
  const Allocation* allocation = state.allocations().of_worker(config);
  if (allocation == nullptr) {
    log::warn("Worker " + worker.text() + " connected from an unknown allocation " + config.manager_job_id);
    return;
  }
  log::info("Worker " + worker.text() + " connected from allocation " + allocation->id);
  if (!allocation->worker_seen) record(AllocationStarted{allocation->queue, allocation->number, true});
}

void Server::Impl::note_alloc_worker_lost(WorkerId worker, const WorkerConfig& config) {
  if (config.manager == ManagerKind::kNone) return;
  const Allocation* allocation = state.allocations().of_worker(config);
  if (allocation == nullptr) {
    log::warn("Worker " + worker.text() + " disconnected to an unknown allocation " + config.manager_job_id);
    return;
  }
  if (!allocation->active() || !allocation->all_gone()) return;
  const bool failed = allocation->all_crashed_early();
  end_allocation({allocation->queue, allocation->number}, AllocationEndKind::kNormal, failed,
                 failed ? "All workers of allocation " + allocation->id + " were lost within a minute" : "");
}

}  // namespace hq
