#include "hq/core/state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hq/base/assert.h"

namespace hq {

namespace {

// Calls f(position, id) for each id of a range whose tasks all belong to `group`.
template <class F>
void for_each_position(const TaskGroup& group, IdRange range, F&& f) {
  uint64_t id = range.first;
  while (id <= range.last) {
    auto position = group.position(TaskId(uint32_t(id)));
    HQ_ASSERT(position.has_value());
    const IdRange run = group.run_from(*position);
    if (run.step != range.step) {
      f(*position, TaskId(uint32_t(id)));
      id += range.step;
      continue;
    }
    const uint64_t end = std::min(run.last, range.last);
    for (uint64_t at = *position; id <= end; id += range.step) f(at++, TaskId(uint32_t(id)));
  }
}

constexpr double kMeanWeight = 0.2;  // of the newest duration

}  // namespace

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
  workers_[e.worker] = std::move(fresh);
  last_worker_ = std::max(last_worker_, e.worker);
  effects.wake_scheduler = true;
}

void State::on(const WorkerLost& e, WallTime time, Effects& effects) {
  take_back(e, time, /*may_fail=*/true, effects);
}

void State::take_back(const WorkerLost& e, WallTime time, bool may_fail, Effects& effects) {
  WorkerState& lost = worker(e.worker);
  HQ_ASSERT(lost.alive());
  for (const AssignedRange& range : lost.assigned) {
    auto* owner = jobs_[range.job.value - 1].get();
    if (owner == nullptr) continue;  // forgotten since
    auto first = owner->find(TaskId(range.ids.first));
    HQ_ASSERT(first.has_value());
    bool touched = false;
    for_each_position(*first->group, range.ids, [&](uint64_t position, TaskId id) {
      const Job::Place place{first->group, position};
      if (!is_assigned(place.group->columns.state(position)) ||
          place.chunk().worker(place.row()) != e.worker.value) {
        return;
      }
      lose_task(*owner, place, id, e, may_fail, effects);
      touched = true;
    });
    if (touched) {
      mark_changed(effects, owner->id);
      settle(*owner, time);
    }
  }
  disband(lost);
  lost.gang.reset();
  lost.lost = e.reason;
  lost.ended = time;
  lost.holding = e.held;
  if (!e.held) lost.assigned = {};
  lost.backlog_of.clear();
  lost.in_use.clear();
  lost.lingering.clear();
  lost.slots = lost.running = lost.backlog = 0;
  lost.free = lost.total;
  alive_.erase(e.worker);
  effects.wake_scheduler = true;
}

void State::on(const WorkerFenced& e, WallTime, Effects& effects) {
  WorkerState& fenced = worker(e.worker);
  HQ_ASSERT(fenced.holding);
  fenced.holding = false;
  for (const AssignedRange& range : std::exchange(fenced.assigned, {})) {
    auto* owner = jobs_[range.job.value - 1].get();
    if (owner == nullptr) continue;
    auto first = owner->find(TaskId(range.ids.first));
    HQ_ASSERT(first.has_value());
    for_each_position(*first->group, range.ids, [&](uint64_t position, TaskId id) {
      const Job::Place place{first->group, position};
      if (place.group->columns.state(position) == RowState::kHeld &&
          place.chunk().worker(place.row()) == e.worker.value) {
        make_ready_again(*owner, place, id);
      }
    });
  }
  effects.wake_scheduler = true;
}

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
  target.groups.push_back(
      std::make_unique<TaskGroup>(target.id, index, submit, time, classes_, first_definition));
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
  for (const GraphTask& task : group.submit().graph) {
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
    if (!group->submit().is_graph()) {
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
  HQ_ASSERT(job(e.job).terminated());
  jobs_[e.job.value - 1].reset();
  mark_changed(effects, e.job);
}

// --- handing out
// ---------------------------------------------------------------------------------------------

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
    if (member->gang && member->gang->root == root.id) member->gang.reset();
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
    Job& owner = *found->first;
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
std::optional<std::pair<Job*, Job::Place>> State::assigned_row(WorkerId holder, const JobTask& task,
                                                               InstanceId instance) const {
  const Job* owner = find_job(task.job);
  if (owner == nullptr) return std::nullopt;
  auto place = owner->find(task.task);
  if (!place || !is_assigned(place->group->columns.state(place->position))) return std::nullopt;
  if (place->chunk().worker(place->row()) != holder.value) return std::nullopt;
  if (place->group->instance(place->position) != instance) return std::nullopt;
  return std::pair(const_cast<Job*>(owner), *place);
}

std::optional<std::pair<Job*, Job::Place>> State::reclaimable_row(WorkerId lost, const JobTask& task,
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
  return std::pair(const_cast<Job*>(owner), *place);
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
  mix(group.mean_ran_s);
  if (class_mean_ran_s_.size() <= klass.value) class_mean_ran_s_.resize(klass.value + 1, -1.0F);
  mix(class_mean_ran_s_[klass.value]);
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
    Job& owner = *found->first;
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
    claim(holder, place->group->klass(place->position), start.variant);
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
    Job& owner = *found->first;
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
    if (started) note_mean(*place->group, place->group->klass(place->position), end.usage.ran_s);
    mark_changed(effects, owner.id);
    settle(owner, time);
  }
  effects.wake_scheduler = true;
}

// --- loss
// ----------------------------------------------------------------------------------------------------

