#include "hq/core/text/resource_summary_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace hq {

namespace {

std::string memory_summary(Amount mebibytes) {
  const double value = double(mebibytes.scaled) / double(Amount::kScale);
  if (mebibytes < Amount::units(512)) return fmt::format("{:.2f} MiB", value);
  return fmt::format("{:.2f} GiB", value / 1024);
}

std::string groups_summary(const ResourceGroups& groups) {
  if (groups.groups.size() == 1) return std::to_string(groups.groups.front().size());
  std::map<size_t, size_t> count_by_size;
  for (const auto& group : groups.groups) ++count_by_size[group.size()];
  std::string out;
  for (const auto& [size, count] : count_by_size) {
    if (!out.empty()) out += ' ';
    out += fmt::format("{}x{}", count, size);
  }
  return out;
}

std::string bracketed(const std::vector<std::string>& parts) {
  std::string out = "[";
  for (const auto& part : parts) {
    if (out.size() > 1) out += ',';
    out += part;
  }
  return out + "]";
}

std::vector<std::string> summaries(const ResourceDescriptor& resources, std::string_view between) {
  std::vector<std::string> out;
  for (size_t i = 0; i < resources.items.size(); ++i) {
    const ResourceItem& item = resources.items[i];
    const bool coupled =
        std::any_of(resources.coupling.begin(), resources.coupling.end(),
                    [&](const CouplingWeight& w) { return w.resource1 == i || w.resource2 == i; });
    out.push_back(
        fmt::format("{}{}{}{}", item.name, between, resource_summary(item), coupled ? " [coupled]" : ""));
  }
  return out;
}

}  // namespace

std::string resource_summary(const ResourceItem& item) {
  if (const auto* groups = std::get_if<ResourceGroups>(&item.kind)) return groups_summary(*groups);
  if (item.name == kMem && std::holds_alternative<ResourceSum>(item.kind)) return memory_summary(item.size());
  return item.size().text();
}

std::string resources_line(const ResourceDescriptor& resources) {
  std::string out;
  for (const auto& part : summaries(resources, " ")) {
    if (!out.empty()) out += "; ";
    out += part;
  }
  return out;
}

std::vector<std::string> resources_lines(const ResourceDescriptor& resources) {
  return summaries(resources, ": ");
}

std::string resource_description(const ResourceItem& item) {
  if (const auto* list = std::get_if<ResourceList>(&item.kind)) return bracketed(list->labels);
  if (const auto* sum = std::get_if<ResourceSum>(&item.kind)) return "sum(" + sum->size.text() + ")";
  if (const auto* span = std::get_if<ResourceSpan>(&item.kind)) {
    if (span->first == span->last) return fmt::format("[{}]", span->first);
    return fmt::format("range({}-{})", span->first, span->last);
  }
  std::vector<std::string> groups;
  for (const auto& group : std::get<ResourceGroups>(item.kind).groups) groups.push_back(bracketed(group));
  return bracketed(groups);
}

}  // namespace hq
