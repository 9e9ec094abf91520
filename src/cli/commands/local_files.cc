#include "cli/commands/local_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hq/base/unique_fd.h"

namespace hq::cli {
namespace {

constexpr size_t kPiece = size_t{1} << 18;

// Like read(2), begun again after a signal; below 0 it failed.
ssize_t read_some(int fd, char* to, size_t size) {
  ssize_t n = 0;
  do {
    n = ::read(fd, to, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

LocalFiles::Content SystemFiles::read(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {{}, errno};
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return {{}, errno};
  // The size is a hint only: a pipe has none, and a file may grow meanwhile.
  Content content;
  size_t filled = 0;
  size_t room = std::min(limit, std::max(size_t(info.st_size) + 1, kPiece));
  while (filled < limit) {
    if (content.bytes.size() < room) content.bytes.resize(room);
    const ssize_t n = read_some(fd.get(), content.bytes.data() + filled, room - filled);
    if (n < 0) return {{}, errno};
    if (n == 0) break;
    filled += size_t(n);
    if (filled == room) room = std::min(limit, room * 2);
  }
  content.bytes.resize(filled);
  return content;
}

int SystemFiles::read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  std::string piece(kPiece, '\0');
  while (true) {
    const ssize_t n = read_some(fd.get(), piece.data(), piece.size());
    if (n < 0) return errno;
    if (n == 0) return 0;
    take(std::string_view(piece).substr(0, size_t(n)));
  }
}

size_t SystemFiles::size_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? size_t(info.st_size) : 0;
}

}  // namespace hq::cli