void State::lose_task(Job& owner, const Job::Place& place, TaskId id, const WorkerLost& loss, bool may_fail,
                      Effects& effects) {
  using Last = Job::Losses::Last;
  TaskChunk& chunk = place.chunk();
  const RowState was = chunk.state(place.row());
  const TaskDescription& description = place.group->description(place.position);
  --owner.counts[size_t(task_state(was))];
  if (may_fail && was == RowState::kRunning && description.crash_limit.value == CrashLimit::kNeverRestart) {
    ++owner.counts[size_t(TaskState::kFailed)];
    fail_row(owner, place, id, {FailureKind::kNeverRestart, 0, {}}, effects);
    return;
  }
  if (!counts_as_crash(loss.reason)) {
    if (auto losses = owner.losses.find(id); losses != owner.losses.end()) losses->second.last = Last::kNone;
  } else {
    Job::Losses& losses = owner.losses[id];
    if (was == RowState::kBacklog) {
      losses.last = losses.from_backlog < 255 ? Last::kBacklog : Last::kNone;
      if (losses.from_backlog < 255) ++losses.from_backlog;
    } else {
      losses.last = losses.crashes < 0xffff ? Last::kCrash : Last::kNone;
      if (losses.crashes < 0xffff) ++losses.crashes;
      if (description.crash_limit.value != CrashLimit::kNeverRestart &&
          losses.crashes >= description.crash_limit.value) {
        ++owner.counts[size_t(TaskState::kFailed)];
        fail_row(owner, place, id, {FailureKind::kCrashLimit, losses.crashes, {}}, effects);
        return;
      }
    }
  }
  ++owner.counts[size_t(TaskState::kWaiting)];
  place.group->set_instance(place.position, InstanceId(place.group->instance(place.position).value + 1));
  if (loss.held) {
    chunk.state(place.row()) = RowState::kHeld;
  } else {
    make_ready_again(owner, place, id);
  }
}

bool State::release_lingering(WorkerId id, const JobTask& task, InstanceId instance) {
  auto found = workers_.find(id);
  if (found == workers_.end()) return false;
  WorkerState& holder = *found->second;
  auto it = holder.lingering.find(task);
  if (it == holder.lingering.end() || it->second.instance != instance) return false;
  unclaim(holder, it->second.klass, it->second.variant);
  holder.lingering.erase(it);
  if (holder.gang && holder.gang->task == task) disband(holder);
  return true;
}

// --- self-check
// ----------------------------------------------------------------------------------------------

void State::check_invariants() const {
  struct Held {
    uint64_t slots = 0, running = 0, backlog = 0;
    AmountVector free;
  };
  std::map<WorkerId, Held> held;
  for (const auto& [id, w] : alive_) held[id].free = w->total;
  auto take = [&](Held& h, const WorkerState& w, ClassId klass, uint8_t variant) {
    for (const VariantNeed::Item& item : classes_.needs(klass)[variant].items) {
      h.free.subtract(item.resource, item.all ? w.total.at(item.resource) : item.amount);
    }
  };
  uint64_t ready = 0;
  for_each_job([&](const Job& owner) {
    std::array<uint64_t, kTaskStates> counts{};
    for (const auto& group : owner.groups) {
      for (uint64_t p = 0; p < group->task_count(); ++p) {
        const RowState row = group->columns.state(p);
        const TaskId id = group->id_at(p);
        ++counts[size_t(group->state(p))];
        if (row == RowState::kWaiting && group->rest == TaskState::kWaiting && !owner.unmet.contains(id)) {
          ++ready;
          const ReadyTasks* tasks = ready_.find(group->priority(p), group->klass(p), group->key());
          HQ_ASSERT(tasks != nullptr &&
                    tasks->fresh.contains(id.value) + tasks->again.contains(id.value) == 1);
        }
        if (row == RowState::kHeld) {
          TaskChunk& held = *group->columns.find(p);
          const WorkerState* holder = find_worker(WorkerId(held.worker(TaskColumns::row(p))));
          HQ_ASSERT(holder != nullptr && holder->holding);
          HQ_ASSERT(group->rest == TaskState::kWaiting && !owner.unmet.contains(id));
        }
        if (!is_assigned(row)) continue;
        TaskChunk& chunk = *group->columns.find(p);
        const uint32_t r = TaskColumns::row(p);
        auto it = held.find(WorkerId(chunk.worker(r)));
        HQ_ASSERT(it != held.end());  // assigned to a living worker
        if (row == RowState::kBacklog) {
          ++it->second.backlog;
        } else {
          ++(row == RowState::kSlot ? it->second.slots : it->second.running);
          take(it->second, *alive_.at(it->first), group->klass(p), chunk.variant(r));
        }
      }
    }
    HQ_ASSERT(counts == owner.counts);
  });
  HQ_ASSERT(ready == ready_.count());
  for (auto& [id, h] : held) {
    const WorkerState& w = *alive_.at(id);
    HQ_ASSERT(h.slots == w.slots && h.running == w.running && h.backlog == w.backlog);
    for (const auto& [task, lingering] : w.lingering) take(h, w, lingering.klass, lingering.variant);
    HQ_ASSERT(h.free.same_as(w.free));
    uint64_t backlog = 0;
    for (const auto& of : w.backlog_of) backlog += of.count;
    HQ_ASSERT(backlog == w.backlog);
    uint64_t holding = 0;
    for (const auto& of : w.in_use) holding += of.count;
    HQ_ASSERT(holding == w.slots + w.running);
    if (!w.gang) continue;
    auto root = alive_.find(w.gang->root);
    HQ_ASSERT(root != alive_.end() && root->second->gang == w.gang);
    HQ_ASSERT(root->second->slots + root->second->running + root->second->lingering.size() == 1);
  }
}

}  // namespace hq
