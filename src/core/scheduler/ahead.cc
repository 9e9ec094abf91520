// When little is left to do: the classes of a priority in the order in which they are done soonest, as far as
// a look ahead finds it (lookahead.h). What it says shall start now is placed first; the rest has its usual
// turn, but where room is to be left empty until the next end.
#include <algorithm>
#include <variant>

#include "core/scheduler/pass.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

namespace {

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

bool Pass::has_indices(ResourceIndex r) const {
  const std::string& name = in_->state.classes().resource_name(r);
  for (size_t i = 0; i < rooms_.size(); ++i) {
    for (const ResourceItem& item : rooms_.at(i).worker->config->resources.items) {
      if (item.name == name && !std::holds_alternative<ResourceSum>(item.kind)) return true;
    }
  }
  return false;
}

// How many tasks that ask for parts of single cpus or GPUs fit depends on who shares which one, unless all
// ask for the same part, and a whole number of these makes one up.
bool Pass::amounts_tell_all() const {
  std::vector<uint64_t> parts(rooms_.resources());
  for (const Demand& demand : demands_) {
    for (const VariantNeed& need : needs(demand.klass)) {
      for (const VariantNeed::Item& item : need.items) {
        const uint64_t part = item.amount.fraction();
        uint64_t& known = parts[item.resource];
        if (part == 0 || part == known || !has_indices(item.resource)) continue;
        if (known != 0 || Amount::kScale % part != 0) return false;
        known = part;
      }
    }
  }
  return true;
}

// A look ahead is worth its time and says the truth: few tasks and workers, durations known, and nothing
// that amounts and durations do not tell. What users weigh is not weighed against time.
bool Pass::may_look_ahead() const {
  if (rooms_.size() > kAheadWorkers || demands_.empty() || demands_.size() > kAheadClasses) return false;
  if (in_->refused != nullptr && !in_->refused->empty()) return false;
  uint64_t tasks = 0;
  size_t choices = 0;
  const auto weight = in_->state.classes().request(demands_[0].klass).variants[0].weight;
  for (const Demand& demand : demands_) {
    const std::vector<VariantNeed>& variants = needs(demand.klass);
    if (variants.size() > kAheadVariants || variants[0].nodes > 0) return false;
    const auto& asked = in_->state.classes().request(demand.klass).variants;
    if (std::any_of(asked.begin(), asked.end(), [&](const auto& v) { return v.weight != weight; }))
      return false;
    const double seconds = known_seconds(demand.klass);
    if (demand.remaining > kAheadTasks || seconds < kAheadLeast || seconds > kAheadMost) return false;
    tasks += demand.remaining;
    choices += variants.size();
  }
  if (choices < 2 || tasks > kAheadTasks || !amounts_tell_all()) return false;
  for (size_t i = 0; i < rooms_.size(); ++i) {
    const Room& room = rooms_.at(i);
    if (room.closed || room.gang || room.occupied || room.least_use || room.watched()) return false;
    if (room.capped_by || room.kept_for || room.backlog > 0 || !room.fresh) return false;
    if (!room.worker->lingering.empty()) return false;
  }
  return true;
}

// What runs, and until when, on one worker; false when that can't be said.
bool Pass::add_running(size_t i, Ahead& ahead) const {
  const State& state = in_->state;
  const WorkerState& worker = *rooms_.at(i).worker;
  uint64_t seen = 0;
  for (const AssignedRange& range : worker.assigned) {
    const Job* job = state.find_job(range.job);
    if (job == nullptr) continue;
    for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
      if (++seen > kAheadRunning) return false;
      const auto place = job->find(TaskId(uint32_t(id)));
      if (!place) continue;
      const RowState row = place->group->columns.state(place->position);
      if (row != RowState::kRunning && row != RowState::kSlot) continue;
      TaskChunk& chunk = place->chunk();
      if (chunk.worker(place->row()) != worker.id.value) continue;
      const ClassId klass = place->group->klass(place->position);
      const double seconds = known_seconds(klass);
      if (seconds < 0) return false;
      double ran = 0;
      if (row == RowState::kRunning && chunk.start_ms(place->row()) != TaskChunk::kNeverStarted)
        ran = seconds_of(in_->now - job->submitted) - double(chunk.start_ms(place->row())) / 1e3;
      Ahead::Running& running = ahead.running.emplace_back();
      running.machine = i;
      running.ends = std::max(seconds - ran, seconds * kAheadOverdue);
      if (ran > seconds * (1 + kAheadOverdue) + seconds_of(kAheadLate)) ahead.most_wait = 0;
      running.holds.resize(rooms_.resources());
      for (const VariantNeed::Item& item : needs(klass)[chunk.variant(place->row())].items)
        running.holds[item.resource] =
            item.all ? rooms_.total(i, item.resource) : int64_t(item.amount.scaled);
    }
  }
  return true;
}

// Passes in a row leave something idle for a limited time, whatever they think of the next end.
double Pass::may_idle_for() const {
  const WallTime since = ahead_before_->idles_since.value_or(in_->now);
  return std::max(0.0, seconds_of(kAheadMostIdle - (in_->now - since)));
}

