#include "hq/core/explain.h"

#include <algorithm>
#include <map>

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

std::string not_free_text(const State& state, ClassId klass, const WorkerState& worker) {
  std::string text;
  for (const VariantNeed& need : state.classes().needs(klass)) {
    if (need.nodes > 0) return worker.idle() ? "" : "it has other tasks";
    if (fit_count(need, worker.total, worker.total) == 0) continue;
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

std::string kept_text(const State& state, ClassId klass, int32_t priority, const WorkerState& worker,
                      WallTime now) {
  for (const auto& [higher, classes] : state.ready().priorities()) {
    if (higher <= priority) break;
    for (const auto& [other, ready] : classes) {
      for (const VariantNeed& need : state.classes().needs(other)) {
        if (need.nodes > 0 ? lives_for(need, worker, now) : could_run(need, worker, now))
          return "it is kept for tasks of higher priority";
      }
    }
  }
  // Tasks of several nodes are not bound by it.
  if (worker.config->min_utilization > 0 && state.classes().needs(klass)[0].nodes == 0)
    return "what waits would not reach its least utilisation";
  return "";
}

}  // namespace hq
