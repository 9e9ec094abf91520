// Slots of classes with several variants. The value of a variant is its weight times the share of all
// resources that it uses; tasks are spread over workers and variants so that the sum is greatest. Ties: more
// tasks, then the earlier variant, then the lower worker id. What others behind would use just as well is
// left to them (spare.cc).
#include <algorithm>
#include <bit>
#include <functional>
#include <queue>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

namespace {

// Breaks ties in favour of more tasks; far below what any resource is worth.
constexpr double kPerTask = 1e-9;
constexpr double kSame = 1e-12;

bool asks_for_all(const VariantNeed& need) {
  return std::any_of(need.items.begin(), need.items.end(), [](const auto& item) { return item.all; });
}

}  // namespace

double Pass::value_of(size_t room, ClassId klass, size_t variant) const {
  const VariantNeed& need = needs(klass)[variant];
  double value = 0;
  for (const VariantNeed::Item& item : need.items) {
    const auto amount = double(item.all ? rooms_.total(room, item.resource) : int64_t(item.amount.scaled));
    const double all = rooms_.sum_of(item.resource);
    if (all > 0) value += amount / all;
  }
  return value * double(in_->state.classes().request(klass).variants[variant].weight) / 10'000.0;
}

bool Pass::place_variants(Demand& demand) {
  if (next_block_ == 0) {
    offers_.clear();
    choices_.clear();
    known_choices_.clear();
    combinations_ = 0;
    rooms_seen_.assign(needs(demand.klass).size(), 0);
    takings_.clear();
    next_taking_ = 0;
    only_variant_ = one_variant_for_all(demand);
  }
  if (only_variant_) return place_variant(demand, *only_variant_);
  if (takings_.empty()) {
    if (!gather_offers(demand)) return false;
    choose_offers(demand);
  }
  return take_chosen(demand);
}

// The most valuable variant, if there is room for all tasks in it: nothing is better then.
std::optional<uint8_t> Pass::one_variant_for_all(const Demand& demand) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  if (std::any_of(variants.begin(), variants.end(), asks_for_all)) return std::nullopt;
  size_t best = 0;
  for (size_t v = 1; v < variants.size(); ++v) {
    if (value_of(0, demand.klass, v) > value_of(0, demand.klass, best) + kSame) best = v;
  }
  uint64_t room = 0;
  rooms_.look_for(variants[best], looks_[0]);
  if (looks_[0].none) return std::nullopt;
  for (size_t block = 0; block < rooms_.blocks() && room < demand.remaining; ++block) {
    for (uint64_t bits = rooms_.fitting(block, looks_[0]); bits != 0; bits &= bits - 1)
      room += room_for(block * Rooms::kBlock + size_t(std::countr_zero(bits)), demand, variants[best]);
  }
  if (room < demand.remaining) return std::nullopt;
  const std::vector<Lesser> lesser = lesser_variants(demand.klass);
  if (std::any_of(lesser.begin(), lesser.end(), [&](const Lesser& one) { return one.from == best; }))
    return std::nullopt;  // but room by room something may be left to others
  return uint8_t(best);
}

// As many rooms for each variant as there are tasks are enough: were one of them to go elsewhere, one of
// these would be left for it. Not so where the value of a variant differs between rooms.
bool Pass::gather_offers(Demand& demand) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  looks_.resize(std::max(looks_.size(), variants.size()));
  if (next_block_ == 0) {
    found_.assign(variants.size(), false);
    raises_then_ = rooms_.raises();
  }
  bool none = true;
  for (size_t v = 0; v < variants.size(); ++v) {
    rooms_.look_for(variants[v], looks_[v]);
    none = none && looks_[v].none;
  }
  if (none) return true;
  while (next_block_ < rooms_.blocks()) {
    const size_t block = next_block_++;
    uint64_t bits = 0;
    for (size_t v = 0; v < variants.size(); ++v) {
      if (looks_[v].none || (rooms_seen_[v] >= demand.remaining && !asks_for_all(variants[v]))) continue;
      const uint64_t rooms = rooms_.fitting(block, looks_[v]);
      if (rooms != 0) found_[v] = true;
      bits |= rooms;
    }
    for (; bits != 0; bits &= bits - 1)
      look_at_variants(block * Rooms::kBlock + size_t(std::countr_zero(bits)), demand);
    if (is_spent()) return false;
  }
  for (size_t v = 0; v < variants.size(); ++v) {
    if (!found_[v] && !looks_[v].none) rooms_.note_none(variants[v], raises_then_);
  }
  return true;
}

