// Makes the bytes of one output file, in memory; whoever owns it writes them (docs/stream-format.md).
//
// What always holds: what is pending() follows, without a gap, what was confirmed by on_written(); per task
// and channel positions grow without a gap, unless an earlier part was lost with on_lost().
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "hq/stream/format.h"

namespace hq {

class StreamWriter {
 public:
  // A new file. `zstd_level`: compress records in blocks; 0 = don't.
  explicit StreamWriter(OutputFileHeader header, int zstd_level = 0);
  // Goes on with a file of `size` bytes that has these attempts (see Recovered in reader.h).
  StreamWriter(OutputFileHeader header, uint64_t size, std::vector<IndexEntry> attempts, int zstd_level = 0);

  struct Chunk {
    StreamKey key;
    OutputChannel channel = OutputChannel::kStdout;
    uint8_t flags = 0;
    WallTime time;
  };
  // Where up to `bytes` (at most kMaxChunk) of payload can be put, for the put() that follows. Valid until
  // then.
  [[nodiscard]] char* room(size_t bytes);
  // A data record with the first `length` bytes of room().
  void put(const Chunk& chunk, size_t length);
  void put(const Chunk& chunk, BytesView payload);
  // `check`: the CRC-32C of the payload, which was computed already.
  void put(const Chunk& chunk, BytesView payload, uint32_t check);
  // Room() and put() for bytes that are somewhere else, in records of at most kMaxChunk; the flags go to the
  // last.
  void put_all(const Chunk& chunk, BytesView payload);
  // How much of a channel there is; 0 for attempts that are not known or have ended.
  [[nodiscard]] uint64_t length(const StreamKey& key, OutputChannel channel) const;
  // Index and trailer. Records may follow, then another one.
  void put_index();
  // At least so many records since the last put_index()?
  [[nodiscard]] bool wants_index(uint64_t least = 1) const { return records_since_index_ >= least; }
  [[nodiscard]] bool has_open() const { return !open_.empty(); }

  // What has to be written at offset(). Valid until the next call that is not const.
  [[nodiscard]] BytesView pending();
  [[nodiscard]] size_t pending_bytes() const { return used_ + raw_used_; }
  [[nodiscard]] uint64_t offset() const { return offset_; }
  void on_written();
  // What is pending can't be written and is dropped; returns whose bytes were in it. They are as if they had
  // never been.
  [[nodiscard]] std::vector<StreamKey> on_lost();

 private:
  [[nodiscard]] uint64_t address() const;  // of the record that is put next
  void put_data(const Chunk& chunk, size_t length, uint32_t check);
  [[nodiscard]] char* next_record();
  void put_plain(const RecordHeader& header, BytesView payload);
  char* grow(size_t bytes);
  void put_segment();
  void seal_block();
  void note(const RecordHeader& record, uint64_t at);

  const OutputFileHeader header_;
  const int zstd_level_;
  Bytes buffer_;  // the first used_ bytes are pending
  size_t used_ = 0;
  Bytes raw_;  // its first raw_used_ bytes are the records of the block that comes next
  size_t raw_used_ = 0;
  uint64_t offset_ = 0;
  std::unordered_map<StreamKey, IndexEntry, StreamKeyHash> open_;
  std::vector<IndexEntry> ended_;  // in no segment yet
  std::vector<SegmentPlace> segments_;
  uint64_t records_since_index_ = 0;
  // How things were before what is pending.
  std::unordered_map<StreamKey, std::optional<IndexEntry>, StreamKeyHash> before_;
  std::vector<IndexEntry> ended_before_;
  bool segment_pending_ = false;
  size_t ended_mark_ = 0;
  size_t segments_mark_ = 0;
  uint64_t records_mark_ = 0;
};

}  // namespace hq
