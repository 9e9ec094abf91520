#include "core/scheduler/pass.h"

#include <algorithm>

#include "core/scheduler/scheduler_limits.h"

namespace hq {

bool Pass::step(const PlanInput& input, Scheduler::WaitingClasses& waiting, Scheduler::AheadFound& ahead,
                uint64_t work, Placement& out) {
  waiting_ = &waiting;
  ahead_before_ = &ahead;
  out_ = &out;
  most_work_ = work;
  begin_step(input);
  if (!open_ && !open()) return false;
  if (rooms_.size() == 0) return true;
  if (!priority_ && !next_priority()) stage_ = Stage::kRetract;
  while (stage_ != Stage::kRetract) {
    const bool done = stage_ == Stage::kKeep ? keep_from_lower() : work_on_demands();
    if (!done || !next_stage()) return false;
  }
  return retract() && hand_over_held_back();
}

void Pass::begin_step(const PlanInput& input) {
  in_ = &input;
  put_.clear();
  others_.reset();
  if (!std::exchange(begun_, true)) return;
  rooms_.work = 0;
  rooms_.next_step(input);
  wanted_.resize(rooms_.resources());
  least_placed_.resize(rooms_.resources(), Rooms::kNoCap);
  read_remaining();
  if (stage_ == Stage::kKeep) prepare_keep();
}

// False when the step had better end here.
bool Pass::open() {
  if (!rooms_.open(*in_, most_work_)) return false;
  open_ = true;
  settled_.assign(rooms_.blocks(), 0);
  order_of_.assign(in_->state.classes().count(), kNoOrder);
  for (WorkerId worker : shunned_) {
    const auto room = rooms_.find(worker);
    if (!room) continue;
    rooms_.at(*room).closed = rooms_.at(*room).shunned = true;
    rooms_.empty(*room);
  }
  find_wanted();
  return !is_spent();
}

// One class after the other, at the stage where we are; false when the step is spent.
bool Pass::work_on_demands() {
  for (; next_ < demands_.size(); ++next_) {
    if (is_spent()) return false;
    Demand& demand = demands_[next_];
    ++rooms_.work;
    if (stage_ == Stage::kSlots && !place(demand)) return false;
    next_block_ = 0;
    if (stage_ == Stage::kBacklogs && !fill_backlogs(demand)) return false;
    if (stage_ == Stage::kKeepForGangs) keep_for_gang(demand);
  }
  return true;
}

// False when the step had better end here.
bool Pass::next_stage() {
  next_ = 0;
  next_block_ = 0;
  switch (stage_) {
    case Stage::kSlots:
      stage_ = Stage::kBacklogs;
      break;
    case Stage::kBacklogs: {
      judge_waiting();
      const auto& priorities = in_->state.ready().priorities();
      // Nothing comes after the last priority.
      const bool last = priorities.upper_bound(*priority_) == priorities.end();
      stage_ = last ? Stage::kRetract : Stage::kKeepForGangs;
      break;
    }
    case Stage::kKeepForGangs:
      stage_ = Stage::kKeep;
      prepare_keep();
      break;
    case Stage::kKeep:
      if (!next_priority()) stage_ = Stage::kRetract;
      break;
    case Stage::kRetract:
      break;
  }
  return !is_spent();
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

void Pass::open_priority() {
  for (const Demand& demand : demands_) order_of_[demand.klass.value] = kNoOrder;
  demands_.clear();
  put_.clear();
  others_.reset();
  for (const Turn& turn : turns()) {
    order_of_[turn.klass.value] = demands_.size();
    demands_.push_back({turn.klass, turn.count, turn.age, false});
  }
  rooms_.set_priority(in_->state, *priority_);
  least_placed_.assign(rooms_.resources(), Rooms::kNoCap);
  last_placed_.reset();
  open_reservations();
  look_ahead();
}

// What was placed in the last step has left the queue, and other things may have.
void Pass::read_remaining() {
  for (Demand& demand : demands_) {
    const ReadyClass* now = ready(demand.klass);
    demand.remaining = now == nullptr ? 0 : now->count;
  }
  for (const auto& [room, placed] : held_back_) {
    if (!priority_ || placed.priority != *priority_ || order_of(placed.klass) == kNoOrder) continue;
    Demand& demand = demands_[order_of(placed.klass)];
    demand.remaining -= std::min(demand.remaining, placed.count);
  }
}

const ReadyClass* Pass::ready(ClassId klass) const {
  const auto& priorities = in_->state.ready().priorities();
  auto p = priorities.find(*priority_);
  if (p == priorities.end()) return nullptr;
  auto c = p->second.find(klass);
  return c == p->second.end() ? nullptr : &c->second;
}

void Pass::put(size_t room, Demand& demand, uint8_t variant, uint64_t n, bool slot) {
  rooms_.note_use(room);
  demand.remaining -= n;
  demand.got_some = true;
  Placed placed{rooms_.id(room), *priority_, demand.klass, variant, n, slot, {}};
  if (rooms_.at(room).least_use) {
    held_back_.emplace_back(room, std::move(placed));  // its work comes with hand_over_held_back()
  } else {
    out_->placed.push_back(std::move(placed));
    rooms_.work += Rooms::kPlacedWork;
    if (slot) put_.push_back({room, size_t(&demand - demands_.data()), n});
  }
  note_passing(demand, &needs(demand.klass)[variant]);
}

void Pass::note_passing(const Demand& demand, const VariantNeed* need) {
  last_placed_ = std::max(last_placed_.value_or(0), demand.age);
  for (size_t r = 0; r < least_placed_.size(); ++r) {
    int64_t asked = 0;
    for (const VariantNeed::Item& item : need->items) {
      if (item.resource == r) asked = item.all ? Rooms::kNoCap : int64_t(item.amount.scaled);
    }
    least_placed_[r] = std::min(least_placed_[r], asked);
  }
}

bool Pass::hand_over_held_back() {
  const auto cpus = in_->state.classes().find_resource(kCpus);
  while (next_held_back_ < held_back_.size()) {
    if (is_spent()) return false;
    auto& [i, placed] = held_back_[next_held_back_++];
    rooms_.work += Rooms::kPlacedWork;
    const Room& room = rooms_.at(i);
    if (room.closed || !room.worker->alive() || in_->closed.contains(room.worker->id)) continue;
    const auto total = double(cpus ? rooms_.total(i, *cpus) : 0);
    const double used = total - double(cpus ? rooms_.free(i, *cpus) : 0);
    if (used >= room.worker->config->min_utilization * total) {
      out_->placed.push_back(std::move(placed));
    } else if (underused_.empty() || underused_.back() != room.worker->id) {
      underused_.push_back(room.worker->id);
    }
  }
  return true;
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

std::optional<int32_t> Scheduler::drains_for(WorkerId worker) const {
  auto it = draining_.find(worker);
  if (it == draining_.end()) return std::nullopt;
  return it->second;
}

std::optional<int32_t> Scheduler::left_idle(WorkerId worker) const {
  auto it = left_idle_.find(worker);
  if (it == left_idle_.end()) return std::nullopt;
  return it->second;
}

void Scheduler::note_refused(int32_t priority, ClassId klass) {
  const auto ended = ended_waits_.find({priority, klass});
  if (ended == ended_waits_.end()) return;
  const bool is_free =
      std::none_of(ended->second.wait.reserved.begin(), ended->second.wait.reserved.end(), [&](WorkerId id) {
        const auto kept = kept_.find(id);
        return kept != kept_.end() && kept->second.klass != klass;
      });
  const auto [wait, is_new] = waiting_.try_emplace(ended->first, ended->second.wait);
  wait->second.since = std::min(wait->second.since, ended->second.wait.since);
  if (is_new && !is_free) wait->second.reserved.clear();
  ended_waits_.erase(ended);
}

void Scheduler::note_ended_waits(WallTime now) {
  for (const auto& [key, wait] : pass_->take_ended_waits()) ended_waits_[key] = {wait, now};
  // Whatever comes back comes at once.
  std::erase_if(ended_waits_, [&](const auto& entry) { return now - entry.second.at > kPatience; });
}

Placement Scheduler::step(const PlanInput& input, uint64_t work) {
  if (!pass_) {
    pass_ = std::make_unique<Pass>(shunned_);
    before_ = waiting_;
  }
  Placement out;
  out.more = !pass_->step(input, waiting_, ahead_, work, out);
  note_ended_waits(input.now);
  if (!out.more) {
    // What would not reach the least utilisation of a worker is placed again without that worker.
    const std::vector<WorkerId> underused = pass_->underused();
    draining_ = pass_->draining();
    left_idle_ = pass_->left_idle();
    if (left_idle_.empty()) ahead_.idles_since.reset();
    pass_.reset();
    if (underused.empty()) {
      shunned_.clear();
    } else {
      shunned_.insert(underused.begin(), underused.end());
      waiting_ = before_;
      out.more = true;
    }
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

}  // namespace hq
