// CRC-32C (Castagnoli), by the processor's instruction where it has one.
#pragma once

#include <cstdint>

#include "hq/base/bytes.h"

namespace hq {

// Continues `crc` (0 at the beginning) over the bytes.
[[nodiscard]] uint32_t crc32c(BytesView bytes, uint32_t crc = 0);
// The same without help of the processor.
[[nodiscard]] uint32_t crc32c_by_table(BytesView bytes, uint32_t crc = 0);

}  // namespace hq
