// The files of one journal: PATH, then PATH.2, PATH.3, ... as writers had to begin anew (after a failed
// write, or under a new owner). Each begins with a header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "journal/disk.h"
#include "journal/framing.h"

namespace hq {

inline constexpr uint64_t kFormatVersion = 1;

struct FileHeader {
  uint64_t version = kFormatVersion;
  uint64_t epoch = 0;         // of the owner that wrote the file
  uint64_t first_number = 1;  // of the events in it
  // Up to this number events may be missing on purpose (they were compacted away).
  uint64_t compacted_until = 0;
  WallTime created;
  std::string server_uid;
};

[[nodiscard]] Bytes encode_header(const FileHeader& header);
[[nodiscard]] std::optional<FileHeader> decode_header(BytesView bytes);
// The first bytes of a file: magic and header.
[[nodiscard]] Bytes beginning_of(const FileHeader& header);

struct JournalFileName {
  std::string path;
  uint64_t sequence = 1;
};
[[nodiscard]] std::string file_path(const std::string& path, uint64_t sequence);
// The files that are there, ascending; empty if there is none.
[[nodiscard]] Result<std::vector<JournalFileName>> journal_files(Disk& disk, const std::string& path);

}  // namespace hq
