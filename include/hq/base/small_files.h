// Small texts as whole files, and writing all of something: what a system call may do in pieces.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "hq/base/bytes.h"
#include "hq/base/result.h"

namespace hq {

// Writes all of it. Errors as in write(2).
Result<void> write_all(int fd, BytesView bytes);
// Makes the file, with these rights if it is new, or replaces what is in it. Errors as in open(2) and
// write(2).
Result<void> write_text(const std::string& path, std::string_view text, mode_t rights);
// The whole file. Errors as in open(2) and read(2); EFBIG above `most` bytes.
[[nodiscard]] Result<std::string> read_text(const std::string& path, size_t most);

}  // namespace hq
