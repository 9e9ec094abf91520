#include "hq/stream/format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "hq/base/assert.h"
#include "hq/base/crc32c.h"

namespace hq {

namespace {

// The first half is what files of this kind have always begun with; the second tells our format from others.
constexpr std::string_view kMagic = "hqsf0000HQO1";
constexpr uint8_t kMarker = 0xe7;

static_assert(std::endian::native == std::endian::little, "fields are stored in the machine's order");

class Put {
 public:
  explicit Put(char* place) : at_(place) {}
  template <class T>
  Put& operator()(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
    return *this;
  }
  Put& key(const StreamKey& key) { return (*this)(key.job.value)(key.task.value)(key.instance.value); }

 private:
  char* at_;
};

class Get {
 public:
  explicit Get(const char* place) : at_(place) {}
  template <class T>
  Get& operator()(T& value) {
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return *this;
  }
  Get& key(StreamKey& key) { return (*this)(key.job.value)(key.task.value)(key.instance.value); }

 private:
  const char* at_;
};

uint32_t record_check(const char* place, uint64_t salt, uint64_t offset) {
  char seed[16];
  Put{seed}(salt)(offset);
  return crc32c({place + 4, kRecordHeaderBytes - 4}, crc32c({seed, sizeof seed}));
}

}  // namespace

void put_file_header(Bytes& out, const OutputFileHeader& header) {
  HQ_ASSERT(header.server_uid.size() <= kMaxServerUid);
  char bytes[kOutputFileHeaderBytes] = {};
  std::memcpy(bytes, kMagic.data(), kMagic.size());
  Put{bytes + 16}(header.salt)(header.created.ns)(header.owner)(header.worker.value)(uint32_t{0});
  std::memcpy(bytes + 48, header.server_uid.data(), header.server_uid.size());
  Put{bytes + 12}(crc32c({bytes + 16, kOutputFileHeaderBytes - 16}));
  out.append(bytes, sizeof bytes);
}

std::optional<OutputFileHeader> read_file_header(BytesView bytes) {
  if (bytes.size() < kOutputFileHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  uint32_t check = 0;
  Get{bytes.data() + 12}(check);
  if (check != crc32c(bytes.substr(16, kOutputFileHeaderBytes - 16))) return std::nullopt;
  OutputFileHeader header;
  Get{bytes.data() + 16}(header.salt)(header.created.ns)(header.owner)(header.worker.value);
  const BytesView uid = bytes.substr(48, kMaxServerUid);
  header.server_uid = uid.substr(0, std::min(uid.find('\0'), uid.size()));
  return header;
}

void put_record_header(char* place, const RecordHeader& h, uint64_t salt, uint64_t offset) {
  Put{place + 4}(kMarker)(h.kind)(h.channel)(h.flags).key(h.key)(h.length)(h.time.ns)(h.position)(h.previous)(
      h.payload_check);
  Put{place}(record_check(place, salt, offset));
}

std::optional<RecordHeader> read_record_header(BytesView bytes, uint64_t salt, uint64_t offset) {
  if (bytes.size() < kRecordHeaderBytes || uint8_t(bytes[4]) != kMarker) return std::nullopt;
  uint32_t check = 0;
  Get{bytes.data()}(check);
  if (check != record_check(bytes.data(), salt, offset)) return std::nullopt;
  RecordHeader h;
  Get{bytes.data() + 5}(h.kind)(h.channel)(h.flags).key(h.key)(h.length)(h.time.ns)(h.position)(h.previous)(
      h.payload_check);
  // A writer of ours never makes these; one of a later version may know more kinds.
  if (h.length > kMaxPayload || uint8_t(h.channel) >= kOutputChannels) return std::nullopt;
  return h;
}

void put_index_entry(Bytes& out, const IndexEntry& e) {
  char bytes[kIndexEntryBytes];
  Put{bytes}.key(e.key)(e.flags)(e.last)(e.length[0])(e.length[1]);
  out.append(bytes, sizeof bytes);
}

IndexEntry read_index_entry(const char* place) {
  IndexEntry e;
  Get{place}.key(e.key)(e.flags)(e.last)(e.length[0])(e.length[1]);
  return e;
}

void put_segment_place(Bytes& out, const SegmentPlace& place) {
  char bytes[kSegmentPlaceBytes];
  Put{bytes}(place.offset)(place.count).key(place.first).key(place.last)(uint32_t{0});
  out.append(bytes, sizeof bytes);
}

SegmentPlace read_segment_place(const char* bytes) {
  SegmentPlace place;
  Get{bytes}(place.offset)(place.count).key(place.first).key(place.last);
  return place;
}

void extend(IndexEntry& entry, const RecordHeader& record, uint64_t at) {
  const auto channel = size_t(record.channel);
  entry.key = record.key;
  entry.last = at;
  entry.length[channel] = std::max(entry.length[channel], record.position + record.length);
  if ((record.flags & kChannelEnds) != 0) entry.flags |= ended_flag(record.channel);
  if ((record.flags & kOtherEmpty) != 0) entry.flags |= kEndedStdout | kEndedStderr;
  if ((record.flags & kCutShort) != 0) entry.flags |= kWasCut;
}

}  // namespace hq
