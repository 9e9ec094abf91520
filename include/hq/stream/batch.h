// Data records on their way between worker and server: as in an output file, but with 0 for salt and
// `previous`, and with their offset in the batch (docs/stream-format.md).
#pragma once

#include <functional>

#include "hq/stream/format.h"

namespace hq {

// REQUIRES: the payload is of at most kMaxChunk bytes.
void put_batch_record(Bytes& out, RecordHeader record, BytesView payload);
// False when the batch is not made of intact data records only; what stood before has been visited.
[[nodiscard]] bool visit_batch(BytesView batch,
                               const std::function<void(const RecordHeader&, BytesView)>& visit);

}  // namespace hq
