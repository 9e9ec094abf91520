// Masks of GPUs: what the worker was started with, and what its tasks are to see. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hq/core/resources.h"

namespace hq {

struct GpuMasks {
  // From a label of the worker to what the runtime's mask has to say for it; labels that are missing stay.
  std::map<std::string, std::string> nvidia;
  std::map<std::string, std::string> amd;
  // Inherited masks that count within what ROCR_VISIBLE_DEVICES leaves.
  std::vector<std::string> within_rocr;
  bool hide_unrequested = false;
};

// `inherited`: the mask variables in the worker's environment.
[[nodiscard]] GpuMasks gpu_masks(const ResourceDescriptor& resources,
                                 const std::vector<std::pair<std::string, std::string>>& inherited,
                                 bool hide_unrequested);
[[nodiscard]] std::string masked(const std::map<std::string, std::string>& devices,
                                 const std::vector<std::string>& labels);

}  // namespace hq
