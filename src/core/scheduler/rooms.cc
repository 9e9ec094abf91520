#include "core/scheduler/rooms.h"

#include <algorithm>

#include "core/scheduler/scheduler_limits.h"

namespace hq {

void Rooms::open(const PlanInput& input) {
  const State& state = input.state;
  rooms_.reserve(state.alive_workers().size());
  for (const auto& [id, worker] : state.alive_workers()) {
    if (input.closed.contains(id)) continue;
    Room& room = rooms_.emplace_back();
    room.worker = worker;
    room.backlog = worker->backlog;
    if (const auto life = remaining_life(*worker, input.now)) room.life = *life;
    limit_watched(input, room);
  }
  add_columns(state.classes().resource_count());
  for (size_t i = 0; i < rooms_.size(); ++i) {
    Room& room = rooms_[i];
    room.read = step_;
    room.occupied = room.worker->gang.has_value();
    room.no_backlog = room.worker->config->min_utilization > 0;
    read_free(i);
    for (size_t r = 0; r < total_.size(); ++r) {
      total_[r][i] = int64_t(room.worker->total.at(ResourceIndex(r)).scaled);
      sums_[r] += double(total_[r][i]);
    }
  }
  available_ = free_;
  read_usage(state);
}

void Rooms::limit_watched(const PlanInput& input, Room& room) {
  if (input.at_most == nullptr) return;
  const auto found = input.at_most->find(room.worker->id);
  if (found != input.at_most->end()) room.most = std::min(room.most, found->second);
}

void Rooms::add_columns(size_t resources) {
  for (auto* columns : {&free_, &available_, &total_, &lower_}) {
    while (columns->size() < resources) columns->emplace_back(rooms_.size());
  }
  while (cap_.size() < resources) cap_.emplace_back(rooms_.size(), kNoCap);
  sums_.resize(resources);
}

void Rooms::read_usage(const State& state) {
  for (size_t i = 0; i < rooms_.size(); ++i) {
    for (const WorkerState::InUse& use : rooms_[i].worker->in_use) {
      Holders& holders = holders_[use.klass];
      if (!holders.empty() && holders.back().first == i) {
        holders.back().second += use.count;
      } else {
        holders.emplace_back(i, use.count);
      }
      for (const VariantNeed::Item& item : state.classes().needs(use.klass)[use.variant].items) {
        const int64_t each = item.all ? total(i, item.resource) : int64_t(item.amount.scaled);
        const int64_t amount = each * int64_t{use.count};
        usage_.push_back({use.priority, item.resource, i, amount});
        lower_[item.resource][i] += amount;
      }
    }
  }
  std::stable_sort(usage_.begin(), usage_.end(),
                   [](const Usage& a, const Usage& b) { return a.priority > b.priority; });
}

const Rooms::Holders& Rooms::holders(ClassId klass) const {
  static const Holders kNone;
  const auto found = holders_.find(klass);
  return found == holders_.end() ? kNone : found->second;
}

void Rooms::read_free(size_t i) {
  const bool none = rooms_[i].closed || rooms_[i].gang || rooms_[i].occupied;
  for (size_t r = 0; r < free_.size(); ++r)
    free_[r][i] = none ? 0 : int64_t(rooms_[i].worker->free.at(ResourceIndex(r)).scaled);
}

void Rooms::next_step(const PlanInput& input) {
  ++step_;
  add_columns(input.state.classes().resource_count());  // names may have come since
}

void Rooms::read_again(const PlanInput& input, size_t i) {
  Room& room = rooms_[i];
  room.read = step_;
  if (!room.worker->alive() || input.closed.contains(room.worker->id)) room.closed = true;
  room.occupied = room.worker->gang.has_value();
  room.backlog = room.worker->backlog;
  limit_watched(input, room);  // may have begun since
  read_free(i);
  for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = free_[r][i];
  if (!room.closed) subtract_backlog(input.state, i);
  limit_by_cap(i);
}

void Rooms::set_priority(const State& state, int32_t priority) {
  priority_ = priority;
  for (; next_usage_ < usage_.size() && usage_[next_usage_].priority >= priority; ++next_usage_) {
    const Usage& use = usage_[next_usage_];
    lower_[use.resource][use.room] -= use.amount;
  }
  for (size_t i = 0; i < rooms_.size(); ++i) {
    if (rooms_[i].closed || rooms_[i].backlog == 0) continue;
    for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = free_[r][i];
    subtract_backlog(state, i);
    limit_by_cap(i);
  }
}

void Rooms::subtract_backlog(const State& state, size_t i) {
  if (!priority_) return;
  for (const WorkerState::BacklogOf& of : rooms_[i].worker->backlog_of) {
    if (of.priority < *priority_) continue;
    const VariantNeed& need = state.classes().needs(of.klass)[0];
    uint64_t n = of.count;
    for (const VariantNeed::Item& item : need.items) {
      const int64_t each = item.all ? total(i, item.resource) : int64_t(item.amount.scaled);
      const int64_t have = std::max<int64_t>(available_[item.resource][i], 0);
      n = each > 0 ? std::min(n, uint64_t(have / each)) : 0;
    }
    for (const VariantNeed::Item& item : need.items) {
      const int64_t each = item.all ? total(i, item.resource) : int64_t(item.amount.scaled);
      available_[item.resource][i] -= each * int64_t(n);
    }
  }
}

void Rooms::limit_by_cap(size_t i) {
  for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = std::min(available_[r][i], cap_[r][i]);
}

uint64_t Rooms::fit(size_t i, const VariantNeed& need) const {
  uint64_t fits = std::numeric_limits<uint32_t>::max();
  for (const VariantNeed::Item& item : need.items) {
    const int64_t have = available_[item.resource][i];
    if (item.all) {
      fits = have > 0 && have == total(i, item.resource) ? std::min<uint64_t>(fits, 1) : 0;
    } else {
      const auto each = int64_t(item.amount.scaled);
      fits = have < each ? 0 : std::min(fits, uint64_t(have / each));
    }
    if (fits == 0) return 0;
  }
  return fits;
}

uint64_t Rooms::fit_total(size_t i, const VariantNeed& need) const {
  if (rooms_[i].closed || !lives_for(i, need)) return 0;
  uint64_t fits = std::numeric_limits<uint32_t>::max();
  for (const VariantNeed::Item& item : need.items) {
    const int64_t have = total_[item.resource][i];
    if (item.all) {
      fits = have > 0 ? std::min<uint64_t>(fits, 1) : 0;
    } else {
      const auto each = int64_t(item.amount.scaled);
      fits = have < each ? 0 : std::min(fits, uint64_t(have / each));
    }
    if (fits == 0) return 0;
  }
  return fits;
}

void Rooms::take(size_t i, const VariantNeed& need, uint64_t n) {
  rooms_[i].fresh = false;
  if (rooms_[i].most != UINT64_MAX) rooms_[i].most -= std::min(rooms_[i].most, n);
  for (const VariantNeed::Item& item : need.items) {
    const int64_t each = item.all ? total(i, item.resource) : int64_t(item.amount.scaled);
    const int64_t amount = each * int64_t(n);
    free_[item.resource][i] -= amount;
    available_[item.resource][i] -= amount;
    if (cap_[item.resource][i] != kNoCap) cap_[item.resource][i] -= amount;
  }
}

void Rooms::set_cap(size_t i, ResourceIndex r, int64_t most) {
  most = std::max<int64_t>(most, 0);
  cap_[r][i] = std::min(cap_[r][i], most);
  available_[r][i] = std::min(available_[r][i], cap_[r][i]);
}

void Rooms::empty(size_t i) {
  for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = free_[r][i] = 0;
}

uint64_t Rooms::in_use(const WorkerState& worker, ClassId klass) {
  uint64_t n = 0;
  for (const WorkerState::InUse& held : worker.in_use) {
    if (held.klass == klass) n += held.count;
  }
  return n;
}

std::optional<size_t> Rooms::find(WorkerId worker) const {
  auto it = std::lower_bound(rooms_.begin(), rooms_.end(), worker,
                             [](const Room& room, WorkerId id) { return room.worker->id < id; });
  if (it == rooms_.end() || it->worker->id != worker) return std::nullopt;
  return size_t(it - rooms_.begin());
}

}  // namespace hq
