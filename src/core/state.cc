// The fold: what any event meets first, the server and its workers, and the questions.
#include "hq/core/state.h"

#include <algorithm>

#include "hq/base/assert.h"

namespace hq {

// --- questions
// -----------------------------------------------------------------------------------------------

const Job* State::find_job(JobId id) const {
  if (id.value == 0 || id.value > jobs_.size()) return nullptr;
  return jobs_[id.value - 1].get();
}

const WorkerState* State::find_worker(WorkerId id) const {
  auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : it->second.get();
}

const WorkerState* State::find_worker(WorkerUid uid) const {
  auto it = last_of_uid_.find(uid);
  return it == last_of_uid_.end() ? nullptr : find_worker(it->second);
}

std::vector<JobId> State::job_ids() const {
  std::vector<JobId> out;
  for_each_job([&](const Job& job) { out.push_back(job.id); });
  return out;
}

const TaskGroup* State::group_of(DefinitionId id) const {
  if (id.value == 0 || id.value > definitions_.size()) return nullptr;
  const DefinitionRef& ref = definitions_[id.value - 1];
  const Job* found = find_job(ref.job);
  return found == nullptr ? nullptr : found->groups[ref.group].get();
}

float State::class_mean_ran_s(ClassId id) const {
  return id.value < class_mean_ran_s_.size() ? class_mean_ran_s_[id.value] : -1.0F;
}

std::vector<TaskId> State::dependents(const Job& job, const std::vector<TaskId>& of) const {
  std::vector<TaskId> found;
  std::vector<TaskId> open = of;
  while (!open.empty()) {
    const TaskId id = open.back();
    open.pop_back();
    auto it = job.consumers.find(id);
    if (it == job.consumers.end()) continue;
    for (TaskId consumer : it->second) {
      auto place = job.find(consumer);
      if (!place || is_final(place->group->state(place->position))) continue;
      if (std::find(found.begin(), found.end(), consumer) != found.end()) continue;
      found.push_back(consumer);
      open.push_back(consumer);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// --- the fold
// ------------------------------------------------------------------------------------------------

Effects State::apply(const Record& record) {
  Effects effects;
  std::visit([&](const auto& event) { on(event, record.time, effects); }, record.event);
  return effects;
}

Job& State::job(JobId id) {
  HQ_ASSERT(find_job(id) != nullptr);
  return *jobs_[id.value - 1];
}

WorkerState& State::worker(WorkerId id) {
  auto it = workers_.find(id);
  HQ_ASSERT(it != workers_.end());
  recent_workers_.note(id);
  return *it->second;
}

void State::mark_changed(Effects& effects, JobId id) {
  if (effects.changed_jobs.empty() || effects.changed_jobs.back() != id) effects.changed_jobs.push_back(id);
}

void State::settle(Job& job, WallTime time) {
  if (job.active() == 0) job.finished = time;
}

void State::on(const ServerStarted& e, WallTime, Effects&) {
  server_uid_ = e.server_uid;
  // Workers of an earlier life of the server keep to what that one told them.
  const bool some_left = !alive_.empty() || std::any_of(workers_.begin(), workers_.end(),
                                                        [](const auto& w) { return w.second->holding; });
  window_ = some_left ? std::max(window_, e.window) : e.window;
}

// Its workers end with it, and their tasks start again; nothing of that is anybody's fault.
void State::on(const ServerStopped&, WallTime time, Effects& effects) {
  while (!alive_.empty()) {
    const WorkerLost loss{alive_.begin()->first, LossReason::kStopped, false};
    take_back(loss, time, /*may_fail=*/false, effects);
  }
  allocations_.server_stopped(time);
}

void State::on(const WorkerConnected& e, WallTime time, Effects& effects) {
  auto fresh = std::make_unique<WorkerState>();
  fresh->id = e.worker;
  fresh->uid = e.uid;
  fresh->config = e.config;
  fresh->connected = time;
  for (const ResourceItem& item : e.config->resources.items) {
    const ResourceIndex index = classes_.intern_resource(item.name);
    fresh->total.add(index, item.size());
    fresh->free.add(index, item.size());
  }
  HQ_ASSERT(!workers_.contains(e.worker));
  alive_[e.worker] = fresh.get();
  WorkerId& last_of_uid = last_of_uid_[e.uid];
  last_of_uid = std::max(last_of_uid, e.worker);
  recent_workers_.note(e.worker);
  workers_[e.worker] = std::move(fresh);
  last_worker_ = std::max(last_worker_, e.worker);
  allocations_.worker_connected(e.worker, e.uid, e.config);
  effects.wake_scheduler = true;
}

void State::on(const AllocationQueued& e, WallTime time, Effects&) {
  std::vector<WorkerConnected> there;
  for (const auto& [id, alive] : alive_) {
    if (alive->config->manager_job_id == e.allocation) there.push_back({id, alive->uid, alive->config});
  }
  allocations_.apply(e, time, there);
}

}  // namespace hq
