#include "hq/core/explain.h"

#include <algorithm>
#include <map>

#include "core/scheduler/left.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

namespace {

Condition resource_condition(const RequestClasses& classes, const VariantNeed::Item& item,
                             const WorkerState& worker) {
  VariantNeed alone;
  alone.items.push_back(item);
  Condition out;
  out.kind = Condition::Kind::kResource;
  out.resource = classes.resource_name(item.resource);
  out.asked = item.all ? Amount::from_scaled(1) : item.amount;
  out.offered = worker.total.at(item.resource);
  out.met = fit_count(alone, worker.total, worker.total) > 0;
  return out;
}

std::vector<Condition> variant_conditions(const State& state, const VariantNeed& need,
                                          const WorkerState& worker, uint32_t group_size, WallTime now) {
  std::vector<Condition> out;
  if (need.min_time > Duration::zero()) {
    Condition time;
    time.kind = Condition::Kind::kTime;
    time.min_time = need.min_time;
    time.remaining = remaining_life(worker, now);
    time.met = lives_for(need, worker, now);
    out.push_back(std::move(time));
  }
  if (need.nodes > 0) {
    Condition nodes;
    nodes.kind = Condition::Kind::kNodes;
    nodes.nodes = need.nodes;
    nodes.group_size = group_size;
    nodes.met = need.nodes <= group_size;
    out.push_back(std::move(nodes));
  }
  for (const VariantNeed::Item& item : need.items)
    out.push_back(resource_condition(state.classes(), item, worker));
  return out;
}

bool fits_into(const VariantNeed& need, const Columns& left, const WorkerState& worker) {
  return std::all_of(need.items.begin(), need.items.end(), [&](const VariantNeed::Item& item) {
    const int64_t each = amount_of(item, worker);
    return each > 0 && left[item.resource] >= each;
  });
}

uint64_t held_of(const WorkerState& worker, ClassId klass) {
  uint64_t n = 0;
  for (const WorkerState::InUse& use : worker.in_use) n += use.klass == klass ? use.count : 0;
  return n;
}

// What tasks of lower priorities hold, by resource.
Columns held_below(const State& state, int32_t priority, const WorkerState& worker) {
  Columns lower(state.classes().resource_count());
  for (const WorkerState::InUse& use : worker.in_use) {
    if (use.priority >= priority) continue;
    for (const VariantNeed::Item& item : state.classes().needs(use.klass)[use.variant].items)
      lower[item.resource] += amount_of(item, worker) * int64_t{use.count};
  }
  return lower;
}

void limit_by(const State& state, const WorkerState& worker, const ReadyClass& ready, ClassId klass,
              const Columns& lower, WallTime now, Columns& most) {
  Keeping of;
  of.held = held_of(worker, klass);
  of.waiting = ready.count;
  for (const VariantNeed& need : state.classes().needs(klass)) {
    if (!could_run(need, worker, now)) continue;
    of.fit = fit_count(need, worker.total, worker.total);
    for (const VariantNeed::Item& item : need.items) {
      of.total = int64_t(worker.total.at(item.resource).scaled);
      of.free = worker.free.raw(item.resource);
      of.each = amount_of(item, worker);
      of.lower = lower[item.resource];
      most[item.resource] = std::min(most[item.resource], left_for_lower(of));
    }
  }
}

// What tasks of higher priorities that wait leave of the worker.
void limit_by_higher(const State& state, int32_t priority, const WorkerState& worker, WallTime now,
                     Columns& most) {
  for (const auto& [higher, classes] : state.ready().priorities()) {
    if (higher <= priority) return;
    const Columns lower = held_below(state, higher, worker);
    for (const auto& [klass, ready] : classes) limit_by(state, worker, ready, klass, lower, now, most);
  }
}

// A task of a higher priority that waits could have the worker.
bool any_could_run(const State& state, int32_t priority, const WorkerState& worker, WallTime now) {
  for (const auto& [higher, classes] : state.ready().priorities()) {
    if (higher <= priority) return false;
    for (const auto& [klass, ready] : classes) {
      for (const VariantNeed& need : state.classes().needs(klass)) {
        if (could_run(need, worker, now)) return true;
      }
    }
  }
  return false;
}

// One task of the class that the worker is reserved for shall fit there once what runs has ended.
void limit_reserved(const State& state, const WorkerState& worker, ClassId reserved, Columns& most) {
  const std::vector<VariantNeed>& variants = state.classes().needs(reserved);
  if (variants[0].nodes > 0) {
    std::fill(most.begin(), most.end(), 0);
    return;
  }
  const bool whole = needs_whole_groups(state.classes().request(reserved));
  for (const VariantNeed& need : variants) {
    if (fit_count(need, worker.total, worker.total) == 0) continue;
    for (const VariantNeed::Item& item : need.items) {
      const auto total = int64_t(worker.total.at(item.resource).scaled);
      const int64_t each = whole ? total : amount_of(item, worker);
      const int64_t others = held_by_others(state, worker, item.resource, reserved);
      const int64_t left = left_beside_one(total, worker.free.raw(item.resource), each, others);
      most[item.resource] = std::min(most[item.resource], left);
    }
  }
}

}  // namespace

