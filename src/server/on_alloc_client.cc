// What clients ask about queues of allocations.
#include <filesystem>
#include <utility>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kRandomLetters = 6;

std::optional<std::string> refuse_params(const AllocParams& params) {
  if (params.manager == ManagerKind::kNone) return "An allocation queue needs a manager";
  if (params.backlog == 0) return "Backlog has to be at least 1";
  if (params.time_limit <= Duration(0)) return "An allocation queue needs a time limit";
  if (params.worker_time_limit && *params.worker_time_limit > params.time_limit)
    return "Worker time limit cannot be larger than queue time limit";
  return std::nullopt;
}

msg::AllocationInfo shown(const Allocation& allocation) {
  return {allocation.id,     allocation.number,  allocation.workers, allocation.directory, allocation.state,
          allocation.queued, allocation.started, allocation.ended,   allocation.end,       allocation.cause};
}

}  // namespace

void Server::Impl::on(PeerId from, RequestId id, msg::AddAllocQueue&& request) {
  if (auto refusal = refuse_params(request.params)) return reply(from, id, msg::Failed{*refusal});
  if (!request.no_trial) return try_allocation(from, id, request.params, true);
  add_queue(from, id, std::make_shared<const AllocParams>(std::move(request.params)));
}

void Server::Impl::on(PeerId from, RequestId id, msg::TryAllocation&& request) {
  if (auto refusal = refuse_params(request.params)) return reply(from, id, msg::Failed{*refusal});
  try_allocation(from, id, request.params, false);
}

void Server::Impl::try_allocation(PeerId from, RequestId id, const AllocParams& params, bool add) {
  const std::string root = options.alloc.temporary + "/hq" + ports.random.alphanumeric(kRandomLetters);
  AllocSite site = options.alloc.site;
  site.server_dir = root;
  const AllocQueueId none{0};
  const std::string directory = root + "/autoalloc/0/001";
  const std::string script =
      allocation_script(site, {params, none, 1, params.max_workers_per_alloc, directory, true});
  ask_batch(BatchTrial{{params.manager, directory, script}, root},
            AllocWork::Trying{from, id, add ? std::make_shared<const AllocParams>(params) : nullptr,
                              directory + "/hq-submit.sh"});
}

void Server::Impl::add_queue(PeerId from, RequestId id, std::shared_ptr<const AllocParams> params) {
  if (auto refusal = refuse_for_room()) return reply(from, id, msg::Failed{*refusal});
  const AllocQueueId queue = state.allocations().next_queue_id();
  // The first one: the time for asking begins now.
  if (state.allocations().queues().empty()) allocs.next_refresh = now_.mono + options.alloc.refresh;
  record(AllocQueueCreated{queue, std::move(params)});
  reply(from, id, msg::AllocQueueAdded{queue});
}

msg::AllocQueueInfo Server::Impl::shown_queue(const AllocQueue& queue) const {
  msg::AllocQueueInfo info;
  info.id = queue.id;
  info.params = *queue.params;
  info.paused = queue.paused;
  info.paused_by_failures = queue.paused_by_failures;
  if (queue.known_config != nullptr) info.known_resources = queue.known_config->resources;
  info.failed_submissions = queue.failures.submissions;
  info.failed_allocations = queue.failures.allocations;
  info.last_failure = queue.failures.last;
  if (queue.failures.delay_level > 0 && queue.next_attempt() > now_.wall)
    info.next_attempt = queue.next_attempt();
  return info;
}

void Server::Impl::on(PeerId from, RequestId id, msg::ListAllocQueues&&) {
  msg::AllocQueueList list;
  for (const auto& [queue_id, queue] : state.allocations().queues())
    list.queues.push_back(shown_queue(queue));
  answer(from, id, list);
}

void Server::Impl::on(PeerId from, RequestId id, msg::GetAllocations&& request) {
  const AllocQueue* queue = state.allocations().find(request.queue);
  if (queue == nullptr) {
    return reply(from, id, msg::Failed{"Queue " + request.queue.text() + " not found"});
  }
  msg::AllocationList list{shown_queue(*queue), {}};
  for (const auto& [number, allocation] : queue->allocations) list.allocations.push_back(shown(allocation));
  answer(from, id, list);
}

void Server::Impl::on(PeerId from, RequestId id, msg::FindAllocation&& request) {
  const Allocation* found = state.allocations().find(request.id);
  if (found == nullptr) return reply(from, id, msg::Failed{"Allocation " + request.id + " not found"});
  answer(from, id, msg::AllocationPlace{found->directory});
}

void Server::Impl::on(PeerId from, RequestId id, msg::PauseAllocQueue&& request) {
  const AllocQueue* queue = state.allocations().find(request.queue);
  if (queue == nullptr) {
    return reply(
        from, id,
        msg::Failed{"Queue " + request.queue.text() + " that should have been paused was not found"});
  }
  allocs.to_submit.erase(request.queue);
  if (!queue->paused || queue->paused_by_failures) record(AllocQueuePaused{request.queue, false});
  reply(from, id, msg::Done{});
}

void Server::Impl::on(PeerId from, RequestId id, msg::ResumeAllocQueue&& request) {
  const AllocQueue* queue = state.allocations().find(request.queue);
  if (queue == nullptr) {
    return reply(
        from, id,
        msg::Failed{"Queue " + request.queue.text() + " that should have been resumed was not found"});
  }
  if (queue->paused || queue->failures != AllocFailures{}) record(AllocQueueResumed{request.queue});
  reply(from, id, msg::Done{});
}

void Server::Impl::on(PeerId from, RequestId id, msg::RemoveAllocQueue&& request) {
  const AllocQueue* queue = state.allocations().find(request.queue);
  if (queue == nullptr) return reply(from, id, msg::Failed{"Allocation queue not found"});
  for (const auto& [number, allocation] : queue->allocations) {
    if (request.force || allocation.state != AllocationState::kRunning) continue;
    return reply(from, id,
                 msg::Failed{"Allocation queue has running jobs, so it will not be removed. Use `--force` if "
                             "you want to remove the queue anyway"});
  }
  for (const auto& [number, allocation] : queue->allocations) {
    if (allocation.active()) cancel_allocation(*queue, allocation);
  }
  allocs.to_submit.erase(request.queue);
  record(AllocQueueRemoved{request.queue});
  reply(from, id, msg::Done{});
}

}  // namespace hq
