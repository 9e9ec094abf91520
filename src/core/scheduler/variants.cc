// Slots of classes with several variants. The value of a variant is its weight times the share of all
// resources that it uses; tasks are spread over workers and variants so that the sum is greatest. Ties: more
// tasks, then the earlier variant, then the lower worker id.
#include <algorithm>
#include <functional>
#include <queue>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

namespace {

// Breaks ties in favour of more tasks; far below what any resource is worth.
constexpr double kPerTask = 1e-9;
constexpr double kSame = 1e-12;

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

// For each number of tasks up to `most`, the best use of the room by at most so many; empty when none fits.
// By the number of tasks.
std::vector<Pass::Choice> Pass::choices(size_t i, const Demand& demand, uint64_t most) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  const size_t n = variants.size();
  std::vector<uint64_t> fits(n);
  std::vector<double> values(n);
  uint64_t combinations = 1;
  for (size_t v = 0; v < n; ++v) {
    fits[v] = std::min(room_for(i, demand, variants[v]), most);
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
  if (combinations <= kMaxCombinations) {
    search(0, 0, 0);
  } else {
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
  }
  // "At most": fewer tasks may be worth more.
  for (size_t k = 1; k < best.size(); ++k) {
    if (best[k].counts.empty() || best[k].value <= best[k - 1].value + kSame) best[k] = best[k - 1];
  }
  return best;
}

void Pass::place_variants(Demand& demand) {
  const std::vector<VariantNeed>& variants = needs(demand.klass);
  ++work_;
  if (std::all_of(variants.begin(), variants.end(), [&](const auto& need) { return hopeless(need); })) return;
  work_ += open_.size();
  struct Offer {
    size_t room;
    std::vector<Choice> choices;
    uint64_t taken = 0;  // index into choices
  };
  std::vector<Offer> offers;
  uint64_t wanted = 0;
  for (size_t i : open_) {
    const bool any = std::any_of(variants.begin(), variants.end(),
                                 [&](const auto& need) { return room_for(i, demand, need) > 0; });
    if (!any) continue;
    const uint64_t most = std::min({demand.remaining, rooms_.at(i).most, uint64_t{UINT32_MAX}});
    offers.push_back({i, choices(i, demand, most), 0});
    work_ += offers.back().choices.size() + 8;
    wanted += offers.back().choices.size() - 1;
  }
  // The next step of an offer: up to the number of tasks with the best value for each further task.
  struct Next {
    double slope;
    size_t offer;
    uint64_t to;
    bool operator<(const Next& other) const {
      return slope != other.slope ? slope < other.slope : offer > other.offer;
    }
  };
  std::priority_queue<Next> queue;
  uint64_t left = demand.remaining;
  const auto push = [&](size_t o) {
    const Offer& offer = offers[o];
    const uint64_t end = std::min<uint64_t>(offer.choices.size() - 1, offer.taken + left);
    std::optional<Next> next;
    for (uint64_t k = offer.taken + 1; k <= end; ++k) {
      const double slope =
          (offer.choices[k].value - offer.choices[offer.taken].value) / double(k - offer.taken);
      if (slope > kSame && (!next || slope >= next->slope - kSame)) next = Next{slope, o, k};
    }
    if (next) queue.push(*next);
  };
  if (wanted <= left) {
    for (Offer& offer : offers) offer.taken = offer.choices.size() - 1;
  } else {
    for (size_t o = 0; o < offers.size(); ++o) push(o);
    while (left > 0 && !queue.empty()) {
      const Next next = queue.top();
      queue.pop();
      Offer& offer = offers[next.offer];
      const uint64_t to = std::min(next.to, offer.taken + left);
      left -= offer.choices[to].tasks - offer.choices[offer.taken].tasks;
      offer.taken = to;
      push(next.offer);
    }
  }
  for (const Offer& offer : offers) {
    const Choice& choice = offer.choices[offer.taken];
    for (size_t v = 0; v < choice.counts.size(); ++v) {
      if (choice.counts[v] == 0) continue;
      rooms_.take(offer.room, variants[v], choice.counts[v]);
      put(offer.room, demand, uint8_t(v), choice.counts[v], true);
    }
  }
}

}  // namespace hq