void Pass::look_at_variants(size_t i, Demand& demand) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  const uint64_t most = std::min({demand.remaining, rooms_.at(i).most, uint64_t{UINT32_MAX}});
  rooms_.work += Rooms::kRoomWork;
  fits_.clear();
  for (const VariantNeed& need : variants) fits_.push_back(std::min(room_for(i, demand, need), most));
  if (std::all_of(fits_.begin(), fits_.end(), [](uint64_t n) { return n == 0; })) return;
  for (size_t v = 0; v < variants.size(); ++v) rooms_seen_[v] += fits_[v] > 0 ? 1 : 0;
  key_.assign(fits_.begin(), fits_.end());
  for (const VariantNeed& need : variants) {
    for (const VariantNeed::Item& item : need.items) {
      key_.push_back(rooms_.available(i, item.resource));
      if (item.all) key_.push_back(rooms_.total(i, item.resource));
    }
  }
  auto known = known_choices_.find(key_);
  if (known == known_choices_.end()) {
    known = known_choices_.emplace(key_, choices_.size()).first;
    choices_.push_back(choices_of(i, demand, fits_, most));
  }
  offers_.push_back({i, known->second});
}

// For each number of tasks up to `most`, the best use of the room by at most so many. By the number of tasks.
std::vector<Pass::Choice> Pass::choices_of(size_t i, const Demand& demand, const std::vector<uint64_t>& fits,
                                           uint64_t most) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  const size_t n = variants.size();
  std::vector<double> values(n);
  uint64_t combinations = 1;
  for (size_t v = 0; v < n; ++v) {
    values[v] = value_of(i, demand.klass, v) + kPerTask;
    combinations = std::min<uint64_t>(combinations * (fits[v] + 1), UINT32_MAX);
  }
  std::vector<Choice> best;
  const auto offer = [&](const std::vector<uint32_t>& counts, double value, uint64_t tasks) {
    if (best.size() <= tasks) best.resize(tasks + 1);
    Choice& choice = best[tasks];
    if (choice.counts.empty() || value > choice.value + kSame) choice = {value, tasks, counts};
  };
  // Amounts left, by the items of all variants.
  std::vector<int64_t> left(rooms_.resources());
  for (const VariantNeed& need : variants) {
    for (const auto& item : need.items) left[item.resource] = rooms_.available(i, item.resource);
  }
  const auto each = [&](const VariantNeed::Item& item) {
    return item.all ? rooms_.total(i, item.resource) : int64_t(item.amount.scaled);
  };
  const auto still = [&](size_t v, uint64_t tasks) {
    uint64_t count = std::min(fits[v], most - tasks);
    for (const auto& item : variants[v].items)
      count = std::min(
          count, uint64_t(std::max<int64_t>(left[item.resource], 0) / std::max<int64_t>(each(item), 1)));
    return count;
  };
  const auto use = [&](size_t v, int64_t count) {
    for (const auto& item : variants[v].items) left[item.resource] -= count * each(item);
  };
  std::vector<uint32_t> counts(n);
  const std::function<void(size_t, double, uint64_t)> search = [&](size_t v, double value, uint64_t tasks) {
    if (v == n) {
      offer(counts, value, tasks);
      return;
    }
    const uint64_t fit = still(v, tasks);
    // Many of the first variant are tried first, so that it wins ties.
    for (uint64_t count = fit + 1; count-- > 0;) {
      counts[v] = uint32_t(count);
      use(v, int64_t(count));
      search(v + 1, value + double(count) * values[v], tasks + count);
      use(v, -int64_t(count));
    }
    counts[v] = 0;
  };
  const auto densest_first = [&] {
    std::vector<size_t> order(n);
    for (size_t v = 0; v < n; ++v) order[v] = v;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return values[a] * double(fits[a]) > values[b] * double(fits[b]);
    });
    double value = 0;
    uint64_t tasks = 0;
    offer(counts, 0, 0);
    for (size_t v : order) {
      const uint64_t fit = still(v, tasks);
      for (uint64_t count = 1; count <= fit; ++count) {
        ++counts[v];
        offer(counts, value + double(count) * values[v], tasks + count);
      }
      use(v, int64_t(fit));
      value += double(fit) * values[v];
      tasks += fit;
    }
  };
  if (combinations <= std::min(kMaxCombinations, kMaxCombinationsOfAll - combinations_)) {
    combinations_ += combinations;
    rooms_.work += 4 * combinations;
    search(0, 0, 0);
  } else {
    densest_first();
    rooms_.work += 10 * best.size();
  }
  // "At most": fewer tasks may be worth more.
  for (size_t k = 1; k < best.size(); ++k) {
    if (best[k].counts.empty() || best[k].value <= best[k - 1].value + kSame) best[k] = best[k - 1];
  }
  return best;
}

