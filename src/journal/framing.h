// Records in blocks (docs/journal.md, Framing), after the log format of LevelDB: a file is a row of 32 KiB
// blocks; a record is one fragment or, across blocks, several. Each fragment has its length, its type and a
// checksum over both its bytes and its place in the file, so that neither damage nor bytes from elsewhere
// (old blocks, a user's data that looks like a journal) are ever taken for a record. Reading resumes at the
// next good fragment, so damage costs the records that it touches and no others.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/result.h"

namespace hq {

inline constexpr uint64_t kBlockBytes = 32 * 1024;
inline constexpr BytesView kMagic = {"hq journal 1\n\0\0\0", 16};  // the first bytes of each file

enum class FrameKind : uint8_t { kHeader, kRecord };

// Appends the record to `out` as it stands in the file from `offset + out.size()` on.
void put_frame(Bytes& out, uint64_t offset, FrameKind kind, BytesView record);

// Bytes of a file that are no part of a whole record.
struct BadBytes {
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string cause;
  friend bool operator==(const BadBytes&, const BadBytes&) = default;
};

class FrameReader {
 public:
  // Fills `to` from `offset` on; fewer bytes than asked for only at the end of the file.
  using ReadAt = std::function<Result<size_t>(uint64_t offset, char* to, size_t size)>;

  // Begins with the first record that begins at or behind `begin`, which is where a block does.
  FrameReader(ReadAt read, uint64_t file_size, uint64_t begin = 0)
      : read_(std::move(read)), file_size_(file_size), block_offset_(begin), end_(begin) {}

  struct Frame {
    FrameKind kind = FrameKind::kRecord;
    uint64_t offset = 0;
    BytesView bytes;  // until the next call
  };
  // The next whole record; nothing at the end.
  std::optional<Frame> next() &;
  // For a file that is still written, once next() has given nothing: there may be more now. False if not.
  bool go_on(uint64_t file_size);

  // The following once next() has given nothing.
  // What lies between whole records and is none, ascending.
  [[nodiscard]] const std::vector<BadBytes>& damage() const { return damage_; }
  // Behind the last whole record: here one may go on writing after cutting the file.
  [[nodiscard]] uint64_t end() const { return end_; }
  // There is more behind the last whole record than zeros: a record that was not written to its end.
  [[nodiscard]] bool torn() const { return torn_; }

 private:
  struct Fragment {
    uint8_t type = 0;
    BytesView bytes;
  };
  [[nodiscard]] std::optional<Fragment> fragment_at(size_t at) const;
  bool load_block();
  void skip_bad();
  std::optional<Frame> take(const Fragment& fragment, uint64_t offset);
  void drop_partial(const char* cause);
  void note_bad(uint64_t offset, uint64_t size, const std::string& cause);
  Frame whole(FrameKind kind, uint64_t offset, BytesView bytes);

  ReadAt read_;
  uint64_t file_size_;
  Bytes block_;
  uint64_t block_offset_;  // of block_ in the file
  size_t at_ = 0;          // in block_
  bool started_ = false;
  std::optional<uint64_t> partial_;  // where a record of several fragments began
  Bytes record_;                     // its bytes so far
  std::vector<BadBytes> pending_;    // becomes damage once a whole record follows
  std::vector<BadBytes> damage_;
  uint64_t end_;
  bool torn_ = false;
};

}  // namespace hq
