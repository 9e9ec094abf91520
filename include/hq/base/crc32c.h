// CRC-32C (Castagnoli), by the processor's instruction where it has one.
#pragma once

#include <cstdint>

#include "hq/base/bytes.h"

namespace hq {

// The checksum of what `before` covers followed by `bytes`; `before` is 0 at the beginning.
[[nodiscard]] uint32_t crc32c(BytesView bytes, uint32_t before = 0);
// The same by tables, on every machine; for tests and where there is no instruction.
[[nodiscard]] uint32_t crc32c_by_tables(BytesView bytes, uint32_t before = 0);

}  // namespace hq
