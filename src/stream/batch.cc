#include "hq/stream/batch.h"

#include "hq/base/assert.h"
#include "hq/base/crc32c.h"

namespace hq {

void put_batch_record(Bytes& out, RecordHeader record, BytesView payload) {
  HQ_ASSERT(payload.size() <= kMaxChunk);
  const size_t at = out.size();
  out.resize(at + kRecordHeaderBytes);
  out.append(payload);
  record.length = uint32_t(payload.size());
  (void)seal_batch_record(out.data(), at, record);
}

size_t seal_batch_record(char* batch, size_t at, RecordHeader record) {
  HQ_ASSERT(record.length <= kMaxChunk);
  record.kind = RecordKind::kData;
  record.previous = 0;
  record.payload_check = crc32c({batch + at + kRecordHeaderBytes, record.length});
  put_record_header(batch + at, record, 0, at);
  return kRecordHeaderBytes + record.length;
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
