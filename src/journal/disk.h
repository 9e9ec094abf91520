// The few file operations of the journal, behind a seam, so that a test's disk can fail at any of them
// (tests/unit/journal/fake_disk.h). Errors say what the system said; callers add which file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/result.h"

namespace hq {

class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Fewer bytes than asked for only at the end of the file.
  virtual Result<size_t> read_at(uint64_t offset, char* to, size_t size) = 0;
  virtual Result<void> write_at(uint64_t offset, BytesView bytes) = 0;
  // What was written is on the disk. After a failure nothing is known of what was written since the last
  // success; a second try would say nothing about it.
  virtual Result<void> sync() = 0;
  // Makes room for the bytes up to `end` without changing the file's size. False where the file system can't.
  virtual Result<bool> reserve(uint64_t end) = 0;
  // Cuts the file there, and gives back what was reserved beyond.
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, bool writable) = 0;
  // Fails if it exists. Only the owner may read it (0600).
  virtual Result<std::unique_ptr<DiskFile>> create(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // What was created, renamed and removed in this directory is on the disk.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // Bytes that could be written to files in it.
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
  // Names of the files in it.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
};

// The machine's.
[[nodiscard]] Disk& system_disk();

// "a/b" → {"a", "b"}; "b" → {".", "b"}.
struct SplitPath {
  std::string directory;
  std::string name;
};
[[nodiscard]] SplitPath split_path(const std::string& path);

}  // namespace hq
