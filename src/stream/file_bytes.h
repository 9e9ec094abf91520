// Whole pieces of files, whatever the system calls leave undone.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "hq/base/bytes.h"

namespace hq {

// How much could be read, less than `size` only at the end of the file; -1 at an error, with errno.
[[nodiscard]] ssize_t read_at(int fd, char* place, size_t size, uint64_t offset);
// False at an error and at the end of the file.
[[nodiscard]] inline bool read_fully(int fd, char* place, size_t size, uint64_t offset) {
  return read_at(fd, place, size, offset) == ssize_t(size);
}
// 0 or an errno; then a part may have been written.
[[nodiscard]] int write_fully(int fd, BytesView bytes, uint64_t offset);

}  // namespace hq
