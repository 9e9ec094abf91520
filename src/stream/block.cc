#include "stream/block.h"

#include <zstd.h>

#include "hq/base/assert.h"
#include "hq/stream/format.h"

namespace hq {

Bytes compress_block(BytesView raw, int level) {
  Bytes out(ZSTD_compressBound(raw.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), level);
  HQ_ASSERT(!ZSTD_isError(size));  // the room is what zstd says is enough
  out.resize(size);
  return out;
}

std::optional<Bytes> decompress_block(BytesView block) {
  const unsigned long long raw = ZSTD_getFrameContentSize(block.data(), block.size());
  if (raw == ZSTD_CONTENTSIZE_UNKNOWN || raw == ZSTD_CONTENTSIZE_ERROR || raw > kMaxPayload)
    return std::nullopt;
  Bytes out(size_t(raw), '\0');
  const size_t size = ZSTD_decompress(out.data(), out.size(), block.data(), block.size());
  if (ZSTD_isError(size) || size != out.size()) return std::nullopt;
  return out;
}

}  // namespace hq
