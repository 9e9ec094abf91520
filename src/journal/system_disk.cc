#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hq/base/unique_fd.h"
#include "journal/disk.h"

namespace hq {

namespace {

class SystemFile final : public DiskFile {
 public:
  explicit SystemFile(UniqueFd fd) : fd_(std::move(fd)) {}

  Result<size_t> read_at(uint64_t offset, char* to, size_t size) override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_.get(), to + done, size - done, off_t(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error(errno);
      if (n == 0) break;
      done += size_t(n);
    }
    return done;
  }

  Result<void> write_at(uint64_t offset, BytesView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), off_t(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error(errno);
      bytes.remove_prefix(size_t(n));
      offset += uint64_t(n);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return os_error(errno);
    return {};
  }

  Result<bool> reserve(uint64_t end) override {
    for (;;) {
      if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, off_t(end)) == 0) return true;
      if (errno == EINTR) continue;
      if (errno == EOPNOTSUPP || errno == ENOSYS) return false;
      return os_error(errno);
    }
  }

  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), off_t(size)) != 0) return os_error(errno);
    return {};
  }

  Result<uint64_t> size() override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return os_error(errno);
    if (S_ISDIR(info.st_mode)) return os_error(EISDIR);
    return uint64_t(info.st_size);
  }

 private:
  UniqueFd fd_;
};

class SystemDisk final : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, bool writable) override {
    return make(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  }
  Result<std::unique_ptr<DiskFile>> create(const std::string& path) override {
    return make(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return os_error(errno);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return os_error(errno);
    return {};
  }
  Result<void> sync_directory(const std::string& path) override {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return os_error(errno);
    // Some file systems have no such thing; there a name is as safe as its file.
    if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP) return os_error(errno);
    return {};
  }
  Result<uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return os_error(errno);
    return uint64_t(info.f_bavail) * info.f_frsize;
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (directory == nullptr) return os_error(errno);
    std::vector<std::string> out;
    while (const dirent* entry = ::readdir(directory.get())) out.emplace_back(entry->d_name);
    return out;
  }

 private:
  static Result<std::unique_ptr<DiskFile>> make(int fd) {
    if (fd < 0) return os_error(errno);
    return std::unique_ptr<DiskFile>(std::make_unique<SystemFile>(UniqueFd(fd)));
  }
};

}  // namespace

Disk& system_disk() {
  static SystemDisk disk;
  return disk;
}

SplitPath split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace hq
