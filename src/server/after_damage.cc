// After a restart from a journal of which something is gone (docs/journal.md, Damage): what can be concluded
// is concluded, and what workers know of their tasks counts for more than usual.
#include <algorithm>

#include "server/impl.h"

namespace hq {

namespace {

// Workers that live are back by then.
constexpr Duration kGathering = 10s;

bool has_ended_badly(const Job& job, TaskId id) {
  const auto place = job.find(id);
  if (!place) return false;
  const TaskState task = place->group->state(place->position);
  return is_final(task) && task != TaskState::kFinished;
}

}  // namespace

// The event by which a job or dependents ended may be among those that are gone.
void Server::Impl::conclude_failures() {
  for (JobId id : state.job_ids()) {
    const Job* job = state.find_job(id);
    if (job->active() == 0) continue;
    std::vector<TaskId> ended;
    for (const auto& [task, consumers] : job->consumers) {
      if (has_ended_badly(*job, task)) ended.push_back(task);
    }
    if (!ended.empty()) end_dependents(id, ended);
    judge_max_fails(id);
  }
}

bool Server::Impl::waits_for_inventories() {
  if (!options.after_damage || now_.mono - started_at >= kGathering) return false;
  const auto& links = sessions.links();
  return std::any_of(links.begin(), links.end(),
                     [](const auto& item) { return item.second.doubt_until.has_value(); });
}

// Tasks that seem to wait and that this worker has, or had, were handed out by an event that is gone.
void Server::Impl::claim_unknown(WorkerId worker, const msg::Hello& hello) {
  const auto claim = [&](JobUid uid, const JobTask& task, InstanceId instance, uint8_t variant, bool runs) {
    const Job* job = state.find_job(task.job);
    const auto place = job == nullptr || job->uid != uid ? std::nullopt : job->find(task.task);
    if (!place || instance < place->group->instance(place->position)) return;
    const auto& needs = state.classes().needs(place->group->klass(place->position));
    if (variant >= needs.size() || needs[variant].nodes > 0) return;
    TasksAssigned event{worker,
                        {{task.job, {task.task.value, task.task.value, 1}, instance, variant, runs, {}}}};
    if (!state.misfit({now_.wall, event})) record(std::move(event));
  };
  for (const msg::EndedTask& ended : hello.ended) {
    if (ended.outcome == msg::EndedTask::Outcome::kStopped) continue;
    claim(ended.job_uid, {ended.job, ended.task}, ended.instance, ended.variant, true);
  }
  for (const msg::HeldTask& held : hello.held) {
    claim(held.job_uid, {held.job, held.task}, held.instance, held.variant, held.running);
  }
}

}  // namespace hq
