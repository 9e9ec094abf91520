// What time brings: silent workers, idle workers, workers that do not stop, acknowledgements, answers to who
// waits.
#include <algorithm>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kCheckInterval = 500ms;
constexpr Duration kForcedRemoval = 60s;
// Between two turns: if we were away for longer, it was we who were late, and nobody is judged by that.
constexpr Duration kLateServer = 2s;

}  // namespace

void Server::Impl::on_timer() {
  if (now_.mono - last_turn > kLateServer) {
    for (auto& [worker, link] : sessions.links()) {
      if (!link.doubt_until) link.last_heard = now_.mono;
    }
  }
  if (probe_again && *probe_again <= now_.mono) {
    probe_again.reset();
    probe_workers();
    plan_probe();
  }
  if (next_check <= now_.mono) {
    next_check = now_.mono + kCheckInterval;
    judge_silence();
    end_fences();
    judge_idleness();
    give_up_peeks();
    if (late_upload_probes > 0) {
      --late_upload_probes;
      probe_clients();
    }
  }
  judge_suspects();
  for (PeerId peer : acks_due) {
    WorkerSession* session = sessions.find(peer);
    if (session == nullptr || !session->ack_due) continue;
    session->ack_due = false;
    send(peer, session->session, msg::Ack{session->last_report});
  }
  acks_due.clear();
  answer_waiters();
}

void Server::Impl::judge_silence() {
  if (!workers_drained || stop_recorded) return;  // its heartbeat may be among what we have not read yet
  std::vector<WorkerId> silent;
  std::vector<WorkerId> stuck;
  std::vector<WorkerId> never_back;
  for (const auto& [id, link] : sessions.links()) {
    if (link.doubt_until) {
      if (now_.mono > *link.doubt_until) never_back.push_back(id);
    } else if (link.stopping && now_.mono - link.stopping->since > kForcedRemoval) {
      stuck.push_back(id);
    } else if (now_.mono - link.last_heard > link.most_silent) {
      silent.push_back(id);
    }
  }
  auto reason_of = [&](WorkerId id) {
    const WorkerLink& link = *sessions.link(id);
    return link.stopping ? link.stopping->reason : LossReason::kHeartbeatLost;
  };
  for (WorkerId id : silent) lose_worker(id, reason_of(id), "heartbeat lost", Proof::kNone);
  for (WorkerId id : stuck) lose_worker(id, reason_of(id), "it does not stop", Proof::kNone);
  for (WorkerId id : never_back) {
    lose_worker(id, reason_of(id), "not back since the server started", Proof::kEnded);
  }
}

void Server::Impl::end_fences() {
  if (stop_recorded) return;
  std::vector<WorkerId> due;
  for (const auto& [id, until] : fences) {
    if (until <= now_.mono) due.push_back(id);
  }
  for (WorkerId id : due) fence(id);
}

void Server::Impl::judge_idleness() {
  for (auto& [id, link] : sessions.links()) {
    if (!link.most_idle || link.stopping) continue;
    if (!state.find_worker(id)->idle()) {
      link.idle_since.reset();
      continue;
    }
    if (!link.idle_since) link.idle_since = now_.mono;
    if (!link.peer || now_.mono - *link.idle_since < *link.most_idle) continue;
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
      tell_all_of(waiter);
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
