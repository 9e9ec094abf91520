// Workers whose tasks fail oddly often: finding them out is the FailureWatch's business (core); here is what
// follows. It is not durable: a server that comes back judges by the failures that it sees, and by what its
// journal says of the jobs that go on.
#include <algorithm>

#include "hq/base/log.h"
#include "hq/core/text/suspicion_text.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kBetweenProbes = 60s;
// So many in a row end well, and the worker is trusted again.
constexpr uint32_t kGoodProbes = 3;
// Handed out and not heard of again: more are not remembered.
constexpr size_t kMostProbes = 100;
// Whoever is in question for longer than this is looked at less often,
constexpr Duration kYoungQuestion = 2s;
constexpr Duration kBetweenJudgements = 50ms;
constexpr Duration kBetweenLateJudgements = 500ms;
// and in quarantine mode gets tasks meanwhile.
constexpr Duration kHold = 1s;

}  // namespace

void Server::Impl::watch_failures(const Effects& effects) {
  if (!effects.ended.empty()) failure_watch.note(state, effects.ended, now_.wall);
  if (!failure_watch.has_books()) return;
  for (JobId id : effects.changed_jobs) {
    const Job* job = state.find_job(id);
    if (job == nullptr || job->terminated()) on_suspects(failure_watch.close_job(state, id, now_.wall));
  }
  if (!failure_watch.has_questions()) return;
  next_judgement = std::min(next_judgement, now_.mono + FailureWatch::kSettle);
  hold_questionable();
}

void Server::Impl::judge_suspects() {
  if (!failure_watch.has_questions() || !workers_drained || now_.mono < next_judgement) return;
  on_suspects(failure_watch.judge(state, now_.wall));
  const bool young = !failure_watch.in_question(now_.wall, kYoungQuestion).empty();
  next_judgement = now_.mono + (young ? kBetweenJudgements : kBetweenLateJudgements);
  hold_questionable();
}

// While it is not decided whether a worker is bad, quarantine costs it nothing but a moment's work, and may
// save hundreds of tasks.
void Server::Impl::hold_questionable() {
  if (options.suspects != SuspectPolicy::kQuarantine) return;
  std::set<WorkerId> questionable = failure_watch.in_question(now_.wall, kHold);
  if (questionable == held_workers) return;
  held_workers = std::move(questionable);
  wake_scheduler = true;
}

void Server::Impl::on_suspects(const std::vector<WorkerId>& found) {
  for (WorkerId id : found) {
    const bool quarantine = options.suspects == SuspectPolicy::kQuarantine;
    log::warn(
        "Worker " + id.text() + " (" + host_of(id) +
        ") is suspect: " + suspicion_text(*failure_watch.find(id)) +
        (quarantine ? " It gets one probe task a minute until `hq worker resume " + id.text() + "`." : ""));
    if (!quarantine) continue;
    quarantined[id].next_probe = now_.mono + kBetweenProbes;
    wake_scheduler = true;  // its backlog is for others
  }
}

std::string Server::Impl::host_of(WorkerId worker) const {
  const WorkerState* known = state.find_worker(worker);
  return known == nullptr ? "" : known->config->hostname;
}

std::map<WorkerId, uint64_t> Server::Impl::tasks_for_quarantined() const {
  std::map<WorkerId, uint64_t> out;
  for (WorkerId id : held_workers) out[id] = 0;
  for (const auto& [id, quarantine] : quarantined) out[id] = quarantine.next_probe <= now_.mono ? 1 : 0;
  return out;
}

std::optional<TimePoint> Server::Impl::next_probe() const {
  std::optional<TimePoint> next;
  if (state.ready().count() == 0) return next;  // what becomes ready wakes the scheduler
  for (const auto& [id, quarantine] : quarantined) {
    if (quarantine.next_probe > now_.mono)
      next = std::min(next.value_or(quarantine.next_probe), quarantine.next_probe);
  }
  return next;
}

void Server::Impl::note_probe(const Placed& placed, const std::vector<AssignedRange>& ranges) {
  for (WorkerId node : placed.nodes) {
    if (auto found = quarantined.find(node); found != quarantined.end())
      found->second.next_probe = now_.mono + kBetweenProbes;
  }
  auto found = quarantined.find(placed.worker);
  if (found == quarantined.end()) return;
  Quarantine& quarantine = found->second;
  quarantine.next_probe = now_.mono + kBetweenProbes;
  for (const AssignedRange& range : ranges) {
    if (quarantine.probes.size() >= kMostProbes) quarantine.probes.clear();
    quarantine.probes[{range.job, TaskId(range.ids.first)}] = range.instance;
  }
}

void Server::Impl::note_probe_end(WorkerId worker, const msg::EndedTask& row) {
  auto found = quarantined.find(worker);
  if (found == quarantined.end()) return;
  Quarantine& quarantine = found->second;
  const auto probe = quarantine.probes.find({row.job, row.task});
  if (probe == quarantine.probes.end() || probe->second != row.instance) return;
  quarantine.probes.erase(probe);
  if (row.outcome == msg::EndedTask::Outcome::kFailed && is_own_failure(row.failure.kind))
    quarantine.finished = 0;
  if (row.outcome != msg::EndedTask::Outcome::kFinished || ++quarantine.finished < kGoodProbes) return;
  log::info("Worker " + worker.text() + " (" + host_of(worker) +
            ") is no longer suspect: its last probe tasks have finished");
  clear_suspicion(worker);
}

void Server::Impl::clear_suspicion(WorkerId worker) {
  failure_watch.clear(worker);
  if (quarantined.erase(worker) > 0) wake_scheduler = true;
}

void Server::Impl::on(PeerId from, RequestId id, msg::ResumeWorkers&& request) {
  const bool all = request.workers.kind == msg::Selection::Kind::kAll;
  msg::ItemResults results;
  for (WorkerId worker : selected_workers(state, request.workers)) {
    msg::ItemResult item{worker.value, msg::ItemResult::Outcome::kOk, 0, 0};
    if (state.find_worker(worker) == nullptr) {
      item.outcome = msg::ItemResult::Outcome::kNotFound;
    } else if (failure_watch.find(worker) == nullptr) {
      if (all) continue;
      item.outcome = msg::ItemResult::Outcome::kAlreadyEnded;
    } else {
      clear_suspicion(worker);
      log::info("Worker " + worker.text() + " (" + host_of(worker) + ") is no longer suspect: resumed");
    }
    results.items.push_back(item);
  }
  reply(from, id, results);
}

msg::WorkerDetail Server::Impl::shown_worker(const WorkerState& worker) const {
  msg::WorkerDetail out = detail_of(worker, scheduler);
  const Suspicion* suspicion = failure_watch.find(worker.id);
  if (suspicion == nullptr) return out;
  out.suspicion.emplace();
  out.suspicion->facts = *suspicion;
  out.suspicion->reason = suspicion_text(*suspicion);
  out.suspicion->quarantined = quarantined.contains(worker.id);
  return out;
}

}  // namespace hq
