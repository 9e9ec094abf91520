#include "hq/core/resources.h"

namespace hq {

Amount ResourceItem::size() const {
  if (const auto* list = std::get_if<ResourceList>(&kind)) return Amount::units(list->labels.size());
  if (const auto* span = std::get_if<ResourceSpan>(&kind)) {
    return Amount::units(uint64_t{span->last} - span->first + 1);
  }
  if (const auto* sum = std::get_if<ResourceSum>(&kind)) return sum->size;
  uint64_t n = 0;
  for (const auto& group : std::get<ResourceGroups>(kind).groups) n += group.size();
  return Amount::units(n);
}

std::vector<std::vector<std::string>> ResourceItem::label_groups() const {
  if (const auto* list = std::get_if<ResourceList>(&kind)) return {list->labels};
  if (const auto* groups = std::get_if<ResourceGroups>(&kind)) return groups->groups;
  if (const auto* span = std::get_if<ResourceSpan>(&kind)) {
    std::vector<std::string> labels;
    for (uint64_t i = span->first; i <= span->last; ++i) labels.push_back(std::to_string(i));
    return {labels};
  }
  return {};
}

const ResourceItem* ResourceDescriptor::find(std::string_view name) const {
  for (const auto& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

std::string_view policy_text(Policy policy) {
  switch (policy) {
    case Policy::kCompact:
      return "compact";
    case Policy::kForceCompact:
      return "compact!";
    case Policy::kTight:
      return "tight";
    case Policy::kForceTight:
      return "tight!";
    case Policy::kScatter:
      return "scatter";
    case Policy::kAll:
      return "all";
  }
  return "?";
}

std::string ResourceEntry::text() const {
  if (policy == Policy::kAll) return "all";
  return amount.text() + " " + std::string(policy_text(policy));
}

ResourceRequest ResourceRequest::cpus(uint64_t n) {
  ResourceVariant variant;
  variant.entries.push_back({std::string(kCpus), Amount::units(n), Policy::kCompact});
  return {{variant}};
}

}  // namespace hq
