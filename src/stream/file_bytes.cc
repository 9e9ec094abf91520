#include "stream/file_bytes.h"

#include <unistd.h>

#include <cerrno>

namespace hq {

ssize_t read_at(int fd, char* place, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, place + done, size - done, off_t(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += size_t(got);
  }
  return ssize_t(done);
}

int write_fully(int fd, BytesView bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), off_t(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : EIO;
    bytes.remove_prefix(size_t(put));
    offset += uint64_t(put);
  }
  return 0;
}

}  // namespace hq