// Tasks go where each further one adds most; each offer is taken up to the number of tasks with the best
// value for each of them.
void Pass::select(uint64_t tasks) {
  struct Next {
    double slope;
    size_t offer;
    uint64_t to;
    bool operator<(const Next& other) const {
      return slope != other.slope ? slope < other.slope : offer > other.offer;
    }
  };
  std::priority_queue<Next> queue;
  const auto push = [&](size_t o) {
    const Offer& offer = offers_[o];
    const std::vector<Choice>& choices = choices_[offer.choices];
    const uint64_t end = std::min<uint64_t>(choices.size() - 1, offer.taken + tasks);
    std::optional<Next> next;
    for (uint64_t k = offer.taken + 1; k <= end; ++k) {
      const double slope = (choices[k].value - choices[offer.taken].value) / double(k - offer.taken);
      if (slope > kSame && (!next || slope >= next->slope - kSame)) next = Next{slope, o, k};
    }
    if (next) queue.push(*next);
  };
  for (size_t o = 0; o < offers_.size(); ++o) push(o);
  while (tasks > 0 && !queue.empty()) {
    const Next next = queue.top();
    queue.pop();
    Offer& offer = offers_[next.offer];
    const std::vector<Choice>& choices = choices_[offer.choices];
    const uint64_t to = std::min(next.to, offer.taken + tasks);
    tasks -= choices[to].tasks - choices[offer.taken].tasks;
    offer.taken = to;
    push(next.offer);
  }
}

void Pass::choose_offers(const Demand& demand) {
  uint64_t wanted = 0;
  for (const Offer& offer : offers_) wanted += choices_[offer.choices].size() - 1;
  if (wanted > demand.remaining) {
    select(demand.remaining);
  } else {
    for (Offer& offer : offers_) offer.taken = choices_[offer.choices].size() - 1;
  }
  for (const Offer& offer : offers_) {
    const Choice& choice = choices_[offer.choices][offer.taken];
    if (choice.tasks > 0) takings_.push_back({offer.room, choice.counts});
  }
  spare_for_others(demand, takings_);
}

bool Pass::take_chosen(Demand& demand) {
  while (next_taking_ < takings_.size()) {
    const Taking& taking = takings_[next_taking_++];
    for (size_t v = 0; v < taking.counts.size(); ++v) {
      if (taking.counts[v] == 0) continue;
      // What was looked at in an earlier step may have changed.
      const uint64_t n =
          std::min<uint64_t>(taking.counts[v], room_for(taking.room, demand, needs(demand.klass)[v]));
      if (n > 0) take(taking.room, demand, uint8_t(v), n);
    }
    if (is_spent()) return next_taking_ == takings_.size();
  }
  return true;
}

}  // namespace hq