std::optional<Ahead> Pass::make_ahead() const {
  Ahead ahead;
  ahead.most_wait = may_idle_for();
  for (size_t i = 0; i < rooms_.size(); ++i) {
    Ahead::Machine& machine = ahead.machines.emplace_back();
    machine.life = seconds_of(rooms_.at(i).life);
    for (ResourceIndex r = 0; r < rooms_.resources(); ++r) {
      machine.free.push_back(rooms_.free(i, r));
      machine.total.push_back(rooms_.total(i, r));
    }
    if (!add_running(i, ahead)) return std::nullopt;
  }
  for (const Demand& demand : demands_) {
    Ahead::Kind& kind = ahead.kinds.emplace_back();
    kind.count = uint32_t(demand.remaining);
    kind.seconds = known_seconds(demand.klass);
    for (const VariantNeed& need : needs(demand.klass)) {
      Ahead::Variant& variant = kind.variants.emplace_back();
      variant.least_life = seconds_of(need.min_time);
      variant.asks.resize(rooms_.resources());
      for (const VariantNeed::Item& item : need.items)
        variant.asks[item.resource] = item.all ? Ahead::kAll : int64_t(item.amount.scaled);
    }
    const std::vector<ResourceIndex> others = wanted_besides(needs(demand.klass)[0]);
    for (size_t i = 0; i < rooms_.size(); ++i) kind.machines.push_back(i);
    std::stable_partition(kind.machines.begin(), kind.machines.end(), [&](size_t i) {
      return (rooms_.without(i / Rooms::kBlock, others) >> (i % Rooms::kBlock) & 1) != 0;
    });
  }
  return ahead;
}

// The order that was found last, as far as its tasks still wait; what has come since goes last.
AheadOrder Pass::order_found_before() const {
  AheadOrder order;
  order.tightest = ahead_before_->tightest;
  std::vector<uint64_t> left;
  for (const Demand& demand : demands_) left.push_back(demand.remaining);
  for (const Scheduler::AheadFound::Turn& turn : ahead_before_->turns) {
    const size_t kind = order_of(turn.klass);
    if (kind == kNoOrder || left[kind] == 0) continue;
    --left[kind];
    AheadTurn& again = order.turns.emplace_back(AheadTurn{uint32_t(kind), turn.variant});
    const auto room = turn.worker ? rooms_.find(*turn.worker) : std::nullopt;
    again.patient = turn.patient && room.has_value() == turn.worker.has_value();
    if (room) again.machine = uint8_t(*room);
  }
  if (order.turns.empty()) return order;
  for (uint32_t kind = 0; kind < left.size(); ++kind)
    order.turns.insert(order.turns.end(), left[kind], {kind});
  return order;
}

// Somebody asks again soon after the next end should have come, so that nothing idles for one that does not.
void Pass::leave_idle(const LookAhead& found) {
  for (size_t i : found.left_idle()) {
    Room& room = rooms_.at(i);
    room.capped_by = *priority_;
    left_idle_.emplace(room.worker->id, *priority_);
    for (ResourceIndex r = 0; r < rooms_.resources(); ++r) rooms_.set_cap(i, r, 0);
  }
  if (found.left_idle().empty()) return;
  if (!ahead_before_->idles_since) ahead_before_->idles_since = in_->now;
  const Duration end{int64_t(found.next_end() * 1e9)};
  const Duration again = end + 2 * kAheadLate;
  out_->again_in = std::min(out_->again_in.value_or(again), again);
}

void Pass::follow(const LookAhead& found) {
  ahead_before_->tightest = found.rest().tightest;
  for (const AheadTurn& turn : found.rest().turns) {
    auto& kept = ahead_before_->turns.emplace_back();
    kept = {demands_[turn.kind].klass, turn.variant, turn.patient, {}};
    if (turn.machine != AheadTurn::kAny) kept.worker = rooms_.at(turn.machine).worker->id;
  }
  for (const AheadStart& start : found.starts()) {
    Demand& demand = demands_[start.kind];
    if (room_for(start.machine, demand, needs(demand.klass)[start.variant]) > 0)
      take(start.machine, demand, start.variant, 1);
  }
  leave_idle(found);
}

void Pass::look_ahead() {
  if (!may_look_ahead()) return;
  const std::optional<Ahead> ahead = make_ahead();
  if (!ahead) return;
  AheadOrder usual;
  double shortest = kAheadMost;
  for (uint32_t kind = 0; kind < ahead->kinds.size(); ++kind) {
    usual.turns.insert(usual.turns.end(), ahead->kinds[kind].count, {kind});
    shortest = std::min(shortest, ahead->kinds[kind].seconds);
  }
  // The more often something ends, the less time is spent at each end.
  const double share = shortest / double(ahead->running.size() + 1);
  const auto work = uint64_t(std::min(double(kAheadWork), share * kAheadWorkPerSecond));
  LookAhead search(*ahead);
  const bool found = search.search(usual, order_found_before(), work);
  rooms_.work += search.spent() * kAheadStepWork / 10;
  ahead_before_->turns.clear();
  if (found) follow(search);
}

}  // namespace hq
