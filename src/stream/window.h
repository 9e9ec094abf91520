// A file looked at piece by piece, ahead as far as pays: little where the reader skips, more where it goes
// on.
#pragma once

#include <cstdint>

#include "hq/base/bytes.h"

namespace hq {

class Window {
 public:
  // `fd` stays the caller's. Nothing behind `size` is looked at.
  Window(int fd, uint64_t size) : fd_(fd), size_(size) {}
  // Up to `length` bytes at `offset`, fewer at the end of the file; valid until the next call.
  [[nodiscard]] BytesView view(uint64_t offset, size_t length);
  // Where the next intact record header stands, from `offset` on; the size of the file when there is none.
  [[nodiscard]] uint64_t find_record(uint64_t offset, uint64_t salt);
  // The errno of a failed read; what came after it was empty.
  [[nodiscard]] int failed() const { return failed_; }

 private:
  const int fd_;
  const uint64_t size_;
  Bytes buffer_;
  uint64_t begin_ = 0;  // of the buffer, in the file
  size_t ahead_ = 4096;
  int failed_ = 0;
};

}  // namespace hq
