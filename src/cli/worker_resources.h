// What a worker offers: given by hand where it was, detected otherwise.
#pragma once

#include "cli/commands/options.h"
#include "hq/base/result.h"
#include "hq/core/resources.h"
#include "hq/os/hardware.h"

namespace hq::cli {

// Logs what was detected. Sets this process's affinity when the cpus had to be widened beyond its mask, so
// that tasks inherit it.
[[nodiscard]] Result<ResourceDescriptor> worker_resources(const WorkerStartOptions& options,
                                                          const HardwareSource& machine,
                                                          const BatchShare& share);

// Everything this machine has, in the order cpus, gpus/nvidia, gpus/amd, mem; for `worker hwdetect`.
[[nodiscard]] std::vector<ResourceItem> detected_resources(const HardwareSource& machine,
                                                           const BatchShare& share, bool no_hyper_threading);

}  // namespace hq::cli
