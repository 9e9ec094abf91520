// In which order the classes of one priority have their turn: heavier ones first, then those of older jobs.
// But a class that would outlast all others if it waited any longer (many tasks of which few fit at a time,
// or long ones) goes before them, or workers would stand idle at the end while it runs alone.
#include <algorithm>
#include <cmath>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

namespace {

// Lengths of time that differ by less than a fifth count as equal, so that the order does not change with
// every measurement.
int64_t coarse(double seconds) {
  return std::lround(4 * std::log2(std::max(seconds, 1e-9)));
}

// Less than this is not worth another order.
constexpr double kUrgentLoss = 1.01;
// It goes first when it takes this share of the time that all together take: soon enough that others can run
// beside it, and not at once in a long queue.
constexpr double kUrgentWait = 0.5;

}  // namespace

double Pass::known_seconds(ClassId klass) const {
  float measured = mean_of(klass);
  if (measured < 0) measured = in_->state.class_mean_ran_s(klass);
  if (measured >= 0) return double{measured};
  Duration least = Duration::max();
  for (const VariantNeed& need : needs(klass)) least = std::min(least, need.min_time);
  return least > Duration::zero() ? std::chrono::duration<double>(least).count() : -1;
}

// How many tasks of a class all workers could run at a time if they had nothing else.
double Pass::places_for(ClassId klass, bool exact) {
  const std::vector<VariantNeed>& variants = needs(klass);
  double places = 0;
  if (variants[0].nodes > 0) {
    find_groups();
    for (const Group& group : groups_) places += double(group.rooms.size() / variants[0].nodes);
    return places;
  }
  if (exact) {
    rooms_.work += rooms_.size() * variants.size() * 2;
    for (size_t i = 0; i < rooms_.size(); ++i) {
      uint64_t most = 0;
      for (const VariantNeed& need : variants) most = std::max(most, rooms_.fit_total(i, need));
      places += double(most);
    }
    return places;
  }
  for (const VariantNeed& need : variants) {
    double fits = double(rooms_.size()) * double(UINT32_MAX);
    for (const VariantNeed::Item& item : need.items) {
      const double sum = rooms_.sum_of(item.resource);
      fits = std::min(fits, item.all ? double(rooms_.size()) : sum / double(item.amount.scaled));
    }
    places = std::max(places, std::floor(fits));
  }
  return places;
}

// The share of all workers' time that the class needs at least, per resource, is added to `use`.
void Pass::add_use(Turn& turn, std::vector<double>& use) const {
  const std::vector<VariantNeed>& variants = needs(turn.klass);
  const auto share = [&](const VariantNeed::Item& item) {
    const double sum = rooms_.sum_of(item.resource);
    return item.all ? 1 / double(rooms_.size()) : double(item.amount.scaled) / sum;
  };
  const double seconds = turn.seconds * double(turn.count);
  if (variants[0].nodes > 0) {
    const double part = double(variants[0].nodes) / double(rooms_.size());
    turn.size = part * double(use.size());
    for (double& of : use) of += seconds * part;
    return;
  }
  const VariantNeed* least = nullptr;
  double least_sum = 0;
  for (const VariantNeed& need : variants) {
    double sum = 0;
    for (const VariantNeed::Item& item : need.items) sum += share(item);
    if (!std::isfinite(sum) || (least != nullptr && sum >= least_sum)) continue;
    least = &need;
    least_sum = sum;
  }
  if (least == nullptr) return;
  turn.size = least_sum;
  for (const VariantNeed::Item& item : least->items) use[item.resource] += seconds * share(item);
}

// Durations, measured or requested; tasks of which nothing is known count as average ones.
void Pass::find_durations(std::vector<Turn>& turns) const {
  double sum = 0;
  double count = 0;
  for (Turn& turn : turns) {
    turn.seconds = known_seconds(turn.klass);
    turn.known = turn.seconds >= 0;
    if (!turn.known) continue;
    sum += turn.seconds * double(turn.count);
    count += double(turn.count);
  }
  const double average = count > 0 ? sum / count : 1;
  for (Turn& turn : turns) {
    if (turn.seconds < 0) turn.seconds = average;
  }
}

// Marks the turns that had better not wait. `turns` are by age. A turn is urgent if going after the older
// ones would make everything take longer, and if it cannot wait much longer.
void Pass::find_urgent(std::vector<Turn>& turns) {
  find_durations(turns);
  const bool exact = turns.size() * rooms_.size() <= kExactPlaces;
  const auto longest = [](const std::vector<double>& use) {
    return *std::max_element(use.begin(), use.end());
  };
  std::vector<double> use(rooms_.resources() + 1);
  std::vector<double> older;  // by turn: how long all workers have to do with those before it
  double whole = 0;           // and with all that waits, at least
  for (Turn& turn : turns) {
    older.push_back(longest(use));
    const double places = places_for(turn.klass, exact);
    if (places < 1) continue;
    turn.lasts = std::ceil(double(turn.count) / places) * turn.seconds;
    whole = std::max(whole, turn.lasts);
    add_use(turn, use);
  }
  whole = std::max(whole, longest(use));
  double before = 0;
  for (size_t t = 0; t < turns.size(); ++t) {
    Turn& turn = turns[t];
    const bool would_cost = older[t] + turn.lasts > whole * kUrgentLoss;
    turn.urgent = turn.lasts > 0 && would_cost && turn.lasts + before >= whole * kUrgentWait;
    before = std::max(before, turn.seconds);
  }
  // It goes before older ones that are done sooner, not before those that take as long themselves.
  int64_t least = INT64_MAX;
  for (auto turn = turns.rbegin(); turn != turns.rend(); ++turn) {
    if (!turn->urgent && turn->lasts > 0) turn->urgent = coarse(turn->lasts) >= least;
    if (turn->urgent) least = std::min(least, coarse(turn->lasts));
  }
}

std::vector<Pass::Turn> Pass::turns() {
  std::vector<Turn> turns;
  for (const auto& [klass, ready_class] : in_->state.ready().priorities().at(*priority_)) {
    if (klass.value >= known_.size() || !known_[klass.value]) continue;
    Turn turn;
    turn.klass = klass;
    turn.count = ready_class.count;
    turn.oldest = ready_class.groups.begin()->first.job;
    for (const ResourceVariant& variant : in_->state.classes().request(klass).variants)
      turn.weight = std::max(turn.weight, variant.weight);
    turns.push_back(turn);
  }
  std::stable_sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.oldest < b.oldest;
  });
  for (size_t t = 0; t < turns.size(); ++t) turns[t].age = t;
  if (turns.size() > 1) find_urgent(turns);
  const bool nothing_known =
      std::none_of(turns.begin(), turns.end(), [](const Turn& turn) { return turn.known; });
  std::stable_sort(turns.begin(), turns.end(), [&](const Turn& a, const Turn& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    if (a.urgent != b.urgent) return a.urgent;
    if (!a.urgent) return a.age < b.age;
    if (nothing_known && a.size != b.size) return a.size > b.size;
    const int64_t lasts_a = coarse(a.lasts);
    const int64_t lasts_b = coarse(b.lasts);
    if (lasts_a != lasts_b) return lasts_a > lasts_b;
    const int64_t seconds_a = coarse(a.seconds);
    const int64_t seconds_b = coarse(b.seconds);
    // Large ones first: small ones find room beside them.
    return seconds_a != seconds_b ? seconds_a > seconds_b : a.size > b.size;
  });
  rooms_.work += turns.size() * 10;
  return turns;
}

}  // namespace hq
