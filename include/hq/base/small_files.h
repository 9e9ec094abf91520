// Small texts as whole files, and writing all of something: what a system call may do in pieces.
#pragma once

#include <cstddef>
#include <string>

#include "hq/base/bytes.h"
#include "hq/base/result.h"

namespace hq {

// Writes all of it. Errors as in write(2).
Result<void> write_all(int fd, BytesView bytes);
// The whole file. Errors as in open(2) and read(2); EFBIG above `most` bytes.
[[nodiscard]] Result<std::string> read_text(const std::string& path, size_t most);

}  // namespace hq
