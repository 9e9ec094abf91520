// Amounts of memory:
//
//   size := decimal number, blank*, unit      K KB KiB, M MB MiB, G GB GiB, T TB TiB; binary, in any case
//
// "2GiB", "1.5 g", "500MB". Without a unit nobody knows what is meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hq/base/result.h"

namespace hq {

[[nodiscard]] Result<uint64_t> parse_size(std::string_view text);  // bytes
// "2 GiB", "1.25 MiB", "512 B": the largest unit of which there is one, with at most two decimals.
[[nodiscard]] std::string memory_size_text(uint64_t bytes);

}  // namespace hq
