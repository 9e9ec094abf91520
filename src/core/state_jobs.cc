// The fold: jobs, from their submits to their cancels.
#include "hq/core/state.h"

#include <algorithm>

#include "hq/base/assert.h"

namespace hq {

Job& State::create_job(JobId id, JobUid uid, const std::string& name, std::optional<uint32_t> max_fails,
                       WallTime time) {
  HQ_ASSERT(id.value > jobs_.size());
  jobs_.resize(id.value - 1);  // ids between belong to jobs that were pruned
  auto fresh = std::make_unique<Job>();
  fresh->id = id;
  fresh->uid = uid;
  fresh->name = name;
  fresh->max_fails = max_fails;
  fresh->submitted = time;
  jobs_.push_back(std::move(fresh));
  return *jobs_.back();
}

void State::on(const JobSubmitted& e, WallTime time, Effects& effects) {
  Job& target = e.attach ? job(e.job) : create_job(e.job, e.uid, e.name, e.max_fails, time);
  add_group(target, e.submit, time);
  if (target.active() > 0) target.finished.reset();
  settle(target, time);
  mark_changed(effects, e.job);
  effects.wake_scheduler = true;
}

void State::on(const JobOpened& e, WallTime time, Effects& effects) {
  create_job(e.job, e.uid, e.name, e.max_fails, time).open = true;
  mark_changed(effects, e.job);
}

void State::on(const JobClosed& e, WallTime time, Effects& effects) {
  Job& target = job(e.job);
  target.open = false;
  settle(target, time);
  mark_changed(effects, e.job);
}

void State::add_group(Job& target, const std::shared_ptr<const SubmitDescription>& submit, WallTime time) {
  const auto index = uint32_t(target.groups.size());
  const DefinitionId first_definition(uint32_t(definitions_.size()) + 1);
  target.groups.push_back(std::make_unique<TaskGroup>(
      GroupKey{target.id, index}, KeptSubmit(submit, target.id, server_uid_, submit_pools_),
      submit->task_count(), time, classes_, first_definition));
  TaskGroup& group = *target.groups.back();
  definitions_.resize(definitions_.size() + group.definition_count(), DefinitionRef{target.id, index});
  target.counts[size_t(TaskState::kWaiting)] += group.task_count();
  if (submit->is_graph()) {
    add_graph_edges(target, group);
    return;
  }
  for (const IdArray::Part& part : submit->ids.parts) {
    ready_.add(submit->task.priority, group.klass(0), group.key(), part.range, false);
  }
}

void State::add_graph_edges(Job& target, const TaskGroup& group) {
  for (const GraphTask& task : group.graph()) {
    uint32_t unmet = 0;
    for (TaskId dep : task.deps) {
      auto place = target.find(dep);
      HQ_ASSERT(place.has_value());
      if (place->group->state(place->position) == TaskState::kFinished) continue;
      std::vector<TaskId>& consumers = target.consumers[dep];
      if (!consumers.empty() && consumers.back() == task.id) continue;  // listed twice
      consumers.push_back(task.id);
      ++unmet;
    }
    if (unmet > 0) {
      target.unmet[task.id] = unmet;
    } else {
      const uint64_t position = *group.position(task.id);
      ready_.add(task.task.priority, group.klass(position), group.key(), {task.id.value, task.id.value, 1},
                 false);
    }
  }
}

void State::finish_dependencies(Job& target, TaskId id, Effects& effects) {
  auto it = target.consumers.find(id);
  if (it == target.consumers.end()) return;
  for (TaskId consumer : it->second) {
    auto unmet = target.unmet.find(consumer);
    if (unmet == target.unmet.end() || --unmet->second > 0) continue;
    target.unmet.erase(unmet);
    auto place = target.find(consumer);
    if (is_final(place->group->state(place->position))) continue;
    ready_.add(place->group->priority(place->position), place->group->klass(place->position),
               place->group->key(), {consumer.value, consumer.value, 1}, false);
    effects.wake_scheduler = true;
  }
  target.consumers.erase(it);
}

void State::on(const JobCanceled& e, WallTime time, Effects& effects) {
  Job& target = job(e.job);
  if (end_rest(target, TaskState::kCanceled, time) > 0) {
    target.cancel_reason = e.reason.empty() ? std::nullopt : std::optional(e.reason);
  }
  settle(target, time);
  mark_changed(effects, e.job);
  effects.wake_scheduler = true;
}

void State::on(const JobAborted& e, WallTime time, Effects& effects) {
  Job& target = job(e.job);
  end_rest(target, TaskState::kAborted, time);
  settle(target, time);
  mark_changed(effects, e.job);
  effects.wake_scheduler = true;
}

uint64_t State::end_rest(Job& target, TaskState final_state, WallTime time) {
  const uint64_t ended = target.active();
  const RowState row_state = final_state == TaskState::kCanceled ? RowState::kCanceled : RowState::kAborted;
  for (const auto& group : target.groups) {
    if (group->rest != TaskState::kWaiting) continue;
    for (size_t c = 0; c < group->columns.chunk_count(); ++c) {
      TaskChunk* chunk = group->columns.chunk(c);
      if (chunk == nullptr) continue;
      for (uint32_t row = 0; row < chunk->rows(); ++row) {
        if (chunk->state(row) == RowState::kHeld) {
          chunk->state(row) = RowState::kWaiting;  // from now on `rest` says what it is
          chunk->start_ms(row) = TaskChunk::kNeverStarted;
        }
        if (!is_assigned(chunk->state(row))) continue;
        const uint64_t position = c * TaskChunk::kRows + row;
        end_row(target, {group.get(), position}, group->id_at(position), row_state, time);
      }
    }
    group->rest = final_state;
    if (!group->is_graph()) {
      if (group->task_count() > 0) ready_.remove_all(group->priority(0), group->klass(0), group->key());
      continue;
    }
    for (uint64_t p = 0; p < group->task_count(); ++p) {
      ready_.remove_all(group->priority(p), group->klass(p), group->key());
    }
  }
  target.counts[size_t(final_state)] += target.count(TaskState::kWaiting);
  target.counts[size_t(TaskState::kWaiting)] = 0;
  HQ_ASSERT(target.count(TaskState::kRunning) == 0);
  target.unmet.clear();
  target.consumers.clear();
  return ended;
}

// A row that is assigned to a worker ends by our decision.
void State::end_row(Job& target, const Job::Place& place, TaskId id, RowState final_state, WallTime time) {
  TaskChunk& chunk = place.chunk();
  const RowState was = chunk.state(place.row());
  WorkerState& holder = worker(WorkerId(chunk.worker(place.row())));
  if (was == RowState::kRunning) {
    // Its process holds the resources until the worker says that it has ended.
    --holder.running;
    note_in_use(holder, place, chunk.variant(place.row()), -1);
    const Duration started{int64_t{chunk.start_ms(place.row())} * 1'000'000};
    const Duration ran = std::max(time - target.submitted - started, Duration::zero());
    chunk.ran(place.row()) = float(std::chrono::duration<double>(ran).count());
    holder.lingering[{target.id, id}] = {place.group->klass(place.position), chunk.variant(place.row()),
                                         place.group->instance(place.position)};
  } else {
    leave_worker(holder, place, was);
  }
  --target.counts[size_t(task_state(was))];
  ++target.counts[size_t(task_state(final_state))];
  chunk.state(place.row()) = final_state;
}

void State::on(const TasksAborted& e, WallTime time, Effects& effects) {
  Job& target = job(e.job);
  for (TaskId id : e.tasks) {
    auto place = target.find(id);
    HQ_ASSERT(place && !is_final(place->group->state(place->position)));
    const RowState was = place->group->columns.state(place->position);
    if (is_assigned(was)) {
      end_row(target, *place, id, RowState::kAborted, time);
    } else {
      if (target.unmet.erase(id) == 0 && was != RowState::kHeld) {
        const bool again = place->chunk().worker(place->row()) != 0;
        ready_.remove(place->group->priority(place->position), place->group->klass(place->position),
                      place->group->key(), {id.value, id.value, 1}, again);
      }
      --target.counts[size_t(TaskState::kWaiting)];
      ++target.counts[size_t(TaskState::kAborted)];
      place->chunk().state(place->row()) = RowState::kAborted;
      place->chunk().start_ms(place->row()) = TaskChunk::kNeverStarted;
    }
    target.consumers.erase(id);
  }
  settle(target, time);
  mark_changed(effects, e.job);
  effects.wake_scheduler = true;
}

void State::on(const JobForgotten& e, WallTime, Effects& effects) {
  if (e.job.value > jobs_.size()) {  // all that a pruned journal tells of it: its id is used
    jobs_.resize(e.job.value);
    return;
  }
  if (find_job(e.job) == nullptr) return;  // its events were pruned before this one came
  HQ_ASSERT(job(e.job).terminated());
  jobs_[e.job.value - 1].reset();
  mark_changed(effects, e.job);
}

}  // namespace hq
