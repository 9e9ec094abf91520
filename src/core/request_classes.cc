#include "hq/core/request_classes.h"

namespace hq {

ResourceIndex RequestClasses::intern_resource(std::string_view name) {
  auto it = resource_ids_.find(name);
  if (it != resource_ids_.end()) return it->second;
  const auto index = ResourceIndex(resource_names_.size());
  resource_names_.emplace_back(name);
  resource_ids_.emplace(std::string(name), index);
  return index;
}

std::optional<ResourceIndex> RequestClasses::find_resource(std::string_view name) const {
  auto it = resource_ids_.find(name);
  if (it == resource_ids_.end()) return std::nullopt;
  return it->second;
}

ClassId RequestClasses::intern(const ResourceRequest& request) {
  auto [it, fresh] = ids_.emplace(request, ClassId(uint32_t(requests_.size())));
  if (!fresh) return it->second;
  requests_.push_back(&it->first);
  std::vector<VariantNeed> needs;
  for (const ResourceVariant& variant : request.variants) {
    VariantNeed need;
    need.min_time = variant.min_time;
    need.nodes = variant.nodes;
    need.may_wait_at_worker = variant.nodes == 0;
    for (const ResourceEntry& entry : variant.entries) {
      if (variant.nodes > 0) break;  // ignored by multi-node tasks
      need.items.push_back({intern_resource(entry.name), entry.amount, entry.policy == Policy::kAll});
      if (entry.policy == Policy::kForceCompact || entry.policy == Policy::kForceTight) {
        need.may_wait_at_worker = false;
      }
    }
    needs.push_back(std::move(need));
  }
  needs_.push_back(std::move(needs));
  return it->second;
}

}  // namespace hq
