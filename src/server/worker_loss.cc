// A worker goes: it says so, or its connection closes. What it ran is taken back.
#include <algorithm>
#include <array>
#include <utility>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kMaxLastLines = 20;  // of a worker's log
constexpr size_t kMaxLastLine = 500;  // bytes
constexpr size_t kWorkersWithLastLines = 1000;
constexpr Duration kHelloGrace = 500ms;   // for a new hello after a closed connection
constexpr Duration kHeartbeatSlack = 1s;  // a living worker's heartbeat is no later than that

std::string loss_text(LossReason reason) {
  switch (reason) {
    case LossReason::kHeartbeatLost:
      return "heartbeat lost";
    case LossReason::kIdleTimeout:
      return "idle timeout";
    case LossReason::kTimeLimitReached:
      return "time limit reached";
    default:
      return "connection lost";
  }
}

}  // namespace

void Server::Impl::on_goodbye(WorkerSession& session, const msg::Goodbye& goodbye) {
  const WorkerId worker = session.worker;
  LossReason reason = LossReason::kConnectionLost;
  const WorkerLink* link = sessions.link(worker);
  if (goodbye.reason == msg::Goodbye::Reason::kTimeLimit) {
    reason = LossReason::kTimeLimitReached;
  } else if (link != nullptr && link->stopping) {
    reason = link->stopping->reason;
  }
  keep_last_lines(worker, goodbye.last_lines);
  lose_worker(worker, reason, loss_text(reason), Proof::kEnded);
}

void Server::Impl::keep_last_lines(WorkerId worker, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::vector<std::string>& kept = last_lines[worker];
  kept.clear();
  const size_t first = lines.size() - std::min(lines.size(), kMaxLastLines);
  for (size_t i = first; i < lines.size(); ++i) kept.push_back(lines[i].substr(0, kMaxLastLine));
  if (last_lines.size() > kWorkersWithLastLines) last_lines.erase(last_lines.begin());
}

void Server::Impl::lose_worker(WorkerId worker, LossReason reason, const std::string& why, Proof proof) {
  WorkerLink* link = sessions.link(worker);
  if (link == nullptr || stop_recorded) return;
  log::info("Worker " + worker.text() + " (" + link->address + ") connection closed: " + why);
  const TimePoint fenced =
      link->last_heard + window_of(*state.find_worker(worker)->config, state.window()) + kFenceGrace;
  if (link->peer) {
    to_workers.drop(*link->peer);
    sessions.close(*link->peer);
  }
  sessions.drop_link(worker);
  overviews.erase(worker);
  closed.erase(worker);
  away.erase(worker);
  const bool held = proof == Proof::kNone && fenced > now_.mono;
  if (held) fences[worker] = fenced;
  forget_refusals(worker);
  quarantined.erase(worker);
  const auto gang = state.find_worker(worker)->gang;
  record(WorkerLost{worker, reason, held});
  note_alloc_worker_lost(worker, *state.find_worker(worker)->config);
  if (gang && gang->root != worker) end_broken_gang(*state.find_worker(gang->root));
}

std::optional<LossReason> Server::Impl::broken_gang(const JobTask& task) const {
  const Job* job = state.find_job(task.job);
  if (job == nullptr || !job->gangs.contains(task.task)) return std::nullopt;
  for (WorkerId node : job->gangs.at(task.task)) {
    if (const auto& lost = state.find_worker(node)->lost) return lost;
  }
  return std::nullopt;
}

// A program on several nodes does not survive one of them. It is stopped; when its worker says that it has
// ended, it waits again.
void Server::Impl::end_broken_gang(const WorkerState& root) {
  WorkerSession* session = sessions.of(root.id);
  if (session == nullptr || !root.gang) return;  // told after its next hello
  const JobTask task = root.gang->task;
  send(session->peer, session->session, msg::CancelTasks{task.job, {{task.task.value, task.task.value, 1}}});
}

// Some connection has closed; the hint does not say whose.
void Server::Impl::probe_workers() {
  last_probe = now_.mono;
  std::vector<PeerId> gone;
  for (const auto& [peer, session] : sessions.all()) {
    if (ports.workers.send(peer, {}) == SendStatus::kGone) gone.push_back(peer);
  }
  for (const auto& [peer, worker] : outputs.by_peer) {
    if (ports.workers.send(peer, {}) == SendStatus::kGone) gone.push_back(peer);
  }
  for (PeerId peer : gone) on_gone(peer);
}

// The hint that a connection has closed may come before a probe can tell: it is looked for at once and again
// a few times. A probe takes us and the other end some microseconds for each worker. Where thousands connect,
// and many try again, probes for each of these would take the time in which they could connect.
void Server::Impl::plan_probe() {
  static constexpr std::array<Duration, 4> kDelays = {0ms, 5ms, 50ms, 500ms};
  static constexpr Duration kPerWorker = 50us;
  static constexpr size_t kFew = 100;
  if (probes_planned == kDelays.size()) return;
  const size_t workers = sessions.all().size();
  TimePoint at = now_.mono + kDelays[probes_planned++];
  if (workers > kFew) at = std::max(at, last_probe + int64_t(workers) * kPerWorker);
  probe_again = std::min(probe_again.value_or(at), at);
}

void Server::Impl::on_gone(PeerId peer) {
  if (drop_output_peer(peer)) return;
  WorkerSession* session = sessions.find(peer);
  if (session == nullptr) return;
  if (session->worker.value == 0) {
    sessions.close(peer);
    return;
  }
  WorkerLink* link = sessions.link(session->worker);
  if (link == nullptr || link->peer != peer) {
    sessions.close(peer);
    return;
  }
  if (ports.journal.outlives_server() && !link->stopping) {
    // It may be back at once under a new connection.
    if (!session->gone_since) session->gone_since = now_.mono;
    away.insert(session->worker);
    const TimePoint end = *session->gone_since + kHelloGrace;
    if (now_.mono < end) {
      probe_again = std::min(probe_again.value_or(end), end);
      return;
    }
  }
  const WorkerState& worker = *state.find_worker(session->worker);
  const bool was_silent = session->gone_since && *session->gone_since - session->last_heard >
                                                     worker.config->heartbeat_interval + kHeartbeatSlack;
  if (ports.journal.outlives_server() && !link->stopping && !worker.idle() &&
      (was_silent || !session->confirmed)) {
    // It may live, have closed what it took for a dead connection, or not have heard of this session, and try
    // again at its own pace: silent, not gone.
    away.insert(session->worker);
    link->peer.reset();
    to_workers.drop(peer);
    sessions.close(peer);
    return;
  }
  const LossReason reason = link->stopping ? link->stopping->reason : LossReason::kConnectionLost;
  lose_worker(session->worker, reason, loss_text(reason), Proof::kEnded);
}

}  // namespace hq
