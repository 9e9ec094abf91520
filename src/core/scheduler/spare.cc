// A variant that asks for more is worth more, but not where classes behind want what it has beyond a lesser
// one: as much is in use if they get it, and more tasks run.
#include <algorithm>

#include "core/scheduler/pass.h"

namespace hq {

namespace {

// So many classes behind are asked whether they would use what is spared.
constexpr size_t kAsked = 4;
// In so many rooms a pass looks for something to spare; with more of them, little is lost by leaving it.
constexpr size_t kMaxSpared = 1'000;

int64_t asked(const VariantNeed& need, ResourceIndex r) {
  for (const VariantNeed::Item& item : need.items) {
    if (item.resource == r) return int64_t(item.amount.scaled);
  }
  return 0;
}

bool asks_for_all_of_any(const VariantNeed& need) {
  return std::any_of(need.items.begin(), need.items.end(), [](const auto& item) { return item.all; });
}

// What a variant asks for beyond another one, by resource; empty if it does not ask for at least as much of
// everything.
std::vector<std::pair<ResourceIndex, int64_t>> beyond(const VariantNeed& more, const VariantNeed& less) {
  std::vector<std::pair<ResourceIndex, int64_t>> out;
  for (const VariantNeed::Item& item : less.items) {
    if (asked(more, item.resource) < int64_t(item.amount.scaled)) return {};
  }
  for (const VariantNeed::Item& item : more.items) {
    const int64_t spared = int64_t(item.amount.scaled) - asked(less, item.resource);
    if (spared > 0) out.emplace_back(item.resource, spared);
  }
  return out;
}

void add(std::vector<int64_t>& amounts, const VariantNeed& need, int64_t n) {
  for (const VariantNeed::Item& item : need.items) amounts[item.resource] += int64_t(item.amount.scaled) * n;
}

uint64_t fit_into(const VariantNeed& need, const std::vector<int64_t>& left) {
  uint64_t n = UINT32_MAX;
  for (const VariantNeed::Item& item : need.items) {
    const auto each = int64_t(item.amount.scaled);
    n = item.all || left[item.resource] < each ? 0 : std::min(n, uint64_t(left[item.resource] / each));
    if (n == 0) return 0;
  }
  return need.items.empty() ? 0 : n;
}

}  // namespace

// None when the pass has looked for them often enough.
std::vector<Pass::Lesser> Pass::lesser_variants(ClassId klass) const {
  std::vector<Lesser> out;
  const std::vector<VariantNeed>& variants = needs(klass);
  if (spared_in_ >= kMaxSpared) return out;
  if (std::any_of(variants.begin(), variants.end(), asks_for_all_of_any)) return out;
  const auto& requested = in_->state.classes().request(klass).variants;
  for (size_t v = 0; v < variants.size(); ++v) {
    for (size_t w = 0; w < variants.size(); ++w) {
      if (v == w || requested[v].weight != requested[w].weight) continue;
      auto spares = beyond(variants[v], variants[w]);
      if (!spares.empty()) out.push_back({uint8_t(v), uint8_t(w), std::move(spares)});
    }
  }
  return out;
}

// What is free, and what each class and those behind it want at least.
void Pass::find_others() {
  Others& others = others_.emplace();
  others.free.resize(rooms_.resources());
  for (ResourceIndex r = 0; r < rooms_.resources(); ++r) {
    for (size_t i = 0; i < rooms_.size(); ++i) others.free[r] += rooms_.available(i, r);
  }
  others.behind.assign(demands_.size() + 1, std::vector<int64_t>(rooms_.resources()));
  for (size_t d = demands_.size(); d-- > 0;) {
    std::vector<int64_t>& sums = others.behind[d];
    sums = others.behind[d + 1];
    const std::vector<VariantNeed>& variants = needs(demands_[d].klass);
    for (const VariantNeed::Item& item : variants[0].items) {
      int64_t least = int64_t(item.amount.scaled);
      for (const VariantNeed& need : variants) least = std::min(least, asked(need, item.resource));
      sums[item.resource] += least * int64_t(demands_[d].remaining);
    }
  }
  rooms_.work += rooms_.size() + 2 * demands_.size();
}

Pass::Sparing Pass::behind(const Demand& demand, const std::vector<Taking>& takings) {
  if (!others_) find_others();
  Sparing out;
  const size_t next = size_t(&demand - demands_.data()) + 1;
  out.lack = others_->behind[next];
  for (ResourceIndex r = 0; r < rooms_.resources(); ++r) out.lack[r] -= others_->free[r];
  for (const Taking& taking : takings) {
    for (size_t v = 0; v < taking.counts.size(); ++v)
      add(out.lack, needs(demand.klass)[v], int64_t{taking.counts[v]});
  }
  const auto weight = [&](ClassId klass) { return in_->state.classes().request(klass).variants[0].weight; };
  for (size_t d = next; d < demands_.size() && out.behind.size() < kAsked; ++d) {
    if (demands_[d].remaining == 0 || needs(demands_[d].klass)[0].nodes > 0) continue;
    if (weight(demands_[d].klass) == weight(demand.klass))
      out.behind.push_back({demands_[d].klass, demands_[d].remaining});
  }
  return out;
}

// How many more tasks, of `most` in all, fit into the room if this is spared; 0 if they would not use all of
// it.
uint64_t Pass::users_of(const Lesser& lesser, const VariantNeed& need, uint64_t most, size_t room,
                        const Sparing& sparing) const {
  if (!rooms_.lives_for(room, need) || rooms_.at(room).watched()) return 0;
  std::vector<int64_t> with = sparing.left;
  for (const auto& [r, amount] : lesser.spares) with[r] += amount;
  const uint64_t fit = fit_into(need, with);
  const uint64_t more = fit - fit_into(need, sparing.left);
  const bool use_it = std::all_of(lesser.spares.begin(), lesser.spares.end(), [&](const auto& spared) {
    return asked(need, spared.first) * int64_t(more) >= spared.second;
  });
  return use_it && fit <= most ? more : 0;
}

bool Pass::spare_one(const Lesser& lesser, size_t room, Sparing& sparing) {
  const bool lack = std::all_of(lesser.spares.begin(), lesser.spares.end(), [&](const auto& spared) {
    return sparing.lack[spared.first] >= spared.second;
  });
  if (!lack) return false;
  for (Behind& other : sparing.behind) {
    for (const VariantNeed& need : needs(other.klass)) {
      ++rooms_.work;
      const uint64_t users = users_of(lesser, need, other.remaining, room, sparing);
      if (users == 0) continue;
      other.remaining -= users;
      add(sparing.left, need, -int64_t(users));
      for (const auto& [r, amount] : lesser.spares) {
        sparing.left[r] += amount;
        sparing.lack[r] -= amount;
      }
      return true;
    }
  }
  return false;
}

void Pass::spare_for_others(const Demand& demand, std::vector<Taking>& takings) {
  const std::vector<Lesser> lessers = lesser_variants(demand.klass);
  if (lessers.empty() || takings.empty()) return;
  Sparing sparing = behind(demand, takings);
  spared_in_ += takings.size();
  for (Taking& taking : takings) {
    sparing.left.resize(rooms_.resources());
    for (ResourceIndex r = 0; r < rooms_.resources(); ++r) sparing.left[r] = rooms_.available(taking.room, r);
    for (size_t v = 0; v < taking.counts.size(); ++v)
      add(sparing.left, needs(demand.klass)[v], -int64_t{taking.counts[v]});
    for (const Lesser& lesser : lessers) {
      while (taking.counts[lesser.from] > 0 && spare_one(lesser, taking.room, sparing)) {
        --taking.counts[lesser.from];
        ++taking.counts[lesser.to];
      }
    }
  }
}

}  // namespace hq
