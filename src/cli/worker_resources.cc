#include "cli/worker_resources.h"

#include <algorithm>

#include "hq/base/log.h"

namespace hq::cli {

namespace {

void log_findings(const Detected& detected) {
  for (const std::string& text : detected.info) log::info(text);
  for (const std::string& text : detected.warnings) log::warn(text);
}

void take(std::vector<ResourceItem>& items, const Detected& detected) {
  log_findings(detected);
  if (detected.item) items.push_back(*detected.item);
}

void widen(const CpuDetection& cpus) {
  if (!cpus.widened) return;
  if (auto set = set_affinity(cpus.usable); !set) {
    log::warn("Cannot use all cpus of the allocation: " + set.error().message);
  }
}

bool has(const std::vector<ResourceItem>& items, std::string_view name) {
  return std::any_of(items.begin(), items.end(), [&](const ResourceItem& item) { return item.name == name; });
}

// Which resources to look for: --detect-resources, or the older --no-detect-resources (cpus only).
DetectResources wanted(const WorkerStartOptions& options) {
  DetectResources detect = options.config.detect_resources.value_or(DetectResources{});
  if (options.no_detect_resources) detect.mem = detect.nvidia = detect.amd = false;
  return detect;
}

}  // namespace

Result<ResourceDescriptor> worker_resources(const WorkerStartOptions& options, const HardwareSource& machine,
                                            const BatchShare& share) {
  const WorkerConfigOptions& config = options.config;
  const DetectResources detect = wanted(options);
  auto items = combine_definitions(config.cpus, config.resources);
  if (!items) return items.error();
  const bool cpus_by_hand = has(*items, kCpus);
  if (!cpus_by_hand && !detect.cpus) return Error(std::string(kCpusNotDetected));
  if (has(*items, kNvidiaGpus)) {
    log::info("Observing nvidia GPU usage because of manually passed resource `gpus/nvidia`");
  }
  if (has(*items, kAmdGpus))
    log::info("Observing amd GPU usage because of manually passed resource `gpus/amd`");

  const CpuDetection cpus = detect_cpus(machine, share, config.no_hyper_threading);
  std::optional<std::string> too_many;
  if (!cpus_by_hand) {
    take(*items, cpus.detected);
    widen(cpus);
  } else {
    for (ResourceItem& item : *items) {
      if (item.name != kCpus) continue;
      if (config.no_hyper_threading) {
        auto cores = without_hyper_threads(machine, item);
        if (!cores) return cores.error();
        item = std::move(*cores);
      }
      too_many = too_many_cpus_text(item, cpus.usable);
    }
  }
  GpuChoice gpus;
  gpus.nvidia = detect.nvidia && !has(*items, kNvidiaGpus);
  gpus.amd = detect.amd && !has(*items, kAmdGpus);
  gpus.nvidia_by_driver = gpus.nvidia;
  for (const Detected& detected : detect_gpus(machine, gpus)) take(*items, detected);
  if (detect.mem && !has(*items, kMem)) take(*items, detect_memory(machine, share));
  std::optional<std::string_view> coupling;
  if (config.coupling) coupling = *config.coupling;
  auto descriptor = make_descriptor(std::move(*items), coupling);
  if (descriptor && too_many) log::warn(*too_many);
  return descriptor;
}

std::vector<ResourceItem> detected_resources(const HardwareSource& machine, const BatchShare& share,
                                             bool no_hyper_threading) {
  std::vector<ResourceItem> items;
  take(items, detect_cpus(machine, share, no_hyper_threading).detected);
  for (const Detected& detected : detect_gpus(machine, {})) take(items, detected);
  take(items, detect_memory(machine, share));
  return items;
}

}  // namespace hq::cli
