#include "core/scheduler/lookahead.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hq {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kSameTime = 1e-6;
constexpr double kWorthIt = 0.99;  // another order than the usual one has to be that much better
constexpr int kIdlePlays = 150;    // without any gain, before another beginning is tried
constexpr size_t kVariants = 8;    // slots of failed_ for a kind; the last one is "any"

}  // namespace

LookAhead::LookAhead(const Ahead& ahead) : ahead_(ahead) {
  resources_ = ahead.machines[0].total.size();
  sums_.assign(resources_, 0);
  for (const Ahead::Machine& machine : ahead.machines) {
    for (size_t r = 0; r < resources_; ++r) sums_[r] += double(machine.total[r]);
  }
  for (const Ahead::Kind& kind : ahead.kinds) {
    auto& of_kind = held_.emplace_back();
    for (const Ahead::Variant& variant : kind.variants) {
      for (const Ahead::Machine& machine : ahead.machines) {
        of_kind.push_back(variant.asks);
        for (size_t r = 0; r < resources_; ++r) {
          if (variant.asks[r] == Ahead::kAll) of_kind.back()[r] = machine.total[r];
        }
      }
    }
  }
}

uint64_t LookAhead::below(uint64_t n) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ % n;
}

// No order is done sooner: the work of each resource over all that there is of it.
double LookAhead::bound() const {
  double least = 0;
  std::vector<double> use(resources_);
  for (const Ahead::Running& running : ahead_.running) {
    least = std::max(least, running.ends);
    for (size_t r = 0; r < resources_; ++r) use[r] += running.ends * double(running.holds[r]);
  }
  for (const Ahead::Kind& kind : ahead_.kinds) {
    least = std::max(least, kind.seconds);
    for (size_t r = 0; r < resources_; ++r) {
      int64_t asks = std::numeric_limits<int64_t>::max();
      for (const Ahead::Variant& variant : kind.variants)
        asks = std::min(asks, std::max<int64_t>(variant.asks[r], 0));
      use[r] += double(kind.count) * kind.seconds * double(asks);
    }
  }
  for (size_t r = 0; r < resources_; ++r) {
    if (sums_[r] > 0) least = std::max(least, use[r] / sums_[r]);
  }
  return least;
}

bool LookAhead::fits(size_t m, const Ahead::Kind& kind, const Ahead::Variant& variant, double now) const {
  const Ahead::Machine& machine = ahead_.machines[m];
  if (machine.life < now + std::max(variant.least_life, kind.seconds)) return false;
  for (size_t r = 0; r < resources_; ++r) {
    const int64_t free = free_[m * resources_ + r];
    const int64_t asks = variant.asks[r];
    if (asks == Ahead::kAll ? free == 0 || free != machine.total[r] : free < asks) return false;
  }
  return true;
}

// Shares of all resources that would be left of the machine.
double LookAhead::left_after(size_t m, const Ahead::Variant& variant) const {
  double left = 0;
  for (size_t r = 0; r < resources_; ++r) {
    if (sums_[r] == 0 || variant.asks[r] == Ahead::kAll) continue;
    left += double(free_[m * resources_ + r] - variant.asks[r]) / sums_[r];
  }
  return left;
}

bool LookAhead::start(const AheadTurn& turn, uint8_t v, bool tightest, double now, bool keep) {
  const Ahead::Kind& kind = ahead_.kinds[turn.kind];
  const Ahead::Variant& variant = kind.variants[v];
  size_t best = SIZE_MAX;
  double best_left = kNever;
  for (size_t m : kind.machines) {
    ++spent_;
    if (!fits(m, kind, variant, now)) continue;
    const double left = tightest ? left_after(m, variant) : 0;
    if (left >= best_left) continue;
    best = m;
    best_left = left;
    if (!tightest) break;
  }
  if (best == SIZE_MAX) return false;
  const std::vector<int64_t>& holds = held_[turn.kind][v * ahead_.machines.size() + best];
  for (size_t r = 0; r < resources_; ++r) free_[best * resources_ + r] -= holds[r];
  ends_.push_back({now + kind.seconds, best, holds.data()});
  std::push_heap(ends_.begin(), ends_.end());
  result_.makespan = std::max(result_.makespan, now + kind.seconds);
  result_.sum += now + kind.seconds;
  if (keep) starts_.push_back({turn.kind, v, best});
  return true;
}

// Everything that fits now, in order; what does not goes on waiting.
void LookAhead::place(const AheadOrder& order, double now, bool any_variant, bool keep_starts) {
  size_t kept = 0;
  for (const AheadTurn& turn : waiting_) {
    const Ahead::Kind& kind = ahead_.kinds[turn.kind];
    const bool any = any_variant || turn.variant == AheadTurn::kAny;
    const size_t memo = turn.kind * kVariants + (any ? kVariants - 1 : turn.variant);
    bool started = false;
    if (!failed_[memo]) {
      const auto first = uint8_t(any ? 0 : turn.variant);
      const auto end = uint8_t(any ? kind.variants.size() : turn.variant + 1U);
      for (uint8_t v = first; v < end && !started; ++v)
        started = start(turn, v, order.tightest, now, keep_starts);
      if (!started) failed_[memo] = true;
    }
    ++spent_;
    if (!started) waiting_[kept++] = turn;
  }
  waiting_.resize(kept);
}

