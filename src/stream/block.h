// Compression of blocks of records; the only place that knows zstd.
#pragma once

#include <optional>

#include "hq/base/bytes.h"

namespace hq {

[[nodiscard]] Bytes compress_block(BytesView raw, int level);
// Nothing when it is not a whole block of at most kMaxPayload bytes.
[[nodiscard]] std::optional<Bytes> decompress_block(BytesView block);

}  // namespace hq
