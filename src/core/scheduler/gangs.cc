// Multi-node tasks: so many workers of one group, each without any other task, all at once or none.
#include <algorithm>
#include <map>

#include "core/scheduler/pass.h"

namespace hq {

void Pass::find_groups() {
  if (groups_known_) return;
  groups_known_ = true;
  std::map<std::string_view, Group> by_name;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    Group& group = by_name[rooms_.at(i).worker->config->group];
    group.rooms.push_back(i);
    group.idle.push_back(i);
  }
  for (auto& [name, group] : by_name) groups_.push_back(std::move(group));
  rooms_.work += 10 * rooms_.size();
}

// A worker that becomes idle during the pass is seen by the next one.
void Pass::sweep_idle(Group& group) {
  rooms_.work += 5 * group.idle.size();
  std::erase_if(group.idle, [&](size_t i) {
    const Room& room = rooms_.at(i);
    return room.closed_to_gangs() || room.gang || !room.fresh || room.most == 0 || !room.worker->idle();
  });
}

// The idle rooms that a task of this class may have.
std::vector<size_t> Pass::idle_for(const Group& group, const VariantNeed& need,
                                   const Scheduler::WaitKey& own) {
  std::vector<size_t> out;
  if (group.idle.size() < need.nodes) return out;
  rooms_.work += 5 * group.idle.size();
  for (size_t i : group.idle) {
    const Room& room = rooms_.at(i);
    const bool kept = room.kept_for ? *room.kept_for != own : room.capped_by.has_value();
    if (kept || !rooms_.lives_for(i, need)) continue;
    rooms_.touch(*in_, i);
    if (!room.closed_to_gangs() && room.most > 0) out.push_back(i);
  }
  std::stable_partition(out.begin(), out.end(), [&](size_t i) { return !rooms_.at(i).watched(); });
  return out;
}

bool Pass::place_gangs(Demand& demand) {
  find_groups();
  const VariantNeed& need = needs(demand.klass)[0];
  for (Group& group : groups_) {
    sweep_idle(group);
    const std::vector<size_t> idle = idle_for(group, need, {*priority_, demand.klass});
    for (size_t at = 0; demand.remaining > 0 && at + need.nodes <= idle.size(); at += need.nodes) {
      Placed placed{rooms_.id(idle[at]), *priority_, demand.klass, 0, 1, true, {}};
      for (size_t k = at; k < at + need.nodes; ++k) {
        Room& room = rooms_.at(idle[k]);
        placed.nodes.push_back(room.worker->id);
        rooms_.empty(idle[k]);
        room.gang = true;
        rooms_.work += Rooms::kRoomWork;
      }
      rooms_.work += Rooms::kPlacedWork;
      out_->placed.push_back(std::move(placed));
      --demand.remaining;
      demand.got_some = true;
      last_placed_ = std::max(last_placed_.value_or(0), demand.age);
      if (is_spent()) return demand.remaining == 0;
    }
  }
  return true;
}

// The rooms to be kept free for `gangs` of these: of the group that can have them soonest, idle ones first,
// then those with the fewest tasks.
std::vector<size_t> Pass::drain_first(const VariantNeed& need, uint64_t gangs) {
  const Group* best = nullptr;
  size_t best_idle = 0;
  const auto able = [&](size_t i) {
    const Room& room = rooms_.at(i);
    return !room.closed_to_gangs() && !room.gang && room.most > 0 && rooms_.lives_for(i, need);
  };
  for (Group& group : groups_) {
    sweep_idle(group);
    rooms_.work += group.rooms.size();
    const auto ables = uint64_t(std::count_if(group.rooms.begin(), group.rooms.end(), able));
    const auto idle = size_t(std::count_if(group.idle.begin(), group.idle.end(), able));
    if (ables < need.nodes || (best != nullptr && idle <= best_idle)) continue;
    best = &group;
    best_idle = idle;
  }
  std::vector<size_t> out;
  if (best == nullptr) return out;
  std::vector<std::pair<uint64_t, size_t>> by_load;
  for (size_t i : best->rooms) {
    if (!able(i)) continue;
    const WorkerState& worker = *rooms_.at(i).worker;
    const uint64_t tasks = worker.slots + worker.running + worker.backlog + worker.lingering.size() +
                           (rooms_.at(i).fresh ? 0 : 1);
    by_load.emplace_back(worker.gang ? UINT64_MAX : tasks, i);
  }
  const uint64_t count = std::min<uint64_t>(by_load.size() / need.nodes, gangs) * need.nodes;
  if (count < by_load.size())
    std::nth_element(by_load.begin(), by_load.begin() + int64_t(count), by_load.end());
  for (size_t k = 0; k < count; ++k) out.push_back(by_load[k].second);
  rooms_.work += 4 * by_load.size();
  return out;
}

}  // namespace hq
