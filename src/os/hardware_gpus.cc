// Which GPUs tasks may use.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "hq/base/text_parts.h"
#include "hq/os/hardware.h"
#include "os/hardware_files.h"

namespace hq {
namespace {

constexpr const char* kNvidiaVariable = "CUDA_VISIBLE_DEVICES";
constexpr const char* kAmdVariable = "ROCR_VISIBLE_DEVICES";

// Labels between commas, any text. A variable without a label or with an empty one says nothing.
std::optional<std::vector<std::string>> labels_in(const Environment& env, std::string_view variable) {
  const auto it = env.find(variable);
  if (it == env.end()) return std::nullopt;
  std::vector<std::string> labels;
  for (const std::string_view part : split(it->second, ',')) {
    if (part.empty()) return std::nullopt;
    labels.emplace_back(part);
  }
  return labels;
}

std::optional<Detected> from_variable(const Environment& env, const char* variable,
                                      std::string_view resource) {
  const auto labels = labels_in(env, variable);
  if (!labels) return std::nullopt;
  Detected result;
  const std::string list = fmt::format("{}", fmt::join(*labels, ","));
  result.info.push_back(fmt::format("Detected GPUs {} from `{}`", list, variable));
  if (std::set<std::string>(labels->begin(), labels->end()).size() != labels->size()) {
    result.warnings.push_back(fmt::format("{} contains duplicates ({})", variable, list));
  } else {
    result.item = ResourceItem{std::string(resource), ResourceList{*labels}};
  }
  return result;
}

Detected numbered(std::string_view resource, size_t count, std::string_view where) {
  Detected result;
  std::vector<std::string> labels;
  for (size_t i = 0; i < count; ++i) labels.push_back(std::to_string(i));
  result.item = ResourceItem{std::string(resource), ResourceList{std::move(labels)}};
  result.info.push_back(fmt::format("Detected {} GPU{} from `{}`", count, count == 1 ? "" : "s", where));
  return result;
}

// Nodes of the AMD driver with compute units; cpus have nodes there, too, with none.
size_t count_amd_gpus(const std::string& root) {
  const std::string base = root + "/sys/class/kfd/kfd/topology/nodes";
  size_t count = 0;
  const auto nodes = list_directory(base);
  if (!nodes) return 0;
  for (const std::string& node : *nodes) {
    const Result<std::string> text = read_text(fmt::format("{}/{}/properties", base, node));
    if (!text) continue;  // the kernel hides the nodes of GPUs that our cgroup may not use
    const std::vector<std::string_view> parts = words(*text);
    const auto at = std::find(parts.begin(), parts.end(), "simd_count");
    if (parts.end() - at >= 2 && parse_number<uint32_t>(at[1]).value_or(0) > 0) ++count;
  }
  return count;
}

}  // namespace

std::vector<Detected> detect_gpus(const HardwareSource& source, GpuChoice choice) {
  std::vector<Detected> found;
  const auto take = [&](std::optional<Detected> detected) {
    if (detected) found.push_back(std::move(*detected));
  };
  if (choice.nvidia) take(from_variable(source.env, kNvidiaVariable, kNvidiaGpus));
  if (choice.amd) take(from_variable(source.env, kAmdVariable, kAmdGpus));
  // Variables that name GPUs speak for the whole machine.
  if (std::any_of(found.begin(), found.end(), [](const Detected& d) { return d.item.has_value(); }))
    return found;

  const std::string nvidia = "/proc/driver/nvidia/gpus";
  const auto entries = list_directory(source.root + nvidia);
  if (choice.nvidia && choice.nvidia_by_driver && entries && !entries->empty()) {
    found.push_back(numbered(kNvidiaGpus, entries->size(), nvidia));
  }
  if (choice.amd && !source.env.contains(kAmdVariable)) {
    const size_t count = count_amd_gpus(source.root);
    if (count > 0) found.push_back(numbered(kAmdGpus, count, "/sys/class/kfd"));
  }
  return found;
}

}  // namespace hq
