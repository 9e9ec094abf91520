// The access record as a file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hq/base/random.h"
#include "hq/base/small_files.h"
#include "hq/base/unique_fd.h"
#include "hq/transport/access.h"

namespace hq {

namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr mode_t kRights = 0400;

std::string directory_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_synced(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kRights));
  if (!fd.valid()) return os_error(errno);
  if (::fchmod(fd.get(), kRights) != 0) return os_error(errno);
  if (auto written = write_all(fd.get(), text); !written) return written;
  if (::fsync(fd.get()) != 0) return os_error(errno);
  // Network file systems report a failed write as late as here.
  if (::close(fd.release()) != 0) return os_error(errno);
  return {};
}

// Gives `from` the name `to`; an existing `to` is EEXIST. Not all file systems have hard links, nor all this
// rename.
int move_exclusively(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()) == 0 ? 0 : errno;
  int link_error = errno;
  if (link_error == EEXIST) return link_error;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  return errno == EEXIST ? EEXIST : link_error;
}

Result<void> sync_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return os_error(errno);
  // Some network file systems can't sync a directory; they make a new name durable on their own.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP) return os_error(errno);
  return {};
}

// Whether the file is as we would write it.
bool is_stored(const std::string& path, const std::string& text) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & 07777) != kRights) return false;
  const Result<std::string> there = read_text(path, kMaxFileBytes);
  return there && *there == text;
}

}  // namespace

Result<void> store_access(const std::string& path, const AccessRecord& record, StoreMode mode) {
  const std::string text = access_text(record);
  if (mode == StoreMode::kReplace && is_stored(path, text)) return {};
  SystemRandom random;
  const std::string temporary = path + ".new-" + random.alphanumeric(8);
  if (Result<void> written = write_synced(temporary, text); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  int failure = 0;
  if (mode == StoreMode::kExclusive) {
    failure = move_exclusively(temporary, path);
  } else if (::rename(temporary.c_str(), path.c_str()) != 0) {
    failure = errno;
  }
  if (failure != 0) {
    ::unlink(temporary.c_str());
    return os_error(failure);
  }
  return sync_directory(directory_of(path));
}

AccessOutcome load_access(const std::string& path, AccessForm form, const RunningVersion& running) {
  Result<std::string> text = read_text(path, kMaxFileBytes);
  if (!text) return AccessFailure{AccessFailure::Kind::kFile, text.error().message};
  return parse_access(*text, form, running);
}

}  // namespace hq
