// The bytes of an output file (docs/stream-format.md): a file header, then records one after the other. This
// header knows one header or entry at a time; writing is in writer.h, reading in reader.h.
//
// What always holds: each record checks itself, and its check covers where it stands and a number of the file
// that nobody can guess. So whatever else was damaged an intact record is found again, and bytes that a task
// printed are never taken for one.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "hq/base/bytes.h"
#include "hq/base/clock.h"
#include "hq/core/ids.h"

namespace hq {

inline constexpr std::string_view kOutputFileSuffix = ".hqs";
inline constexpr size_t kOutputFileHeaderBytes = 64;
inline constexpr size_t kRecordHeaderBytes = 52;
inline constexpr size_t kIndexEntryBytes = 40;
inline constexpr size_t kSegmentPlaceBytes = 40;
inline constexpr size_t kMaxServerUid = 16;
inline constexpr uint32_t kMaxChunk = 64 * 1024;           // payload of one data record
inline constexpr uint32_t kMaxPayload = 16 * 1024 * 1024;  // of any record
inline constexpr uint32_t kEntriesInSegment = 64 * 1024;

enum class OutputChannel : uint8_t { kStdout = 0, kStderr = 1 };
inline constexpr size_t kOutputChannels = 2;

// One attempt at a task, as it is named inside of one file.
struct StreamKey {
  JobId job;
  TaskId task;
  InstanceId instance;
  friend constexpr auto operator<=>(const StreamKey&, const StreamKey&) = default;
};

struct StreamKeyHash {
  size_t operator()(const StreamKey& k) const noexcept {
    uint64_t h =
        (uint64_t{k.job.value} << 32 | k.task.value) + uint64_t{k.instance.value} * 0x9e3779b97f4a7c15;
    h = (h ^ h >> 31) * 0xbf58476d1ce4e5b9;
    return size_t(h ^ h >> 29);
  }
};

struct OutputFileHeader {
  std::string server_uid;  // at most kMaxServerUid bytes
  uint64_t owner = 0;      // of a log file: the uid of its job; else 0
  WorkerId worker;         // who writes it; 0: the server
  WallTime created;
  uint64_t salt = 0;  // random; part of every check
  friend bool operator==(const OutputFileHeader&, const OutputFileHeader&) = default;
};

enum class RecordKind : uint8_t {
  kData = 1,     // bytes of one channel, perhaps none
  kBlock = 2,    // records, compressed with zstd
  kSegment = 3,  // index entries, ascending
  kRoot = 4,     // where the segments are
  kTrailer = 5,  // where the root is; the last bytes of a file that was finished
};

// Flags of a data record.
inline constexpr uint8_t kChannelEnds = 1;  // nothing of this channel follows
inline constexpr uint8_t kOtherEmpty = 2;   // the other channel has ended too, and was empty
inline constexpr uint8_t kCutShort = 4;     // the task was stopped: what it wrote last may be missing

struct RecordHeader {
  RecordKind kind = RecordKind::kData;
  OutputChannel channel = OutputChannel::kStdout;
  uint8_t flags = 0;
  StreamKey key;
  uint32_t length = 0;  // of the payload
  WallTime time;
  uint64_t position = 0;  // data: where in its channel the payload begins
  uint64_t previous = 0;  // data: where the task's record before this one is; 0: this is its first
  uint32_t payload_check = 0;
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

// What is known of one attempt at the end of a file or of a segment.
struct IndexEntry {
  StreamKey key;
  uint32_t flags = 0;  // kEnded..., below
  uint64_t last = 0;   // its last record
  std::array<uint64_t, kOutputChannels> length{};
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};
inline constexpr uint32_t kEndedStdout = 1;
inline constexpr uint32_t kEndedStderr = 2;
inline constexpr uint32_t kWasCut = 4;
[[nodiscard]] constexpr uint32_t ended_flag(OutputChannel channel) {
  return channel == OutputChannel::kStdout ? kEndedStdout : kEndedStderr;
}

// One segment, as the root lists it.
struct SegmentPlace {
  uint64_t offset = 0;
  uint32_t count = 0;
  StreamKey first;
  StreamKey last;
  friend bool operator==(const SegmentPlace&, const SegmentPlace&) = default;
};

void put_file_header(Bytes& out, const OutputFileHeader& header);
// Nothing when it is not the header of an output file, or damaged.
[[nodiscard]] std::optional<OutputFileHeader> read_file_header(BytesView bytes);

// Writes the kRecordHeaderBytes of a record that stands at `offset` to `place`.
void put_record_header(char* place, const RecordHeader& header, uint64_t salt, uint64_t offset);
// Nothing when no intact record header stands at the beginning of `bytes`.
[[nodiscard]] std::optional<RecordHeader> read_record_header(BytesView bytes, uint64_t salt, uint64_t offset);

void put_index_entry(Bytes& out, const IndexEntry& entry);
[[nodiscard]] IndexEntry read_index_entry(const char* place);
void put_segment_place(Bytes& out, const SegmentPlace& place);
[[nodiscard]] SegmentPlace read_segment_place(const char* place);

// Takes a data record into account. `at`: where it stands.
void extend(IndexEntry& entry, const RecordHeader& record, uint64_t at);

}  // namespace hq
