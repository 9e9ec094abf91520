// The fold: handing tasks out, and what workers say of them.
#include "hq/core/state.h"

#include <algorithm>
#include <cmath>

#include "core/positions.h"
#include "hq/base/assert.h"

namespace hq {

namespace {

constexpr double kMeanWeight = 0.2;  // of the newest duration

}  // namespace

void State::note_in_use(WorkerState& holder, const Job::Place& place, uint8_t variant, int64_t delta) {
  const ClassId klass = place.group->klass(place.position);
  const int32_t priority = place.group->priority(place.position);
  for (size_t i = 0; i < holder.in_use.size(); ++i) {
    WorkerState::InUse& use = holder.in_use[i];
    if (use.klass != klass || use.variant != variant || use.priority != priority) continue;
    HQ_ASSERT(int64_t{use.count} + delta >= 0);
    use.count = uint32_t(int64_t{use.count} + delta);
    if (use.count == 0) holder.in_use.erase(holder.in_use.begin() + ptrdiff_t(i));
    return;
  }
  HQ_ASSERT(delta > 0);
  holder.in_use.push_back({klass, variant, priority, uint32_t(delta)});
}

void State::claim(WorkerState& holder, ClassId klass, uint8_t variant, uint64_t times) {
  for (const VariantNeed::Item& item : classes_.needs(klass)[variant].items) {
    const Amount amount = item.all ? holder.total.at(item.resource) : item.amount;
    holder.free.subtract(item.resource, Amount::from_scaled(amount.scaled * times));
  }
}

void State::unclaim(WorkerState& holder, ClassId klass, uint8_t variant) {
  for (const VariantNeed::Item& item : classes_.needs(klass)[variant].items) {
    holder.free.add(item.resource, item.all ? holder.total.at(item.resource) : item.amount);
  }
}

void State::change_backlog(WorkerState& holder, const Job::Place& place, int64_t delta) {
  holder.backlog = uint64_t(int64_t(holder.backlog) + delta);
  const DefinitionId definition = place.group->definition(place.position);
  for (size_t i = 0; i < holder.backlog_of.size(); ++i) {
    WorkerState::BacklogOf& of = holder.backlog_of[i];
    if (of.definition != definition) continue;
    HQ_ASSERT(int64_t{of.count} + delta >= 0);
    of.count = uint32_t(int64_t{of.count} + delta);
    if (of.count == 0) holder.backlog_of.erase(holder.backlog_of.begin() + ptrdiff_t(i));
    return;
  }
  HQ_ASSERT(delta > 0);
  holder.backlog_of.push_back({definition, place.group->klass(place.position), place.group->key(),
                               uint32_t(delta), place.group->priority(place.position)});
}

// What a task held at its worker is given back in our mirror.
void State::put_down(WorkerState& holder, const Job::Place& place, RowState was) {
  if (was == RowState::kBacklog) {
    change_backlog(holder, place, -1);
    return;
  }
  if (was == RowState::kSlot) --holder.slots;
  if (was == RowState::kRunning) --holder.running;
  unclaim(holder, place.group->klass(place.position), place.chunk().variant(place.row()));
  note_in_use(holder, place, place.chunk().variant(place.row()), -1);
}

void State::leave_worker(WorkerState& holder, const Job::Place& place, RowState was) {
  put_down(holder, place, was);
  if (holder.gang) disband(holder);
}

// The workers of the multi-node task that `root` ran are free for others.
void State::disband(WorkerState& root) {
  if (!root.gang || root.gang->root != root.id) return;
  for (const auto& [id, member] : alive_) {
    if (!member->gang || member->gang->root != root.id) continue;
    member->gang.reset();
    recent_workers_.note(id);
  }
  root.gang.reset();
}

void State::on(const TasksAssigned& e, WallTime time, Effects&) {
  WorkerState& holder = worker(e.worker);
  holder.last_progress = time;
  HQ_ASSERT(holder.alive());
  for (const AssignedRange& range : e.ranges) {
    Job& owner = job(range.job);
    auto first = owner.find(TaskId(range.ids.first));
    HQ_ASSERT(first && first->group->rest == TaskState::kWaiting);
    TaskGroup& group = *first->group;
    const bool again = first->chunk().worker(first->row()) != 0;
    ready_.remove(group.priority(first->position), group.klass(first->position), group.key(), range.ids,
                  again);
    hold(holder, range, *first);
  }
  if (holder.assigned.size() > 64 + 2 * (holder.slots + holder.running + holder.backlog))
    sweep_assigned(holder);
}

// The tasks of a range, waiting and no longer in the ready queue, belong to this worker now.
void State::hold(WorkerState& holder, const AssignedRange& range, const Job::Place& first) {
  TaskGroup& group = *first.group;
  for_each_position(group, range.ids, [&](uint64_t position, TaskId) {
    const Job::Place place{&group, position};
    TaskChunk& chunk = place.chunk();
    const uint32_t row = place.row();
    HQ_ASSERT(chunk.state(row) == RowState::kWaiting);
    chunk.state(row) = range.slot ? RowState::kSlot : RowState::kBacklog;
    chunk.worker(row) = holder.id.value;
    chunk.start_ms(row) = TaskChunk::kNeverStarted;
    chunk.set_variant(row, range.variant);
    if (range.instance != group.instance(position)) group.set_instance(position, range.instance);
  });
  if (holder.gang && range.nodes.empty()) release_canceled_gang(holder);
  const uint64_t n = range.ids.count();
  if (range.slot) {
    holder.slots += n;
    claim(holder, group.klass(first.position), range.variant, n);
    note_in_use(holder, first, range.variant, int64_t(n));
  } else {
    change_backlog(holder, first, int64_t(n));
  }
  holder.assigned.push_back(range);
  if (range.nodes.empty()) return;
  HQ_ASSERT(range.slot && n == 1 && range.nodes.front() == holder.id);
  const JobTask task{range.job, TaskId(range.ids.first)};
  for (WorkerId node : range.nodes) {
    if (worker(node).gang) release_canceled_gang(worker(node));
    HQ_ASSERT(worker(node).alive() && !worker(node).gang);
    worker(node).gang = WorkerState::Gang{task, holder.id};
  }
  job(range.job).gangs[task.task] = range.nodes;
}

// At replay: that a canceled task has ended at last is no event, and that something else was handed to its
// node proves it.
void State::release_canceled_gang(const WorkerState& node) {
  const WorkerState::Gang gang = *node.gang;
  const auto& lingering = worker(gang.root).lingering;
  auto found = lingering.find(gang.task);
  HQ_ASSERT(found != lingering.end());
  release_lingering(gang.root, gang.task, found->second.instance);
}

void State::on(const TasksReclaimed& e, WallTime time, Effects& effects) {
  WorkerState& holder = worker(e.worker);
  holder.last_progress = time;
  HQ_ASSERT(holder.alive());
  for (const AssignedRange& range : e.ranges) {
    Job& owner = job(range.job);
    auto first = owner.find(TaskId(range.ids.first));
    HQ_ASSERT(first.has_value());
    for_each_position(*first->group, range.ids, [&](uint64_t position, TaskId id) {
      HQ_ASSERT(reclaimable_row(e.lost, {range.job, id}, range.instance).has_value());
      const Job::Place place{first->group, position};
      RowState& state = place.chunk().state(place.row());
      if (state == RowState::kWaiting) {
        ready_.remove(place.group->priority(position), place.group->klass(position), place.group->key(),
                      {id.value, id.value, 1}, true);
      }
      state = RowState::kWaiting;
      auto losses = owner.losses.find(id);
      if (losses == owner.losses.end()) return;
      const Job::Losses::Last last = std::exchange(losses->second.last, Job::Losses::Last::kNone);
      if (last == Job::Losses::Last::kCrash) --losses->second.crashes;
      if (last == Job::Losses::Last::kBacklog) --losses->second.from_backlog;
    });
    hold(holder, range, *first);
    mark_changed(effects, owner.id);
  }
}

void State::sweep_assigned(WorkerState& holder) {
  std::erase_if(holder.assigned, [&](const AssignedRange& range) {
    const Job* owner = find_job(range.job);
    if (owner == nullptr) return true;
    auto first = owner->find(TaskId(range.ids.first));
    bool any = false;
    for_each_position(*first->group, range.ids, [&](uint64_t position, TaskId) {
      const Job::Place place{first->group, position};
      any = any || (is_assigned(first->group->columns.state(position)) &&
                    place.chunk().worker(place.row()) == holder.id.value);
    });
    return !any;
  });
}

void State::make_ready_again(Job& owner, const Job::Place& place, TaskId id) {
  (void)owner;
  TaskChunk& chunk = place.chunk();
  chunk.state(place.row()) = RowState::kWaiting;
  chunk.start_ms(place.row()) = TaskChunk::kNeverStarted;
  ready_.add(place.group->priority(place.position), place.group->klass(place.position), place.group->key(),
             {id.value, id.value, 1}, true);
}

void State::on(const TasksReturned& e, WallTime time, Effects& effects) {
  WorkerState& holder = worker(e.worker);
  for (const ReturnedTask& task : e.tasks) {
    auto found = assigned_row(e.worker, task.task, task.instance);
    if (!found) {
      ++effects.set_aside;
      continue;
    }
    Job& owner = job(task.task.job);
    const Job::Place* place = &found->second;
    const RowState was = place->chunk().state(place->row());
    leave_worker(holder, *place, was);
    if (task.lost) {
      lose_task(owner, *place, task.task.task, {e.worker, *task.lost, false}, true, effects);
      mark_changed(effects, task.task.job);
      settle(owner, time);
      continue;
    }
    if (was == RowState::kRunning) {
      --owner.counts[size_t(TaskState::kRunning)];
      ++owner.counts[size_t(TaskState::kWaiting)];
    }
    make_ready_again(owner, *place, task.task.task);
    mark_changed(effects, task.task.job);
  }
  effects.wake_scheduler = true;
}

// The job and place of a task that is assigned to this worker in this instance; nothing if it is not (any
// more).
std::optional<std::pair<const Job*, Job::Place>> State::assigned_row(WorkerId holder, const JobTask& task,
                                                                     InstanceId instance) const {
  const Job* owner = find_job(task.job);
  if (owner == nullptr) return std::nullopt;
  auto place = owner->find(task.task);
  if (!place || !is_assigned(place->group->columns.state(place->position))) return std::nullopt;
  if (place->chunk().worker(place->row()) != holder.value) return std::nullopt;
  if (place->group->instance(place->position) != instance) return std::nullopt;
  return std::pair(owner, *place);
}

std::optional<std::pair<const Job*, Job::Place>> State::reclaimable_row(WorkerId lost, const JobTask& task,
                                                                        InstanceId instance) const {
  const Job* owner = find_job(task.job);
  const WorkerState* had_it = find_worker(lost);
  if (owner == nullptr || had_it == nullptr || had_it->alive()) return std::nullopt;
  if (owner->gangs.contains(task.task)) return std::nullopt;  // its other workers may have gone on
  auto place = owner->find(task.task);
  if (!place || place->group->columns.find(place->position) == nullptr) return std::nullopt;
  const RowState state = place->group->columns.state(place->position);
  const bool waits =
      state == RowState::kHeld || (state == RowState::kWaiting && place->group->rest == TaskState::kWaiting);
  if (!waits || place->chunk().worker(place->row()) != lost.value) return std::nullopt;
  if (place->group->instance(place->position).value != instance.value + 1) return std::nullopt;
  return std::pair(owner, *place);
}

void State::note_start(Job& owner, WorkerState& holder, const Job::Place& place, TaskId id, WallTime at) {
  const int64_t ms = std::max<int64_t>(0, (at - owner.submitted).count() / 1'000'000);
  place.chunk().start_ms(place.row()) = uint32_t(std::min<int64_t>(ms, TaskChunk::kNeverStarted - 1));
  holder.last_task = JobTask{owner.id, id};
  holder.last_task_time = at;
  const auto ran_on = [&](WorkerId id) {
    if (!owner.workers.empty() && owner.workers.back() == id) return;
    auto it = std::lower_bound(owner.workers.begin(), owner.workers.end(), id);
    if (it == owner.workers.end() || *it != id) owner.workers.insert(it, id);
  };
  ran_on(holder.id);
  if (owner.gangs.contains(id)) {
    for (WorkerId node : owner.gangs.at(id)) ran_on(node);
  }
}

void State::note_mean(TaskGroup& group, ClassId klass, float ran_s) {
  auto mix = [&](float& mean) {
    mean = mean < 0 ? ran_s : float(mean * (1 - kMeanWeight) + double{ran_s} * kMeanWeight);
  };
  mix(group.mean_ran_s(klass));
  if (class_mean_ran_s_.size() <= klass.value) class_mean_ran_s_.resize(klass.value + 1, -1.0F);
  mix(class_mean_ran_s_[klass.value]);
}

// Whoever runs live may judge the worker by it. The end of a task of several nodes says nothing of one of
// them.
void State::note_end(Effects& effects, WorkerId worker, const TaskEnd& end, ClassId klass) const {
  if (!end.finished && !is_own_failure(end.failure.kind)) return;
  std::vector<Effects::Ended>& runs = effects.ended;
  if (runs.empty() || runs.back().job != end.task.job || runs.back().klass != klass) {
    if (classes_.needs(klass)[0].nodes > 0) return;
    runs.push_back({worker, end.task.job, klass, 0, 0, 0, {}});
  }
  Effects::Ended& run = runs.back();
  if (end.finished) {
    ++run.finished;
    return;
  }
  ++run.failed;
  run.longest_failed_s = std::max(run.longest_failed_s, end.usage.ran_s);
  run.last_failed = end.task.task;
}

// After a start out of its backlog a worker may have room that was counted as taken: of a mixed backlog it
// may have started another task than the one for which room was counted, and what waits keeps less from lower
// priorities the more of its tasks run.
bool State::may_leave_room(const WorkerState& holder, ClassId started) const {
  if (ready_.priorities().size() > 1) return true;
  return std::any_of(holder.backlog_of.begin(), holder.backlog_of.end(),
                     [&](const auto& of) { return of.count > 0 && of.klass != started; });
}

void State::on(const TasksStarted& e, WallTime time, Effects& effects) {
  WorkerState& holder = worker(e.worker);
  holder.last_progress = time;
  for (const TaskStart& start : e.tasks) {
    auto found = assigned_row(e.worker, start.task, start.instance);
    if (!found || found->second.group->columns.state(found->second.position) == RowState::kRunning) {
      ++effects.set_aside;
      continue;
    }
    Job& owner = job(start.task.job);
    const Job::Place* place = &found->second;
    if (start.variant >= classes_.needs(place->group->klass(place->position)).size()) {
      ++effects.set_aside;
      continue;
    }
    TaskChunk& chunk = place->chunk();
    const uint32_t row = place->row();
    const RowState was = chunk.state(row);
    put_down(holder, *place, was);
    chunk.set_variant(row, start.variant);
    const ClassId klass = place->group->klass(place->position);
    claim(holder, klass, start.variant);
    if (was == RowState::kBacklog && may_leave_room(holder, klass)) effects.wake_scheduler = true;
    note_in_use(holder, *place, start.variant, 1);
    ++holder.running;
    chunk.state(row) = RowState::kRunning;
    --owner.counts[size_t(TaskState::kWaiting)];
    ++owner.counts[size_t(TaskState::kRunning)];
    note_start(owner, holder, *place, start.task.task, start.at);
    mark_changed(effects, owner.id);
  }
}

void State::fail_row(Job& owner, const Job::Place& place, TaskId id, const Failure& failure,
                     Effects& effects) {
  TaskChunk& chunk = place.chunk();
  chunk.state(place.row()) = RowState::kFailed;
  const bool kept = failure.text.empty() || owner.texts.size() < Job::kMaxTexts;
  // Without its text an error file says less than the exit code.
  const bool says_nothing = failure.kind == FailureKind::kErrorFile && !kept;
  chunk.set_failure_kind(place.row(), says_nothing ? FailureKind::kExit : failure.kind);
  chunk.code(place.row()) = int16_t(failure.code);
  if (!failure.text.empty() && kept) owner.texts[id] = failure.text;
  const Job::FailureGroup group{failure.kind, chunk.code(place.row()), WorkerId(chunk.worker(place.row()))};
  if (owner.failures.size() < Job::kMaxFailureGroups || owner.failures.contains(group)) {
    Job::FailureGroupSize& size = owner.failures[group];
    if (size.tasks++ == 0) size.first = id;
  }
  effects.failed.push_back({owner.id, id});
}

void State::on(const TasksEnded& e, WallTime time, Effects& effects) {
  WorkerState& holder = worker(e.worker);
  holder.last_progress = time;
  for (const TaskEnd& end : e.tasks) {
    auto found = assigned_row(e.worker, end.task, end.instance);
    if (!found) {
      ++effects.set_aside;
      continue;
    }
    Job& owner = job(end.task.job);
    const Job::Place* place = &found->second;
    TaskChunk& chunk = place->chunk();
    const uint32_t row = place->row();
    const RowState was = chunk.state(row);
    leave_worker(holder, *place, was);
    const bool started = end.finished || end.failure.kind != FailureKind::kBeforeLaunch;
    if (was != RowState::kRunning && started) {
      if (end.variant < classes_.needs(place->group->klass(place->position)).size())
        chunk.set_variant(row, end.variant);
      note_start(owner, holder, *place, end.task.task,
                 end.at - Duration(int64_t(double{end.usage.ran_s} * 1e9)));
    }
    --owner.counts[size_t(task_state(was))];
    ++owner.counts[size_t(end.finished ? TaskState::kFinished : TaskState::kFailed)];
    // One that never started keeps when it failed, counted from the job's submission.
    chunk.ran(row) =
        started ? end.usage.ran_s : float(std::chrono::duration<double>(end.at - owner.submitted).count());
    chunk.user(row) = end.usage.user_s;
    chunk.system(row) = end.usage.system_s;
    chunk.peak_kib(row) = end.usage.peak_kib;
    if (end.finished) {
      chunk.state(row) = RowState::kFinished;
      if (!owner.consumers.empty()) finish_dependencies(owner, end.task.task, effects);
    } else {
      fail_row(owner, *place, end.task.task, end.failure, effects);
    }
    const ClassId klass = place->group->klass(place->position);
    if (started) note_mean(*place->group, klass, end.usage.ran_s);
    note_end(effects, e.worker, end, klass);
    mark_changed(effects, owner.id);
    settle(owner, time);
  }
  effects.wake_scheduler = true;
}

}  // namespace hq
