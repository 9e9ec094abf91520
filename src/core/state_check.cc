// The self-check of the state, for tests.
#include "hq/core/state.h"

#include <map>

#include "hq/base/assert.h"

namespace hq {

void State::check_invariants() const {
  allocations_.check_invariants();
  struct Held {
    uint64_t slots = 0, running = 0, backlog = 0;
    AmountVector free;
  };
  std::map<WorkerId, Held> held;
  for (const auto& [id, w] : alive_) held[id].free = w->total;
  for (const auto& [id, w] : workers_) HQ_ASSERT(find_worker(w->uid)->id >= id);
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
    uint64_t grouped = 0;
    for (const auto& [what, size] : owner.failures) grouped += size.tasks;
    HQ_ASSERT(owner.failures.size() < Job::kMaxFailureGroups ? grouped == owner.count(TaskState::kFailed)
                                                             : grouped <= owner.count(TaskState::kFailed));
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
