// A worker's resources for people: one word per resource ("2x4", "62.79 GiB"), or all labels.
#pragma once

#include <string>
#include <vector>

#include "hq/core/resources.h"

namespace hq {

// list, range: the count; groups: "5x2 1x6" (COUNTxSIZE, ascending by size), a single group its size; sum:
// the amount; `mem` as a sum: "500.00 MiB" below 512 MiB, else "62.79 GiB".
[[nodiscard]] std::string resource_summary(const ResourceItem& item);
// "cpus 2x4 [coupled]; gpus/nvidia 2; mem 62.79 GiB", in the order of the items.
[[nodiscard]] std::string resources_line(const ResourceDescriptor& resources);
// "cpus: 2x4 [coupled]", ...
[[nodiscard]] std::vector<std::string> resources_lines(const ResourceDescriptor& resources);
// "[0,1]", "[[0,1],[2]]", "range(1-3)" ("[1]" for a single label), "sum(10.5)"
[[nodiscard]] std::string resource_description(const ResourceItem& item);

}  // namespace hq
