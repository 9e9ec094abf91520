#include "core/scheduler/left.h"

#include <algorithm>

namespace hq {

bool needs_whole_groups(const ResourceRequest& request) {
  return std::any_of(request.variants.begin(), request.variants.end(), [](const ResourceVariant& variant) {
    return std::any_of(variant.entries.begin(), variant.entries.end(), [](const ResourceEntry& entry) {
      return entry.policy == Policy::kForceCompact || entry.policy == Policy::kForceTight ||
             entry.amount.fraction() > 0;
    });
  });
}

int64_t held_by_others(const State& state, const WorkerState& worker, ResourceIndex r, ClassId klass) {
  int64_t sum = 0;
  for (const WorkerState::InUse& held : worker.in_use) {
    if (held.klass == klass) continue;
    for (const VariantNeed::Item& item : state.classes().needs(held.klass)[held.variant].items) {
      if (item.resource == r) sum += amount_of(item, worker) * int64_t{held.count};
    }
  }
  return sum;
}

int64_t left_for_lower(const Keeping& of) {
  const uint64_t wanted = std::min(of.fit, of.held + of.waiting) - std::min(of.fit, of.held);
  const int64_t beside = of.free - of.each * int64_t(wanted);
  const int64_t never_used = of.total - of.each * int64_t(of.fit) - of.lower;
  return std::max(beside, never_used);
}

int64_t left_beside_one(int64_t total, int64_t free, int64_t each, int64_t held_by_others) {
  return std::max(free - each, total - each - held_by_others);
}

void subtract_backlog(const State& state, const WorkerState& worker, int32_t priority, Columns& left) {
  for (const WorkerState::BacklogOf& of : worker.backlog_of) {
    if (of.priority < priority) continue;
    const VariantNeed& need = state.classes().needs(of.klass)[0];
    uint64_t n = of.count;
    for (const VariantNeed::Item& item : need.items) {
      const int64_t each = amount_of(item, worker);
      const int64_t have = std::max<int64_t>(left[item.resource], 0);
      n = each > 0 ? std::min(n, uint64_t(have / each)) : 0;
    }
    for (const VariantNeed::Item& item : need.items)
      left[item.resource] -= amount_of(item, worker) * int64_t(n);
  }
}

}  // namespace hq
