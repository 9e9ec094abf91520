#include "hq/stream/batch.h"

#include "hq/base/assert.h"
#include "hq/base/crc32c.h"

namespace hq {

void put_batch_record(Bytes& out, RecordHeader record, BytesView payload) {
  HQ_ASSERT(payload.size() <= kMaxChunk);
  record.kind = RecordKind::kData;
  record.length = uint32_t(payload.size());
  record.previous = 0;
  record.payload_check = crc32c(payload);
  const size_t at = out.size();
  out.resize(at + kRecordHeaderBytes);
  put_record_header(out.data() + at, record, 0, at);
  out.append(payload);
}

bool visit_batch(BytesView batch, const std::function<void(const RecordHeader&, BytesView)>& visit) {
  for (uint64_t at = 0; at < batch.size();) {
    const auto record = read_record_header(batch.substr(at), 0, at);
    if (!record || record->kind != RecordKind::kData || record->length > kMaxChunk) return false;
    const uint64_t end = at + kRecordHeaderBytes + record->length;
    if (end > batch.size()) return false;
    const BytesView payload = batch.substr(at + kRecordHeaderBytes, record->length);
    if (crc32c(payload) != record->payload_check) return false;
    visit(*record, payload);
    at = end;
  }
  return true;
}

}  // namespace hq
