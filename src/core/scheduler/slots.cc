// Slots of classes with one variant: first fit by worker id, but workers with something rare that others wait
// for come last.
#include <algorithm>
#include <bit>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

void Pass::find_wanted() {
  wanted_.assign(rooms_.resources(), false);
  known_.assign(in_->state.classes().count(), false);
  std::vector<uint64_t> asked(rooms_.resources());
  std::vector<int64_t> least(rooms_.resources(), Rooms::kNoCap);
  uint64_t variants = 0;
  for (const auto& [priority, classes] : in_->state.ready().priorities()) {
    for (const auto& [klass, ready_class] : classes) {
      ++rooms_.work;
      known_[klass.value] = true;
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
}

// Once so, always so: what is available only shrinks during a pass.
bool Pass::is_shut(size_t i) const {
  return std::any_of(needed_by_all_.begin(), needed_by_all_.end(),
                     [&](const auto& need) { return rooms_.available(i, need.first) < need.second; });
}

bool Pass::place(Demand& demand) {
  if (demand.remaining == 0) return true;
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  if (variants[0].nodes > 0) return place_gangs(demand);
  return variants.size() == 1 ? place_variant(demand, 0) : place_variants(demand);
}

// How many more tasks of the class this room takes now.
uint64_t Pass::room_for(size_t i, const Demand& demand, const VariantNeed& need) {
  const Room& room = rooms_.at(i);
  uint64_t n = rooms_.fit(i, need);
  if (room.closed || room.gang || room.occupied || room.most == 0 || n == 0) return 0;
  if (room.changed) {
    rooms_.touch(*in_, i);
    if (room.closed || room.occupied) return 0;
    n = rooms_.fit(i, need);
  }
  if (n == 0 || !rooms_.lives_for(i, need)) return 0;
  if (in_->refused != nullptr && in_->refused->contains({rooms_.id(i), demand.klass})) return 0;
  if (need.items.empty()) {
    const uint64_t held = Rooms::in_use(*room.worker, demand.klass);
    n = kMaxWithoutResources - std::min(held, kMaxWithoutResources);
  }
  return std::min({n, demand.remaining, room.most});
}

void Pass::take(size_t i, Demand& demand, uint8_t variant, uint64_t n) {
  const VariantNeed& need = needs(demand.klass)[variant];
  rooms_.take(i, need, n);
  for (const VariantNeed::Item& item : need.items) {
    const int64_t each = item.all ? rooms_.total(i, item.resource) : int64_t(item.amount.scaled);
    if (others_) others_->free[item.resource] -= each * int64_t(n);
  }
  put(i, demand, variant, n, true);
}

// Resources that somebody waits for, and this variant does not need.
std::vector<ResourceIndex> Pass::wanted_besides(const VariantNeed& need) const {
  std::vector<ResourceIndex> out;
  for (ResourceIndex r = 0; r < wanted_.size(); ++r) {
    const bool own = std::any_of(need.items.begin(), need.items.end(),
                                 [&](const VariantNeed::Item& item) { return item.resource == r; });
    if (wanted_[r] && !own) out.push_back(r);
  }
  return out;
}

// Twice over all blocks: first the rooms without anything that others wait for, then the rest.
bool Pass::place_variant(Demand& demand, uint8_t variant) {
  const VariantNeed& need = needs(demand.klass)[variant];
  const std::vector<ResourceIndex> others = wanted_besides(need);
  const size_t blocks = rooms_.blocks();
  const size_t end = others.empty() ? blocks : 2 * blocks;
  rooms_.look_for(need, looks_[0]);
  if (looks_[0].none) return true;
  if (next_block_ == 0) {
    found_some_ = false;
    raises_then_ = rooms_.raises();
  }
  while (next_block_ < end && demand.remaining > 0) {
    const bool first = next_block_ < blocks;
    const size_t block = next_block_++ % blocks;
    const uint64_t rooms = rooms_.fitting(block, looks_[0]);
    if (next_block_ == blocks && rooms == 0 && !found_some_) {
      rooms_.note_none(need, raises_then_);
      return true;
    }
    if (rooms == 0) continue;
    found_some_ = true;
    const uint64_t spare = rooms_.without(block, others);
    place_in_block(demand, variant, block, rooms & (first ? spare : ~spare));
    if (is_spent()) return false;
  }
  return true;
}

void Pass::place_in_block(Demand& demand, uint8_t variant, size_t block, uint64_t rooms) {
  for (; rooms != 0 && demand.remaining > 0; rooms &= rooms - 1) {
    const size_t i = block * Rooms::kBlock + size_t(std::countr_zero(rooms));
    const uint64_t n = room_for(i, demand, needs(demand.klass)[variant]);
    ++rooms_.work;
    if (n > 0) take(i, demand, variant, n);
  }
}

}  // namespace hq
