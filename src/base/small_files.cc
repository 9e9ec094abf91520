#include "hq/base/small_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hq/base/unique_fd.h"

namespace hq {

Result<void> write_all(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(errno);
    bytes.remove_prefix(size_t(n));
  }
  return {};
}

Result<void> write_text(const std::string& path, std::string_view text, mode_t rights) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, rights));
  if (!file.valid()) return os_error(errno);
  return write_all(file.get(), text);
}

Result<std::string> read_text(const std::string& path, size_t most) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return os_error(errno);
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() <= most) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(errno);
    if (n == 0) return text;
    text.append(buffer.data(), size_t(n));
  }
  return os_error(EFBIG);
}

}  // namespace hq