// Ends early, with a makespan beyond the limit, where that is sure.
LookAhead::Result LookAhead::play(const AheadOrder& order, double limit, bool keep_starts) {
  free_.clear();
  for (const Ahead::Machine& machine : ahead_.machines)
    free_.insert(free_.end(), machine.free.begin(), machine.free.end());
  ends_.clear();
  result_ = {};
  for (const Ahead::Running& running : ahead_.running) {
    ends_.push_back({running.ends, running.machine, running.holds.data()});
    result_.makespan = std::max(result_.makespan, running.ends);
  }
  std::make_heap(ends_.begin(), ends_.end());
  waiting_ = order.turns;
  double now = 0;
  while (true) {
    failed_.assign(ahead_.kinds.size() * kVariants, false);
    const bool at_once = keep_starts && now == 0;
    place(order, now, false, at_once);
    place(order, now, true, at_once);
    if (at_once) rest_ = {waiting_, order.tightest};
    if (waiting_.empty() || result_.makespan > limit + kSameTime) return result_;
    if (ends_.empty()) return {kNever, kNever};
    now = ends_.front().at;
    while (!ends_.empty() && ends_.front().at <= now + kSameTime) {
      std::pop_heap(ends_.begin(), ends_.end());
      const End& end = ends_.back();
      for (size_t r = 0; r < resources_; ++r) free_[end.machine * resources_ + r] += end.holds[r];
      ends_.pop_back();
    }
  }
}

void LookAhead::consider(const AheadOrder& order) {
  const Result result = play(order, best_result_.makespan, false);
  const double gain = best_result_.makespan - result.makespan;
  if (gain < -kSameTime || (gain <= kSameTime && result.sum >= best_result_.sum)) return;
  best_ = order;
  best_result_ = result;
}

// Another place for one of the tasks, or another variant, or other machines.
void LookAhead::change(AheadOrder& order) {
  const size_t n = order.turns.size();
  if (below(16) == 0) {
    order.tightest = !order.tightest;
    return;
  }
  AheadTurn& one = order.turns[below(n)];
  const size_t variants = ahead_.kinds[one.kind].variants.size();
  if (variants > 1 && below(3) == 0) {
    const uint64_t v = below(variants + 1);
    one.variant = v == variants ? AheadTurn::kAny : uint8_t(v);
    return;
  }
  size_t other = below(n);
  for (size_t k = 0; k < n && order.turns[other].kind == one.kind; ++k) other = (other + 1) % n;
  if (below(2) == 0) {
    std::swap(one, order.turns[other]);
    return;
  }
  const auto from = order.turns.begin() + (&one - order.turns.data());
  const auto to = order.turns.begin() + int64_t(other);
  if (from < to) {
    std::rotate(from, from + 1, to + 1);
  } else {
    std::rotate(to, from, from + 1);
  }
}

// Orders that mostly do well: the longest, the largest, and the most work first.
std::vector<AheadOrder> LookAhead::good_orders(const AheadOrder& usual) const {
  std::vector<AheadOrder> out;
  const auto size = [&](uint32_t k) {
    double sum = 0;
    for (size_t r = 0; r < resources_; ++r) {
      const int64_t asks = std::max<int64_t>(ahead_.kinds[k].variants[0].asks[r], 0);
      if (sums_[r] > 0) sum += double(asks) / sums_[r];
    }
    return sum;
  };
  const auto seconds = [&](uint32_t k) { return ahead_.kinds[k].seconds; };
  const auto add = [&](const auto& worth) {
    for (bool tightest : {false, true}) {
      AheadOrder& order = out.emplace_back(usual);
      order.tightest = tightest;
      std::stable_sort(order.turns.begin(), order.turns.end(),
                       [&](const AheadTurn& a, const AheadTurn& b) { return worth(a.kind) > worth(b.kind); });
    }
  };
  add([&](uint32_t k) { return std::pair(seconds(k), size(k)); });
  add([&](uint32_t k) { return std::pair(size(k), seconds(k)); });
  add([&](uint32_t k) { return std::pair(seconds(k) * size(k), seconds(k)); });
  return out;
}

// Goes on from orders that are as good as the best, and from elsewhere when that leads nowhere.
void LookAhead::improve(const std::vector<AheadOrder>& good, double least, uint64_t work) {
  AheadOrder at = best_;
  double reached = best_result_.makespan;
  for (int idle = 0; spent_ < work && best_result_.makespan > least + kSameTime; ++idle) {
    if (idle == kIdlePlays) {
      idle = 0;
      const uint64_t from = below(2 * good.size());
      at = from < good.size() ? good[from] : best_;
      reached = from < good.size() ? kNever : best_result_.makespan;
    }
    AheadOrder next = at;
    for (uint64_t changes = 1 + below(3); changes > 0; --changes) change(next);
    const Result result = play(next, reached, false);
    if (result.makespan > reached + kSameTime) continue;
    if (result.makespan < reached - kSameTime) idle = 0;
    reached = std::min(reached, result.makespan);
    if (result.makespan < best_result_.makespan - kSameTime) {
      best_ = next;
      best_result_ = result;
    }
    at = std::move(next);
  }
}

bool LookAhead::search(const AheadOrder& usual, const AheadOrder& before, uint64_t work) {
  const double least = bound();
  best_ = usual;
  best_result_ = play(usual, kNever, false);
  const double most = best_result_.makespan * kWorthIt;
  if (least > most || most == kNever) return false;
  if (!before.turns.empty()) consider(before);
  const std::vector<AheadOrder> good = good_orders(usual);
  for (const AheadOrder& order : good) consider(order);
  improve(good, least, work);
  if (best_result_.makespan > most) return false;
  starts_.clear();
  (void)play(best_, kNever, true);
  return true;
}

}  // namespace hq
