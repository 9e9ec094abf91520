// Slots of classes with one variant: first fit by worker id, but workers with something rare that others wait
// for come last.
#include <algorithm>
#include <numeric>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

void Pass::find_wanted() {
  wanted_.assign(rooms_.resources(), false);
  std::vector<uint64_t> asked(rooms_.resources());
  std::vector<int64_t> least(rooms_.resources(), Rooms::kNoCap);
  uint64_t variants = 0;
  for (const auto& [priority, classes] : in_->state.ready().priorities()) {
    for (const auto& [klass, ready_class] : classes) {
      for (const VariantNeed& need : needs(klass)) {
        if (need.nodes > 0) continue;
        ++variants;
        for (const VariantNeed::Item& item : need.items) {
          wanted_[item.resource] = true;
          ++asked[item.resource];
          const int64_t amount = item.all ? 1 : int64_t(item.amount.scaled);
          least[item.resource] = std::min(least[item.resource], amount);
        }
      }
    }
  }
  for (ResourceIndex r = 0; r < rooms_.resources(); ++r) {
    if (variants > 0 && asked[r] == variants) needed_by_all_.emplace_back(r, least[r]);
  }
  open_.resize(rooms_.size());
  std::iota(open_.begin(), open_.end(), size_t{0});
}

bool Pass::is_shut(size_t i) const {
  return std::any_of(needed_by_all_.begin(), needed_by_all_.end(),
                     [&](const auto& need) { return rooms_.available(i, need.first) < need.second; });
}

// A room that is shut stays so: what is available only shrinks during a pass.
void Pass::sweep_open() {
  std::erase_if(open_, [&](size_t i) { return is_shut(i); });
}

void Pass::place(Demand& demand) {
  if (demand.remaining == 0) return;
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  if (variants[0].nodes > 0) {
    place_gangs(demand);
  } else if (variants.size() == 1) {
    place_one_variant(demand);
  } else {
    place_variants(demand);
  }
}

// How many more tasks of the class this room takes now.
uint64_t Pass::room_for(size_t i, const Demand& demand, const VariantNeed& need) {
  const Room& room = rooms_.at(i);
  if (room.closed || room.gang || room.occupied || room.most == 0 || rooms_.fit(i, need) == 0) return 0;
  rooms_.touch(*in_, i);
  if (room.closed || room.occupied) return 0;
  uint64_t n = rooms_.fit(i, need);
  if (n == 0 || !rooms_.lives_for(i, need)) return 0;
  if (in_->refused != nullptr && in_->refused->contains({room.worker->id, demand.klass})) return 0;
  if (need.items.empty()) {
    const uint64_t held = Rooms::in_use(*room.worker, demand.klass);
    n = kMaxWithoutResources - std::min(held, kMaxWithoutResources);
  }
  return std::min({n, demand.remaining, room.most});
}

bool Pass::spares(size_t room, const std::vector<ResourceIndex>& wanted) const {
  return std::none_of(wanted.begin(), wanted.end(),
                      [&](ResourceIndex r) { return rooms_.total(room, r) > 0; });
}

bool Pass::hopeless(const VariantNeed& need) const {
  return std::any_of(need.items.begin(), need.items.end(), [&](const VariantNeed::Item& item) {
    return upper_[item.resource] < (item.all ? 1 : int64_t(item.amount.scaled));
  });
}

void Pass::place_one_variant(Demand& demand) {
  const VariantNeed& need = needs(demand.klass)[0];
  ++work_;
  if (hopeless(need)) return;
  std::vector<ResourceIndex> others;  // that somebody waits for, and this class does not need
  for (ResourceIndex r = 0; r < wanted_.size(); ++r) {
    const bool own = std::any_of(need.items.begin(), need.items.end(),
                                 [&](const VariantNeed::Item& item) { return item.resource == r; });
    if (wanted_[r] && !own) others.push_back(r);
  }
  std::vector<size_t> later;
  const auto take = [&](size_t i) {
    const uint64_t n = room_for(i, demand, need);
    if (n == 0) return;
    rooms_.take(i, need, n);
    put(i, demand, 0, n, true);
  };
  work_ += open_.size();
  int64_t most_left = 0;
  if (need.items.empty()) {
    for (size_t i = 0; i < rooms_.size() && demand.remaining > 0; ++i) take(i);
    return;
  }
  const ResourceIndex first = need.items[0].resource;
  const auto least = need.items[0].all ? int64_t{1} : int64_t(need.items[0].amount.scaled);
  const std::vector<int64_t>& column = rooms_.available(first);
  for (size_t i : open_) {
    if (column[i] >= least) {
      if (demand.remaining == 0) return;
      if (!others.empty() && !spares(i, others)) {
        later.push_back(i);
      } else {
        take(i);
      }
    }
    most_left = std::max(most_left, column[i]);
  }
  for (size_t i : later) {
    if (demand.remaining == 0) return;
    take(i);
  }
  // Seen all of them: what is left of this resource is known.
  if (later.empty()) upper_[first] = most_left;
  sweep_open();
}

}  // namespace hq
