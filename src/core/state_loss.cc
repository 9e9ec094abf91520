// The fold: workers that are lost, and what becomes of their tasks.
#include "hq/core/state.h"

#include "core/positions.h"
#include "hq/base/assert.h"

namespace hq {

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
  allocations_.worker_lost(lost.id, lost.uid, *lost.config, e.reason, time - lost.connected);
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

void State::lose_task(Job& owner, const Job::Place& place, TaskId id, const WorkerLost& loss, bool may_fail,
                      Effects& effects) {
  using Last = Job::Losses::Last;
  TaskChunk& chunk = place.chunk();
  const RowState was = chunk.state(place.row());
  const TaskDescription& description = place.group->wants(place.position);
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
  recent_workers_.note(id);
  unclaim(holder, it->second.klass, it->second.variant);
  holder.lingering.erase(it);
  if (holder.gang && holder.gang->task == task) disband(holder);
  return true;
}

}  // namespace hq
