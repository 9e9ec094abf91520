// The text of /proc/meminfo, read for detection and for overviews.
#pragma once

#include <optional>
#include <string_view>

#include "hq/os/hardware_overview.h"

namespace hq {

[[nodiscard]] std::optional<MemoryUsage> parse_meminfo(std::string_view text);

}  // namespace hq
