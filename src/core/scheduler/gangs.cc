// Multi-node tasks: so many workers of one group, each without any other task, all at once or none.
#include <algorithm>
#include <map>

#include "core/scheduler/pass.h"

namespace hq {

void Pass::find_groups() {
  if (groups_known_) return;
  groups_known_ = true;
  std::map<std::string_view, std::vector<size_t>> by_name;
  for (size_t i = 0; i < rooms_.size(); ++i) by_name[rooms_.at(i).worker->config->group].push_back(i);
  for (auto& [name, rooms] : by_name) groups_.push_back(std::move(rooms));
}

void Pass::place_gangs(Demand& demand) {
  find_groups();
  const VariantNeed& need = needs(demand.klass)[0];
  const Scheduler::WaitKey own{*priority_, demand.klass};
  for (const std::vector<size_t>& group : groups_) {
    std::vector<size_t> idle;
    for (size_t i : group) {
      rooms_.touch(*in_, i);
      const Room& room = rooms_.at(i);
      const bool kept = room.kept_for ? *room.kept_for != own : room.capped_by.has_value();
      if (room.closed || room.gang || kept || !room.fresh || room.most == 0) continue;
      if (room.worker->idle() && rooms_.lives_for(i, need)) idle.push_back(i);
    }
    std::stable_partition(idle.begin(), idle.end(), [&](size_t i) { return !rooms_.at(i).watched(); });
    work_ += group.size();
    for (size_t at = 0; demand.remaining > 0 && at + need.nodes <= idle.size(); at += need.nodes) {
      Placed placed{rooms_.at(idle[at]).worker->id, *priority_, demand.klass, 0, 1, true, {}};
      for (size_t k = at; k < at + need.nodes; ++k) {
        Room& room = rooms_.at(idle[k]);
        placed.nodes.push_back(room.worker->id);
        rooms_.empty(idle[k]);
        room.gang = true;
      }
      out_->placed.push_back(std::move(placed));
      --demand.remaining;
      demand.got_some = true;
      last_placed_ = std::max(last_placed_.value_or(0), size_t(&demand - demands_.data()));
    }
  }
}

// The rooms to be kept free for `gangs` of these: of the group that can have them soonest, idle ones first,
// then those with the fewest tasks.
std::vector<size_t> Pass::drain_order(const VariantNeed& need, uint64_t gangs) const {
  std::vector<size_t> best;
  size_t best_idle = 0;
  for (const std::vector<size_t>& group : groups_) {
    std::vector<size_t> able;
    size_t idle = 0;
    for (size_t i : group) {
      const Room& room = rooms_.at(i);
      if (room.closed || room.gang || room.most == 0 || !rooms_.lives_for(i, need)) continue;
      able.push_back(i);
      if (room.worker->idle() && room.fresh) ++idle;
    }
    if (able.size() < need.nodes || (!best.empty() && idle <= best_idle)) continue;
    const auto load = [&](size_t i) {
      const WorkerState& worker = *rooms_.at(i).worker;
      if (worker.gang) return UINT64_MAX;
      return worker.slots + worker.running + worker.backlog + worker.lingering.size() +
             (rooms_.at(i).fresh ? 0 : 1);
    };
    std::stable_sort(able.begin(), able.end(), [&](size_t a, size_t b) { return load(a) < load(b); });
    able.resize(std::min<uint64_t>(able.size() / need.nodes, gangs) * need.nodes);
    best = std::move(able);
    best_idle = idle;
  }
  return best;
}

}  // namespace hq
