#include "hq/stream/writer.h"

#include <algorithm>
#include <cstring>

#include "hq/base/assert.h"
#include "hq/base/crc32c.h"
#include "stream/block.h"

namespace hq {

namespace {

constexpr size_t kBlockBytes = 256 * 1024;  // a block is closed when its records have this many
constexpr uint32_t kBothEnded = kEndedStdout | kEndedStderr;

}  // namespace

StreamWriter::StreamWriter(OutputFileHeader header, int zstd_level)
    : header_(std::move(header)), zstd_level_(zstd_level) {
  put_file_header(buffer_, header_);
  used_ = buffer_.size();
}

StreamWriter::StreamWriter(OutputFileHeader header, uint64_t size, std::vector<IndexEntry> attempts,
                           int zstd_level)
    : header_(std::move(header)), zstd_level_(zstd_level), offset_(size) {
  for (IndexEntry& entry : attempts) {
    if ((entry.flags & kBothEnded) == kBothEnded) {
      ended_.push_back(entry);
    } else {
      open_.emplace(entry.key, entry);
    }
  }
  ended_mark_ = ended_.size();
}

uint64_t StreamWriter::address() const {
  return offset_ + used_;
}

char* StreamWriter::grow(size_t bytes) {
  if (buffer_.size() < used_ + bytes) buffer_.resize(std::max(2 * buffer_.size(), used_ + bytes));
  return buffer_.data() + used_;
}

char* StreamWriter::room(size_t bytes) {
  HQ_ASSERT(bytes <= kMaxChunk);
  if (zstd_level_ == 0) return grow(kRecordHeaderBytes + bytes) + kRecordHeaderBytes;
  if (raw_used_ >= kBlockBytes) seal_block();
  raw_.resize(raw_used_ + kRecordHeaderBytes + bytes);
  return raw_.data() + raw_used_ + kRecordHeaderBytes;
}

uint64_t StreamWriter::length(const StreamKey& key, OutputChannel channel) const {
  auto found = open_.find(key);
  return found == open_.end() ? 0 : found->second.length[size_t(channel)];
}

char* StreamWriter::next_record() {
  return zstd_level_ == 0 ? buffer_.data() + used_ : raw_.data() + raw_used_;
}

void StreamWriter::put(const Chunk& chunk, size_t length) {
  put_data(chunk, length, crc32c({next_record() + kRecordHeaderBytes, length}));
}

void StreamWriter::put_data(const Chunk& chunk, size_t length, uint32_t check) {
  RecordHeader record;
  record.channel = chunk.channel;
  record.flags = chunk.flags;
  record.key = chunk.key;
  record.length = uint32_t(length);
  record.time = chunk.time;
  if (auto found = open_.find(chunk.key); found != open_.end()) {
    record.position = found->second.length[size_t(chunk.channel)];
    record.previous = found->second.last;
  }
  const uint64_t at = address();
  const bool plain = zstd_level_ == 0;
  record.payload_check = check;
  put_record_header(next_record(), record, header_.salt, plain ? at : raw_used_);
  (plain ? used_ : raw_used_) += kRecordHeaderBytes + length;
  note(record, at);
}

void StreamWriter::put(const Chunk& chunk, BytesView payload) {
  put(chunk, payload, crc32c(payload));
}

void StreamWriter::put(const Chunk& chunk, BytesView payload, uint32_t check) {
  char* place = room(payload.size());
  if (!payload.empty()) std::memcpy(place, payload.data(), payload.size());
  put_data(chunk, payload.size(), check);
}

void StreamWriter::put_all(const Chunk& chunk, BytesView payload) {
  Chunk piece = chunk;
  piece.flags = 0;
  for (; payload.size() > kMaxChunk; payload.remove_prefix(kMaxChunk)) {
    put(piece, payload.substr(0, kMaxChunk));
  }
  put(chunk, payload);
}

void StreamWriter::note(const RecordHeader& record, uint64_t at) {
  auto [found, is_new] = open_.try_emplace(record.key);
  before_.try_emplace(record.key, is_new ? std::nullopt : std::optional(found->second));
  IndexEntry& entry = found->second;
  extend(entry, record, at);
  ++records_since_index_;
  if ((entry.flags & kBothEnded) != kBothEnded) return;
  ended_.push_back(entry);
  open_.erase(found);
  if (ended_.size() >= kEntriesInSegment) put_segment();
}

void StreamWriter::put_plain(const RecordHeader& header, BytesView payload) {
  RecordHeader record = header;
  record.length = uint32_t(payload.size());
  record.payload_check = crc32c(payload);
  char* place = grow(kRecordHeaderBytes + payload.size());
  put_record_header(place, record, header_.salt, address());
  if (!payload.empty()) std::memcpy(place + kRecordHeaderBytes, payload.data(), payload.size());
  used_ += kRecordHeaderBytes + payload.size();
}

void StreamWriter::put_segment() {
  seal_block();
  if (!segment_pending_) {
    segment_pending_ = true;
    ended_before_.assign(ended_.begin(), ended_.begin() + ptrdiff_t(ended_mark_));
  }
  ended_mark_ = 0;
  std::sort(ended_.begin(), ended_.end(), [](auto& a, auto& b) { return a.key < b.key; });
  // Recovery can bring in more than a segment holds.
  for (size_t done = 0; done < ended_.size();) {
    const size_t count = std::min<size_t>(kEntriesInSegment, ended_.size() - done);
    Bytes payload;
    for (size_t i = 0; i < count; ++i) put_index_entry(payload, ended_[done + i]);
    segments_.push_back({address(), uint32_t(count), ended_[done].key, ended_[done + count - 1].key});
    put_plain({.kind = RecordKind::kSegment}, payload);
    done += count;
  }
  ended_.clear();
}

void StreamWriter::put_index() {
  // Those that are open stay open: a later segment lists them again, with more.
  const size_t before_open = ended_.size();
  for (const auto& [key, entry] : open_) ended_.push_back(entry);
  if (ended_.size() > before_open || before_open > 0) put_segment();
  seal_block();
  Bytes places;
  for (const SegmentPlace& place : segments_) put_segment_place(places, place);
  const uint64_t root = address();
  put_plain({.kind = RecordKind::kRoot}, places);
  put_plain({.kind = RecordKind::kTrailer, .position = root}, {});
  records_since_index_ = 0;
}

void StreamWriter::seal_block() {
  if (raw_used_ == 0) return;
  put_plain({.kind = RecordKind::kBlock}, compress_block(BytesView(raw_).substr(0, raw_used_), zstd_level_));
  raw_used_ = 0;
}

BytesView StreamWriter::pending() {
  seal_block();
  return BytesView(buffer_).substr(0, used_);
}

void StreamWriter::on_written() {
  HQ_ASSERT(raw_used_ == 0);  // pending() was asked for
  offset_ += used_;
  used_ = 0;
  before_.clear();
  ended_before_.clear();
  segment_pending_ = false;
  ended_mark_ = ended_.size();
  segments_mark_ = segments_.size();
  records_mark_ = records_since_index_;
}

std::vector<StreamKey> StreamWriter::on_lost() {
  raw_used_ = 0;
  used_ = 0;
  if (segment_pending_) {
    ended_ = std::move(ended_before_);
  } else {
    ended_.resize(ended_mark_);
  }
  ended_before_.clear();
  segment_pending_ = false;
  ended_mark_ = ended_.size();
  segments_.resize(segments_mark_);
  records_since_index_ = records_mark_;
  std::vector<StreamKey> lost;
  for (const auto& [key, entry] : before_) {
    lost.push_back(key);
    open_.erase(key);
    if (entry) ended_.push_back(*entry);  // nothing more comes of it: what is there, is listed
  }
  before_.clear();
  std::sort(lost.begin(), lost.end());
  // The header goes first again.
  if (offset_ == 0) {
    buffer_.clear();
    put_file_header(buffer_, header_);
    used_ = buffer_.size();
  }
  return lost;
}

}  // namespace hq
