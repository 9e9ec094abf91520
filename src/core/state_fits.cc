// Which events fit the state: for replay, where an event may tell of things that damage has taken away.
#include <algorithm>
#include <map>
#include <set>

#include "hq/core/state.h"
#include "hq/core/text/id_array_text.h"

namespace hq {

namespace {

constexpr const char* kNoJob = "there is no such job";
constexpr const char* kNoWorker = "there is no such worker";
constexpr uint32_t kMostJobsAtOnce = 10'000'000;  // ids that one event may skip
constexpr size_t kMostVariants = 32;              // a row has five bits for it

bool variants_fit(const TaskDescription& task) {
  return !task.request.variants.empty() && task.request.variants.size() <= kMostVariants;
}

// Tasks of a submit that the job has already.
bool ids_are_new(const Job& target, const SubmitDescription& submit) {
  const auto is_new = [&](uint32_t id) { return !target.find(TaskId(id)).has_value(); };
  for (const GraphTask& task : submit.graph) {
    if (!is_new(task.id.value)) return false;
  }
  for (const IdArray::Part& part : submit.ids.parts) {
    const bool near = std::any_of(target.groups.begin(), target.groups.end(), [&](const auto& group) {
      return group->task_count() > 0 && group->lowest_id() <= part.range.last &&
             group->highest_id() >= part.range.first;
    });
    if (!near) continue;
    for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step) {
      if (!is_new(uint32_t(id))) return false;
    }
  }
  return true;
}

// Assigned twice in one event.
bool ranges_overlap(const std::vector<AssignedRange>& ranges) {
  std::map<JobId, IdArray> by_job;
  for (const AssignedRange& range : ranges) by_job[range.job].parts.push_back({range.ids, range.ids.last});
  return std::any_of(by_job.begin(), by_job.end(),
                     [](const auto& job) { return job.second.parts.size() > 1 && has_overlap(job.second); });
}

}  // namespace

std::optional<std::string> State::misfit(const Record& record) const {
  const char* why = std::visit([&](const auto& event) { return why_not(event); }, record.event);
  return why == nullptr ? std::nullopt : std::optional<std::string>(why);
}

const char* State::why_not(const WorkerConnected& e) const {
  if (e.worker.value == 0 || e.config == nullptr) return "it says nothing about the worker";
  return find_worker(e.worker) == nullptr ? nullptr : "there is a worker of this id already";
}

const char* State::why_not(const WorkerLost& e) const {
  const WorkerState* found = find_worker(e.worker);
  if (found == nullptr) return kNoWorker;
  return found->alive() ? nullptr : "the worker was lost before";
}

const char* State::why_not(const WorkerFenced& e) const {
  const WorkerState* found = find_worker(e.worker);
  if (found == nullptr) return kNoWorker;
  return found->holding ? nullptr : "nothing is held because of the worker";
}

const char* State::why_not(const WorkerMeasured& e) const {
  if (e.overview == nullptr) return "it says nothing about the machine";
  return find_worker(e.worker) == nullptr ? kNoWorker : nullptr;
}

const char* State::why_not(const JobSubmitted& e) const {
  if (e.submit == nullptr) return "it says nothing about the tasks";
  if (e.attach) {
    const Job* target = find_job(e.job);
    return target == nullptr ? kNoJob : why_not_submit(target, *e.submit);
  }
  if (e.job.value <= jobs_.size()) return "there is a job of this id already";
  if (e.job.value - jobs_.size() > kMostJobsAtOnce) return "its id is too far away";
  return why_not_submit(nullptr, *e.submit);
}

const char* State::why_not_submit(const Job* target, const SubmitDescription& submit) const {
  if (target != nullptr && !ids_are_new(*target, submit)) return "its tasks are in the job already";
  if (!submit.is_graph()) {
    if (!variants_fit(submit.task)) return "its resource request has no or too many variants";
    if (submit.entries && submit.entries->size() != submit.ids.count())
      return "entries and ids differ in number";
    return submit.ids.parts.size() > 1 && has_overlap(submit.ids) ? "its ids overlap" : nullptr;
  }
  if (!submit.ids.empty()) return "it is both an array and a graph";
  std::set<TaskId> ids;
  for (const GraphTask& task : submit.graph) {
    if (!ids.insert(task.id).second) return "its ids overlap";
    if (!variants_fit(task.task)) return "its resource request has no or too many variants";
  }
  for (const GraphTask& task : submit.graph) {
    for (TaskId dep : task.deps) {
      if (!ids.contains(dep) && (target == nullptr || !target->find(dep)))
        return "a task depends on one that does not exist";
    }
  }
  return nullptr;
}

const char* State::why_not(const JobOpened& e) const {
  if (e.job.value <= jobs_.size()) return "there is a job of this id already";
  return e.job.value - jobs_.size() > kMostJobsAtOnce ? "its id is too far away" : nullptr;
}

