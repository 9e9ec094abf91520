// pick: from a placement (so many tasks of a class) to the tasks themselves.
#include <algorithm>

#include "hq/base/assert.h"
#include "hq/core/scheduler.h"

namespace hq {

namespace {

// A task lost this often from the backlog of crashed workers is only placed: if it is what kills them, it
// must be counted (docs/states.md, Loss of a worker).
constexpr uint8_t kBacklogLosses = 2;

}  // namespace

std::vector<AssignedRange> pick(const State& state, const Placed& placed) {
  std::vector<AssignedRange> out;
  const auto& priorities = state.ready().priorities();
  auto p = priorities.find(placed.priority);
  if (p == priorities.end()) return out;
  auto c = p->second.find(placed.klass);
  if (c == p->second.end()) return out;
  uint64_t left = placed.count;
  for (const auto& [key, tasks] : c->second.groups) {
    if (left == 0) break;
    const Job& job = *state.find_job(key.job);
    const TaskGroup& group = *job.groups[key.group];
    for (const IdRange& range : tasks.again.lowest(left)) {
      for (uint64_t id = range.first; id <= range.last; id += range.step) {
        const TaskId task{uint32_t(id)};
        auto losses = job.losses.find(task);
        if (!placed.slot && losses != job.losses.end() && losses->second.from_backlog >= kBacklogLosses)
          continue;
        const InstanceId instance = group.instance(*group.position(task));
        out.push_back(
            {key.job, {task.value, task.value, 1}, instance, placed.variant, placed.slot, placed.nodes});
        --left;
      }
    }
    for (const IdRange& range : tasks.fresh.lowest(left)) {
      left -= range.count();
      if (!group.is_graph()) {
        out.push_back({key.job, range, InstanceId(0), placed.variant, placed.slot, placed.nodes});
        continue;
      }
      // Each task of a graph has a definition of its own, and a range has one.
      for (uint64_t id = range.first; id <= range.last; id += range.step) {
        const auto one = uint32_t(id);
        out.push_back({key.job, {one, one, 1}, InstanceId(0), placed.variant, placed.slot, placed.nodes});
      }
    }
  }
  return out;
}

}  // namespace hq
