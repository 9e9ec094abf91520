#include "worker/gpu_masks.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace hq {

namespace {

std::vector<std::string> split(std::string_view mask) {
  std::vector<std::string> out;
  while (!mask.empty()) {
    const size_t comma = std::min(mask.find(','), mask.size());
    out.emplace_back(mask.substr(0, comma));
    mask.remove_prefix(std::min(comma + 1, mask.size()));
  }
  return out;
}

std::optional<size_t> index_of(const std::string& label) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), index);
  if (error != std::errc() || end != label.data() + label.size()) return std::nullopt;
  return index;
}

// Labels that are numbers within an inherited mask mean its entries, as for every program started there.
// Labels that are the mask's own entries, and UUIDs, mean themselves.
std::map<std::string, std::string> devices(const ResourceDescriptor& resources, std::string_view name,
                                           std::string_view mask) {
  const ResourceItem* item = resources.find(name);
  const std::vector<std::string> entries = split(mask);
  std::map<std::string, std::string> out;
  if (item == nullptr || entries.empty()) return out;
  bool all_named = true;
  for (const auto& group : item->label_groups()) {
    for (const std::string& label : group) {
      all_named = all_named && std::find(entries.begin(), entries.end(), label) != entries.end();
      const auto index = index_of(label);
      if (!index || *index >= entries.size()) return {};
      out[label] = entries[*index];
    }
  }
  if (all_named) out.clear();
  return out;
}

}  // namespace

GpuMasks gpu_masks(const ResourceDescriptor& resources,
                   const std::vector<std::pair<std::string, std::string>>& inherited, bool hide_unrequested) {
  GpuMasks out;
  out.hide_unrequested = hide_unrequested;
  for (const auto& [name, mask] : inherited) {
    if (name == "CUDA_VISIBLE_DEVICES") out.nvidia = devices(resources, kNvidiaGpus, mask);
    if (name == "ROCR_VISIBLE_DEVICES") out.amd = devices(resources, kAmdGpus, mask);
    if (name == "HIP_VISIBLE_DEVICES" || name == "GPU_DEVICE_ORDINAL") out.within_rocr.push_back(name);
  }
  return out;
}

std::string masked(const std::map<std::string, std::string>& devices,
                   const std::vector<std::string>& labels) {
  std::vector<std::string> out;
  for (const std::string& label : labels) {
    const auto found = devices.find(label);
    out.push_back(found == devices.end() ? label : found->second);
  }
  return fmt::format("{}", fmt::join(out, ","));
}

}  // namespace hq