const char* State::why_not(const JobClosed& e) const {
  return find_job(e.job) == nullptr ? kNoJob : nullptr;
}
const char* State::why_not(const JobCanceled& e) const {
  return find_job(e.job) == nullptr ? kNoJob : nullptr;
}
const char* State::why_not(const JobAborted& e) const {
  return find_job(e.job) == nullptr ? kNoJob : nullptr;
}

const char* State::why_not(const TasksAborted& e) const {
  const Job* target = find_job(e.job);
  if (target == nullptr) return kNoJob;
  std::optional<TaskId> before;
  for (TaskId id : e.tasks) {
    if (before && id <= *before) return "its tasks are not in order";
    before = id;
    auto place = target->find(id);
    if (!place) return "there is no such task";
    if (is_final(place->group->state(place->position))) return "the task had ended before";
  }
  return nullptr;
}

const char* State::why_not(const JobForgotten& e) const {
  if (e.job.value > jobs_.size())
    return e.job.value - jobs_.size() > kMostJobsAtOnce ? "its id is too far away" : nullptr;
  const Job* target = find_job(e.job);
  return target == nullptr || target->terminated() ? nullptr : "the job has not ended";
}

const char* State::why_not(const TasksAssigned& e) const {
  const WorkerState* holder = find_worker(e.worker);
  if (holder == nullptr) return kNoWorker;
  if (!holder->alive()) return "the worker was lost before";
  if (e.ranges.size() > 1 && ranges_overlap(e.ranges)) return "a task is assigned twice";
  for (const AssignedRange& range : e.ranges) {
    if (const char* why = why_not_range(range)) return why;
  }
  return nullptr;
}

const char* State::why_not_range(const AssignedRange& range) const {
  const Job* owner = find_job(range.job);
  if (owner == nullptr) return kNoJob;
  const auto first = owner->find(TaskId(range.ids.first));
  if (!first) return "there is no such task";
  const TaskGroup& group = *first->group;
  if (range.variant >= classes_.needs(group.klass(first->position)).size()) return "there is no such variant";
  if (group.rest != TaskState::kWaiting) return "the task had ended before";
  // As for_each_position: positions follow each other while the range follows a run of the group.
  if (group.is_graph() && range.ids.count() > 1) return "its tasks differ in what they are";
  const IdRange run = group.run_from(first->position);
  const bool in_a_row = range.ids.count() == 1 || (run.step == range.ids.step && range.ids.last <= run.last);
  const auto was_held = [&](uint64_t position) {
    TaskChunk* chunk = group.columns.find(position);
    return chunk != nullptr && chunk->worker(TaskColumns::row(position)) != 0;
  };
  const bool again = was_held(first->position);
  uint64_t next = first->position;
  for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
    const auto position = in_a_row ? std::optional(next++) : group.position(TaskId(uint32_t(id)));
    if (!position) return "there is no such task";
    if (group.columns.state(*position) != RowState::kWaiting) return "the task was not waiting";
    if (was_held(*position) != again) return "its tasks differ in what became of them";
    if (owner->unmet.contains(TaskId(uint32_t(id)))) return "the task still depended on others";
  }
  return nullptr;
}

const char* State::why_not(const TasksReturned& e) const {
  return find_worker(e.worker) == nullptr ? kNoWorker : nullptr;
}
const char* State::why_not(const TasksReclaimed& e) const {
  const WorkerState* holder = find_worker(e.worker);
  if (holder == nullptr) return kNoWorker;
  if (!holder->alive()) return "the worker was lost before";
  if (e.ranges.size() > 1 && ranges_overlap(e.ranges)) return "a task is reclaimed twice";
  for (const AssignedRange& range : e.ranges) {
    const Job* owner = find_job(range.job);
    if (owner == nullptr) return kNoJob;
    const auto first = owner->find(TaskId(range.ids.first));
    if (!first) return "there is no such task";
    const TaskGroup& group = *first->group;
    if (group.is_graph() && range.ids.count() > 1) return "its tasks differ in what they are";
    if (range.variant >= classes_.needs(group.klass(first->position)).size())
      return "there is no such variant";
    for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
      const TaskId task{uint32_t(id)};
      if (!group.position(task)) return "there is no such task";
      if (!reclaimable_row(e.lost, {range.job, task}, range.instance))
        return "the task has gone on elsewhere";
    }
  }
  return nullptr;
}

const char* State::why_not(const TasksStarted& e) const {
  return find_worker(e.worker) == nullptr ? kNoWorker : nullptr;
}
const char* State::why_not(const TasksEnded& e) const {
  return find_worker(e.worker) == nullptr ? kNoWorker : nullptr;
}

}  // namespace hq
