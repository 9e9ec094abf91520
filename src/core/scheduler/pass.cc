#include "core/scheduler/pass.h"

#include <algorithm>

#include "core/scheduler/scheduler_limits.h"

namespace hq {

Pass::Pass(const PlanInput& input) : in_(&input) {
  rooms_.open(input);
  find_wanted();
}

bool Pass::step(const PlanInput& input, Scheduler::WaitingClasses& waiting, uint64_t work, Placement& out) {
  in_ = &input;
  waiting_ = &waiting;
  out_ = &out;
  work_ = 0;
  if (priority_) {
    rooms_.next_step(input);
    wanted_.resize(rooms_.resources());
    read_remaining();
    upper_.assign(rooms_.resources(), Rooms::kNoCap);
  } else if (rooms_.size() == 0) {
    return true;
  } else if (!next_priority()) {
    retract(out);
    return true;
  }
  while (true) {
    while (next_ < demands_.size()) {
      if (work_ >= work) return false;
      Demand& demand = demands_[next_];
      if (stage_ == Stage::kSlots) place(demand);
      if (stage_ == Stage::kBacklogs) fill_backlogs(demand);
      if (stage_ == Stage::kAfter) keep_from_lower(demand);
      ++next_;
    }
    next_ = 0;
    if (stage_ == Stage::kAfter) mark_shut_rooms();
    if (stage_ == Stage::kSlots) {
      stage_ = Stage::kBacklogs;
    } else if (stage_ == Stage::kBacklogs) {
      judge_waiting();
      stage_ = Stage::kAfter;
      // Nothing comes after the last priority.
      if (in_->state.ready().priorities().upper_bound(*priority_) == in_->state.ready().priorities().end())
        next_ = demands_.size();
    } else if (!next_priority()) {
      break;
    }
  }
  retract(out);
  return true;
}

bool Pass::next_priority() {
  const auto& priorities = in_->state.ready().priorities();
  const auto next = priority_ ? priorities.upper_bound(*priority_) : priorities.begin();
  if (next == priorities.end()) return false;
  priority_ = next->first;
  stage_ = Stage::kSlots;
  next_ = 0;
  open_priority();
  return true;
}

// Heavier classes first, then those of older jobs.
void Pass::open_priority() {
  struct Key {
    uint32_t weight;
    JobId oldest;
    ClassId klass;
    uint64_t count;
  };
  std::vector<Key> keys;
  for (const auto& [klass, ready_class] : in_->state.ready().priorities().at(*priority_)) {
    uint32_t weight = 0;
    for (const ResourceVariant& variant : in_->state.classes().request(klass).variants)
      weight = std::max(weight, variant.weight);
    keys.push_back({weight, ready_class.groups.begin()->first.job, klass, ready_class.count});
  }
  std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.oldest < b.oldest;
  });
  demands_.clear();
  for (const Key& key : keys) demands_.push_back({key.klass, key.count, false});
  rooms_.set_priority(in_->state, *priority_);
  sweep_open();
  upper_.assign(rooms_.resources(), Rooms::kNoCap);
  least_placed_.assign(rooms_.resources(), Rooms::kNoCap);
  last_placed_.reset();
  open_reservations();
}

// What was placed in the last step has left the queue, and other things may have.
void Pass::read_remaining() {
  for (Demand& demand : demands_) {
    const ReadyClass* now = ready(demand.klass);
    demand.remaining = now == nullptr ? 0 : now->count;
  }
  least_placed_.resize(rooms_.resources(), Rooms::kNoCap);
}

const ReadyClass* Pass::ready(ClassId klass) const {
  const auto& priorities = in_->state.ready().priorities();
  auto p = priorities.find(*priority_);
  if (p == priorities.end()) return nullptr;
  auto c = p->second.find(klass);
  return c == p->second.end() ? nullptr : &c->second;
}

void Pass::put(size_t room, Demand& demand, uint8_t variant, uint64_t n, bool slot) {
  demand.remaining -= n;
  demand.got_some = true;
  out_->placed.push_back({rooms_.at(room).worker->id, *priority_, demand.klass, variant, n, slot, {}});
  note_passing(demand, &needs(demand.klass)[variant]);
}

void Pass::note_passing(const Demand& demand, const VariantNeed* need) {
  last_placed_ = std::max(last_placed_.value_or(0), size_t(&demand - demands_.data()));
  for (size_t r = 0; r < least_placed_.size(); ++r) {
    int64_t asked = 0;
    for (const VariantNeed::Item& item : need->items) {
      if (item.resource == r) asked = item.all ? Rooms::kNoCap : int64_t(item.amount.scaled);
    }
    least_placed_[r] = std::min(least_placed_[r], asked);
  }
}

std::vector<WorkerId> Pass::underused() const {
  std::vector<WorkerId> out;
  const auto cpus = in_->state.classes().find_resource(kCpus);
  if (!cpus) return out;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const Room& room = rooms_.at(i);
    const double least = room.worker->config->min_utilization;
    if (least <= 0 || room.fresh || room.closed) continue;
    const auto total = double(rooms_.total(i, *cpus));
    if (total - double(rooms_.free(i, *cpus)) < least * total) out.push_back(room.worker->id);
  }
  return out;
}

// --- scheduler --------------------------------------------------------------------------------------------

Scheduler::Scheduler() = default;
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;

std::optional<Reservation> Scheduler::reservation(WorkerId worker) const {
  auto it = kept_.find(worker);
  if (it == kept_.end()) return std::nullopt;
  return it->second;
}

Placement Scheduler::step(const PlanInput& input, uint64_t work) {
  const auto& alive = input.state.alive_workers();
  const bool least_use = std::any_of(alive.begin(), alive.end(), [](const auto& entry) {
    return entry.second->config->min_utilization > 0;
  });
  Placement out;
  if (!least_use) {
    if (!pass_) pass_ = std::make_unique<Pass>(input);
    out.more = !pass_->step(input, waiting_, work, out);
    if (!out.more) pass_.reset();
  } else {
    // What does not reach the least utilisation of a worker is placed again without that worker.
    std::set<WorkerId> closed = input.closed;
    const WaitingClasses before = waiting_;
    while (true) {
      PlanInput without{input.state, input.now, closed, input.retracting, input.refused, input.at_most};
      Pass whole(without);
      waiting_ = before;
      out = {};
      whole.step(without, waiting_, kWholePass, out);
      const std::vector<WorkerId> underused = whole.underused();
      if (underused.empty()) break;
      closed.insert(underused.begin(), underused.end());
    }
    pass_.reset();
  }
  if (!out.more) {  // what does not wait any more keeps nothing
    const auto& ready = input.state.ready().priorities();
    std::erase_if(waiting_, [&](const auto& entry) {
      const auto p = ready.find(entry.first.first);
      return p == ready.end() || !p->second.contains(entry.first.second);
    });
  }
  kept_.clear();
  for (const auto& [key, waiting] : waiting_) {
    const bool gang = input.state.classes().needs(key.second)[0].nodes > 0;
    for (WorkerId worker : waiting.reserved) kept_[worker] = {key.first, key.second, gang};
  }
  return out;
}

Placement plan(const PlanInput& input) {
  return Scheduler().step(input, Scheduler::kWholePass);
}

}  // namespace hq
