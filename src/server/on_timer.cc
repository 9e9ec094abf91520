// What time brings: silent workers, idle workers, workers that do not stop, acknowledgements, answers to who
// waits.
#include <algorithm>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kCheckInterval = 500ms;
// A worker ends its tasks after twice the heartbeat; SIGINT to SIGKILL take it a second, and the message its
// time.
constexpr Duration kFenceGrace = 1500ms;
constexpr Duration kForcedRemoval = 60s;
// Between two turns: if we were away for longer, it was we who were late, and nobody is judged by that.
constexpr Duration kLateServer = 2s;

}  // namespace

void Server::Impl::on_timer() {
  if (now_.mono - last_turn > kLateServer) {
    for (auto& [worker, link] : sessions.links()) link.last_heard = now_.mono;
  }
  if (probe_again && *probe_again <= now_.mono) {
    probe_again.reset();
    probe_workers();
    plan_late_probe();
  }
  if (next_check <= now_.mono) {
    next_check = now_.mono + kCheckInterval;
    judge_silence();
    judge_idleness();
  }
  for (auto& [peer, session] : sessions.all()) {
    if (!session.ack_due) continue;
    session.ack_due = false;
    send(peer, session.session, msg::Ack{session.last_report});
  }
  answer_waiters();
}

void Server::Impl::judge_silence() {
  if (!workers_drained) return;  // its heartbeat may be among what we have not read yet
  std::vector<std::pair<WorkerId, LossReason>> lost;
  for (const auto& [id, link] : sessions.links()) {
    const WorkerState* worker = state.find_worker(id);
    if (link.stopping && now_.mono - link.stopping->since > kForcedRemoval) {
      lost.emplace_back(id, link.stopping->reason);
    } else if (now_.mono - link.last_heard > 2 * worker->config->heartbeat_interval + kFenceGrace) {
      lost.emplace_back(id, link.stopping ? link.stopping->reason : LossReason::kHeartbeatLost);
    }
  }
  for (const auto& [id, reason] : lost) lose_worker(id, reason, "heartbeat lost");
}

void Server::Impl::judge_idleness() {
  for (auto& [id, link] : sessions.links()) {
    const WorkerState* worker = state.find_worker(id);
    if (!worker->idle()) {
      link.idle_since.reset();
      continue;
    }
    if (!link.idle_since) link.idle_since = now_.mono;
    const std::optional<Duration> limit =
        worker->config->idle_timeout ? worker->config->idle_timeout : options.idle_timeout;
    if (!limit || link.stopping || !link.peer || now_.mono - *link.idle_since < *limit) continue;
    link.stopping = WorkerLink::Stopping{LossReason::kIdleTimeout, now_.mono};
    closed.insert(id);
    WorkerSession* session = sessions.of(id);
    if (session != nullptr)
      send(session->peer, session->session, msg::StopWorker{msg::StopWorker::Reason::kIdle});
  }
}

void Server::Impl::answer_waiters() {
  if (waiters.empty()) return;
  auto progress_of = [&](const Waiter& waiter) {
    msg::JobProgress progress;
    progress.jobs_total = waiter.jobs.size();
    progress.jobs_done = waiter.jobs.size() - waiter.open.size();
    for (JobId id : waiter.jobs) {
      const Job* job = state.find_job(id);
      if (job == nullptr) continue;
      for (size_t s = 0; s < job->counts.size(); ++s) progress.counts[s] += job->counts[s];
      progress.tasks_total += job->task_count();
    }
    return progress;
  };
  if (waiters.has_changes()) {
    for (const Waiter& waiter : waiters.take_done(state)) {
      if (waiter.progress) reply(waiter.client, waiter.request, progress_of(waiter));
      reply(waiter.client, waiter.request, msg::WaitFinished{});
    }
  }
  for (Waiter& waiter : waiters.all()) {
    if (!waiter.progress || !waiter.changed || now_.mono - waiter.last_progress < kProgressInterval) continue;
    waiter.changed = false;
    waiter.last_progress = now_.mono;
    reply(waiter.client, waiter.request, progress_of(waiter));
  }
}

}  // namespace hq
