// Data records on their way between worker and server: as in an output file, but with 0 for salt and
// `previous`, and with their offset in the batch (docs/stream-format.md).
#pragma once

#include <functional>

#include "hq/stream/format.h"

namespace hq {

// REQUIRES: the payload is of at most kMaxChunk bytes.
void put_batch_record(Bytes& out, RecordHeader record, BytesView payload);
// The same where the payload is in its place already, kRecordHeaderBytes behind `batch + at`; returns the
// size of the record. REQUIRES: record.length is that of the payload.
size_t seal_batch_record(char* batch, size_t at, RecordHeader record);
// False when the batch is not made of intact data records only; what stood before has been visited.
[[nodiscard]] bool visit_batch(BytesView batch,
                               const std::function<void(const RecordHeader&, BytesView)>& visit);

}  // namespace hq
