#include "core/scheduler/lookahead.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hq {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kSameTime = 1e-6;
constexpr double kWorthIt = 0.99;        // another order than the usual one has to be that much better
constexpr double kWorthWaiting = 0.95;   // and one that leaves room empty than those that don't
constexpr double kWithoutWaiting = 0.7;  // the share of the work that is spent on those
constexpr int kIdlePlays = 150;          // without any gain, before another beginning is tried
constexpr uint64_t kBackwards = 32;      // one in so many may be worse than the order it was made from
constexpr uint64_t kAllMachines = ~uint64_t{0};
constexpr size_t kVariants = 8;  // slots of failed_ for a kind; the last one is "any"

}  // namespace

LookAhead::LookAhead(const Ahead& ahead) : ahead_(ahead) {
  resources_ = ahead.machines[0].total.size();
  sums_.assign(resources_, 0);
  for (const Ahead::Machine& machine : ahead.machines) {
    for (size_t r = 0; r < resources_; ++r) sums_[r] += double(machine.total[r]);
  }
  for (const Ahead::Kind& kind : ahead.kinds) {
    double& size = sizes_.emplace_back();
    for (size_t r = 0; r < resources_; ++r) {
      if (sums_[r] > 0) size += double(std::max<int64_t>(kind.variants[0].asks[r], 0)) / sums_[r];
    }
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
    if ((kept_ >> m & 1) != 0 || (turn.machine != AheadTurn::kAny && turn.machine != m)) continue;
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
  result_.late += std::max(0.0, now + kind.seconds - least_) * sizes_[turn.kind];
  if (keep) starts_.push_back({turn.kind, v, best});
  return true;
}

// Only for something that ends soon.
bool LookAhead::waits(const AheadTurn& turn, double now) const {
  return turn.patient && !ends_.empty() && ends_.front().at - now <= ahead_.most_wait;
}

// Everything that fits now, in order; what does not goes on waiting.
void LookAhead::place(const AheadOrder& order, double now, bool any_variant, bool keep_starts) {
  size_t left = 0;
  kept_ = 0;
  for (const AheadTurn& turn : waiting_) {
    ++spent_;
    if (kept_ == kAllMachines) {
      waiting_[left++] = turn;
      continue;
    }
    const Ahead::Kind& kind = ahead_.kinds[turn.kind];
    const bool patient = waits(turn, now);
    const bool any = (any_variant && !patient) || turn.variant == AheadTurn::kAny;
    const AheadTurn asks{turn.kind, turn.variant, patient, patient ? turn.machine : AheadTurn::kAny};
    const size_t memo = turn.kind * kVariants + (any ? kVariants - 1 : turn.variant);
    bool started = false;
    if (!failed_[memo]) {
      const auto first = uint8_t(any ? 0 : turn.variant);
      const auto end = uint8_t(any ? kind.variants.size() : turn.variant + 1U);
      for (uint8_t v = first; v < end && !started; ++v)
        started = start(asks, v, order.tightest, now, keep_starts);
      if (!started && asks.machine == AheadTurn::kAny) failed_[memo] = true;
    }
    if (started) continue;
    if (patient) kept_ |= turn.machine == AheadTurn::kAny ? kAllMachines : uint64_t{1} << turn.machine;
    waiting_[left++] = turn;
  }
  waiting_.resize(left);
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
    if (at_once) {
      rest_ = {waiting_, order.tightest};
      find_left_idle();
    }
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

void LookAhead::find_left_idle() {
  left_idle_.clear();
  if (ends_.empty()) return;
  next_end_ = ends_.front().at;
  const auto fits_one = [&](size_t machine, const Ahead::Kind& kind) {
    return std::any_of(kind.variants.begin(), kind.variants.end(), [&](const Ahead::Variant& variant) {
      const bool asks =
          std::any_of(variant.asks.begin(), variant.asks.end(), [](int64_t a) { return a != 0; });
      return asks && fits(machine, kind, variant, 0);
    });
  };
  for (size_t m = 0; m < ahead_.machines.size(); ++m) {
    const bool any = std::any_of(waiting_.begin(), waiting_.end(),
                                 [&](const AheadTurn& turn) { return fits_one(m, ahead_.kinds[turn.kind]); });
    if (any) left_idle_.push_back(m);
  }
}

void LookAhead::consider(const AheadOrder& order) {
  const Result result = play(order, best_result_.makespan, false);
  const double gain = best_result_.makespan - result.makespan;
  if (gain < -kSameTime || (gain <= kSameTime && result.late >= best_result_.late)) return;
  best_ = order;
  best_result_ = result;
}

// Another place for one of the tasks, or another variant, or other machines; or somebody gets patient.
void LookAhead::change(AheadOrder& order) {
  const size_t n = order.turns.size();
  if (may_wait_ && below(4) == 0) {
    AheadTurn& turn = order.turns[below(n)];
    const uint64_t machine = below(ahead_.machines.size() + 1);
    turn.patient = !turn.patient;
    turn.machine = machine == ahead_.machines.size() ? AheadTurn::kAny : uint8_t(machine);
    return;
  }
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
  const auto size = [&](uint32_t k) { return sizes_[k]; };
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

// Goes on from orders that are as good as the best, or have less left to do beyond the least time; and from
// elsewhere when that leads nowhere.
void LookAhead::improve(const std::vector<AheadOrder>& good, uint64_t work) {
  AheadOrder at = best_;
  Result reached = best_result_;
  for (int idle = 0; spent_ < work && best_result_.makespan > least_ + kSameTime; ++idle) {
    if (idle == kIdlePlays) {
      idle = 0;
      const uint64_t from = below(2 * good.size());
      at = from < good.size() ? good[from] : best_;
      reached = from < good.size() ? Result{kNever, kNever} : best_result_;
    }
    AheadOrder next = at;
    for (uint64_t changes = 1 + below(3); changes > 0; --changes) change(next);
    const Result result = play(next, reached.makespan, false);
    if (result.makespan > reached.makespan + kSameTime) continue;
    const bool is_sooner = result.makespan < reached.makespan - kSameTime;
    if (!is_sooner && result.late > reached.late + kSameTime && below(kBackwards) != 0) continue;
    if (is_sooner) idle = 0;
    reached = {std::min(reached.makespan, result.makespan), result.late};
    if (result.makespan < best_result_.makespan - kSameTime) {
      best_ = next;
      best_result_ = result;
    }
    at = std::move(next);
  }
}

// Goes on with orders that leave room empty on purpose.
void LookAhead::improve_by_waiting(const AheadOrder& before, const std::vector<AheadOrder>& good,
                                   uint64_t work) {
  const AheadOrder without = best_;
  const Result result_without = best_result_;
  may_wait_ = true;
  if (!before.turns.empty()) consider(before);
  improve(good, work);
  if (best_result_.makespan <= result_without.makespan * kWorthWaiting) return;
  best_ = without;
  best_result_ = result_without;
}

bool LookAhead::search(const AheadOrder& usual, const AheadOrder& before, uint64_t work) {
  least_ = bound();
  best_ = usual;
  best_result_ = play(usual, kNever, false);
  const double most = best_result_.makespan * kWorthIt;
  if (least_ > most || most == kNever) return false;
  const bool may_wait = ahead_.most_wait > 0;
  if (!before.turns.empty()) {
    AheadOrder busy = before;
    for (AheadTurn& turn : busy.turns) turn.patient = false;
    consider(busy);
  }
  const std::vector<AheadOrder> good = good_orders(usual);
  for (const AheadOrder& order : good) consider(order);
  improve(good, may_wait ? uint64_t(double(work) * kWithoutWaiting) : work);
  if (may_wait && best_result_.makespan * kWorthWaiting >= least_) improve_by_waiting(before, good, work);
  if (best_result_.makespan > most) return false;
  starts_.clear();
  (void)play(best_, kNever, true);
  return true;
}

}  // namespace hq
