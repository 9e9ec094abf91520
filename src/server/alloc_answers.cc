// Requests to batch systems, which leave when what they rest on is safe, and what their answers mean.
#include <algorithm>
#include <utility>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

// Answers one after the other that tell nothing of an allocation, until it is given up.
constexpr uint32_t kMostErrorsQueued = 10;
constexpr uint32_t kMostErrorsRunning = 20;

}  // namespace

void Server::Impl::ask_batch(BatchRequest request, AllocWork::Purpose purpose) {
  const BatchId id(++allocs.last_request);
  allocs.pending.emplace(id, std::move(purpose));
  allocs.held.push_back({AllocWork::kOpen, id, std::move(request)});
}

void Server::Impl::release_batch_requests(CommitNumber committed) {
  for (auto it = allocs.held.rbegin(); it != allocs.held.rend() && it->commit == AllocWork::kOpen; ++it)
    it->commit = last_commit;
  while (!allocs.held.empty() && allocs.held.front().commit <= committed) {
    ports.batch.ask(allocs.held.front().id, std::move(allocs.held.front().request));
    allocs.held.pop_front();
  }
}

void Server::Impl::take_batch_answers() {
  while (auto answer = ports.batch.next_answer()) {
    auto purpose = allocs.pending.extract(answer->request);
    if (purpose.empty()) continue;
    std::visit([&](const auto& p) { on_batch(std::move(*answer), p); }, purpose.mapped());
  }
}

// --- submissions ------------------------------------------------------------------------------------------

void Server::Impl::on_batch(BatchAnswer&& answer, const AllocWork::Submitting& purpose) {
  const AllocQueue* queue = state.allocations().find(purpose.queue);
  if (leaving && stop_recorded) return;  // who comes back finds the id in the directory
  const bool wanted = !stop_recorded && queue != nullptr && queue->under_way.contains(purpose.number);
  if (answer.failure) {
    log::error("Could not submit an allocation of queue " + purpose.queue.text() + ": " +
               batch_failure_line(*answer.failure));
    allocs.failed_directories.push_back(purpose.directory);
    allocs.to_submit.erase(purpose.queue);
    if (wanted)
      record(AllocationNotQueued{purpose.queue, purpose.number, batch_failure_line(*answer.failure), true});
    return;
  }
  if (!wanted) {  // its queue was removed meanwhile, or we end
    ask_batch(BatchCancel{purpose.manager, answer.id}, AllocWork::Canceling{answer.id});
    return;
  }
  note_queued(purpose.queue, purpose.number, answer.id);
  submit_next(purpose.queue);
}

void Server::Impl::recall_submissions() {
  for (const auto& [id, queue] : state.allocations().queues()) {
    for (const auto& [number, submission] : queue.under_way)
      ask_batch(BatchRecall{submission.directory}, AllocWork::Recalling{id, number});
  }
}

void Server::Impl::on_batch(BatchAnswer&& answer, const AllocWork::Recalling& purpose) {
  const AllocQueue* queue = state.allocations().find(purpose.queue);
  if (stop_recorded || queue == nullptr || !queue->under_way.contains(purpose.number)) return;
  if (answer.id.empty()) {
    record(AllocationNotQueued{purpose.queue, purpose.number, "", false});
  } else {
    note_queued(purpose.queue, purpose.number, answer.id);
  }
}

void Server::Impl::on_batch(BatchAnswer&& answer, const AllocWork::Trying& purpose) {
  if (stop_recorded) return;
  if (answer.failure) {
    const bool submitted = !answer.id.empty();
    reply(purpose.client, purpose.request,
          msg::Failed{failure_message(*answer.failure, submitted ? "" : purpose.script)});
  } else if (purpose.params != nullptr) {
    add_queue(purpose.client, purpose.request, purpose.params);
  } else {
    reply(purpose.client, purpose.request, msg::Done{});
  }
}

void Server::Impl::on_batch(BatchAnswer&& answer, const AllocWork::Canceling& purpose) {
  if (answer.failure) {
    log::error("Could not cancel allocation " + purpose.id + ": " + batch_failure_line(*answer.failure));
  } else {
    log::info("Allocation " + purpose.id + " was removed");
  }
}

void Server::Impl::on_batch(BatchAnswer&&, const AllocWork::Discarding&) {}

// --- states -----------------------------------------------------------------------------------------------

// One question per batch system for all that waits and runs; none while every queue is paused.
void Server::Impl::refresh_allocations() {
  const auto& queues = state.allocations().queues();
  if (std::all_of(queues.begin(), queues.end(), [](const auto& entry) { return entry.second.paused; }))
    return;
  for (ManagerKind manager : {ManagerKind::kSlurm, ManagerKind::kPbs}) {
    if (allocs.asks(manager)) continue;
    AllocWork::Asking purpose{manager, {}};
    BatchQuery query{manager, {}};
    for (const auto& [id, queue] : queues) {
      if (queue.params->manager != manager) continue;
      for (const auto& [number, allocation] : queue.allocations) {
        if (allocation.active() && purpose.allocations.try_emplace(allocation.id, id, number).second)
          query.ids.push_back(allocation.id);
      }
    }
    if (!query.ids.empty()) ask_batch(std::move(query), std::move(purpose));
  }
}

void Server::Impl::on_batch(BatchAnswer&& answer, const AllocWork::Asking& purpose) {
  if (stop_recorded) return;
  for (const auto& [id, key] : purpose.allocations) {
    const Allocation* allocation = state.allocations().find(key.first, key.second);
    const auto status = answer.statuses.find(id);
    if (allocation == nullptr || !allocation->active() || status == answer.statuses.end()) continue;
    note_status(*allocation, status->second);
  }
}

void Server::Impl::note_status(const Allocation& allocation, const BatchStatus& status) {
  using Told = BatchStatus::State;
  const AllocationKey key{allocation.queue, allocation.number};
  const bool runs = allocation.state == AllocationState::kRunning;
  if (status.state != Told::kUnclear) allocs.status_errors.erase(key);
  switch (status.state) {
    case Told::kQueued:
      return;
    case Told::kRunning:
      if (!runs) record(AllocationStarted{key.first, key.second, false});
      return;
    case Told::kFinished:
    case Told::kFailed:
      return end_allocation(key, AllocationEndKind::kUnexpected, status.state == Told::kFailed, status.text,
                            status);
    case Told::kGone:
      // Its workers say better than a batch system without a memory.
      if (!allocation.connected.empty()) return;
      return end_allocation(key, AllocationEndKind::kUnexpected, true, status.text);
    case Told::kUnclear:
      break;
  }
  log::warn("Could not get status of allocation " + allocation.id + ": " + status.text);
  if (++allocs.status_errors[key] <= (runs ? kMostErrorsRunning : kMostErrorsQueued)) return;
  end_allocation(key, AllocationEndKind::kUnknown, !runs, status.text);
}

}  // namespace hq