bool WorkerConditions::all_met(const std::vector<Condition>& variant) {
  return std::all_of(variant.begin(), variant.end(), [](const Condition& c) { return c.met; });
}

uint64_t WorkerConditions::enabled() const {
  return uint64_t(std::count_if(variants.begin(), variants.end(), all_met));
}

std::vector<WorkerConditions> conditions(const State& state, ClassId klass, WallTime now) {
  std::map<std::string_view, uint32_t> groups;
  for (const auto& [id, worker] : state.alive_workers()) ++groups[worker->config->group];
  std::vector<WorkerConditions> out;
  for (const auto& [id, worker] : state.alive_workers()) {
    WorkerConditions& row = out.emplace_back();
    row.worker = id;
    for (const VariantNeed& need : state.classes().needs(klass))
      row.variants.push_back(variant_conditions(state, need, *worker, groups[worker->config->group], now));
  }
  return out;
}

std::string not_free_text(const State& state, ClassId klass, const WorkerState& worker, WallTime now) {
  if (const auto life = remaining_life(worker, now); life && *life < Duration::zero())
    return "its time limit is over";
  std::string text;
  for (const VariantNeed& need : state.classes().needs(klass)) {
    if (need.nodes > 0) return worker.idle() ? "" : "it has other tasks";
    if (!could_run(need, worker, now)) continue;
    if (fit_count(need, worker.free, worker.total) > 0) return "";
    for (const VariantNeed::Item& item : need.items) {
      VariantNeed alone;
      alone.items.push_back(item);
      if (!text.empty() || fit_count(alone, worker.free, worker.total) > 0) continue;
      text = state.classes().resource_name(item.resource) + ": " + worker.free.at(item.resource).text() +
             " of " + worker.total.at(item.resource).text() + " are free";
    }
  }
  return text;
}

std::string kept_text(const State& state, const Scheduler& scheduler, ClassId klass, int32_t priority,
                      const WorkerState& worker, WallTime now) {
  static constexpr const char* kHigher = "it is kept for tasks of higher priority";
  static constexpr const char* kPassed = "it is kept for a task that others have passed for too long";
  static constexpr const char* kIdle = "it is kept until the next task ends, as all is done sooner that way";
  const std::vector<VariantNeed>& variants = state.classes().needs(klass);
  auto kept = scheduler.reservation(worker.id);
  if (kept && (kept->klass == klass || kept->priority < priority)) kept.reset();
  const auto gang = scheduler.drains_for(worker.id);
  if (gang && *gang > priority) return kHigher;
  if (variants[0].nodes > 0) {
    if (kept) return kPassed;
    return any_could_run(state, priority, worker, now) ? kHigher : "";
  }

  Columns left;
  for (ResourceIndex r = 0; r < state.classes().resource_count(); ++r) left.push_back(worker.free.raw(r));
  const auto fits = [&](const Columns& most) {
    return std::any_of(variants.begin(), variants.end(), [&](const VariantNeed& need) {
      return could_run(need, worker, now) && fits_into(need, left, worker) && fits_into(need, most, worker);
    });
  };
  subtract_backlog(state, worker, priority, left);
  if (!fits(left)) return "what is free there is for tasks that wait there already";
  Columns most = left;
  if (kept) limit_reserved(state, worker, kept->klass, most);
  if (!fits(most)) return kPassed;
  limit_by_higher(state, priority, worker, now, most);
  if (!fits(most)) return kHigher;
  const auto idle = scheduler.left_idle(worker.id);
  if (idle && priority <= *idle && !variants[0].items.empty()) return kIdle;
  if (variants[0].items.empty() && held_of(worker, klass) >= kMaxWithoutResources)
    return "it has as many tasks without resources as it may";
  if (worker.config->min_utilization > 0) return "what waits would not reach its least utilisation";
  return "";
}

void note_too_few(const State& state, ClassId klass, std::vector<WorkerConditions>& workers) {
  const uint32_t needed = state.classes().needs(klass)[0].nodes;
  if (needed == 0) return;
  std::map<std::string_view, uint32_t> ready;
  const auto is_ready = [](const WorkerConditions& row) { return row.enabled() > 0 && row.now.empty(); };
  const auto group_of = [&](const WorkerConditions& row) -> std::string_view {
    return state.find_worker(row.worker)->config->group;
  };
  for (const WorkerConditions& row : workers) {
    if (is_ready(row)) ++ready[group_of(row)];
  }
  for (WorkerConditions& row : workers) {
    if (!is_ready(row)) continue;
    const uint32_t count = ready[group_of(row)];
    if (count < needed)
      row.now = "only " + std::to_string(count) + " of the " + std::to_string(needed) +
                " workers that it needs are idle in this group";
  }
}

}  // namespace hq
