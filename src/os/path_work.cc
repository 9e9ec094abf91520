#include "os/path_work.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "hq/base/result.h"

namespace hq::path_work {

namespace {

constexpr size_t kErrorFileBytes = 2048;
constexpr const char* kErrorFileName = "/hq-error";
constexpr const char* kHostFileName = "/hq-hostfile";
constexpr const char* kNodeFileName = "/hq-nodefile";

std::string directory_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_fifo(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

struct Opened {
  UniqueFd fd;
  int errnum = 0;
  bool directory_failed = false;
  bool again = false;
};

// Opens without waiting (a FIFO whose reader is not there yet would hold the thread), then makes it an
// ordinary file.
UniqueFd open_without_waiting(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666));
  if (fd.valid()) ::fcntl(fd.get(), F_SETFL, 0);
  return fd;
}

Opened open_output(const std::string& path, bool unlink_first) {
  Opened result;
  if (unlink_first) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) ::unlink(path.c_str());
  }
  result.fd = open_without_waiting(path);
  int error = result.fd.valid() ? 0 : errno;
  if (error == ENOENT || error == ENOTDIR || error == EACCES) {
    result.errnum = make_directories(directory_of(path));
    if (result.errnum != 0) {
      result.directory_failed = true;
      return result;
    }
    result.fd = open_without_waiting(path);
    error = result.fd.valid() ? 0 : errno;
  }
  result.errnum = error;
  // EAGAIN: another host or program holds a lease on the file and is being asked to give it up.
  result.again = error == EMFILE || error == ENFILE || error == EAGAIN || (error == ENXIO && is_fifo(path));
  return result;
}

int write_file(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno;
  for (size_t done = 0; done < text.size();) {
    ssize_t put = ::write(fd.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : EIO;
    done += static_cast<size_t>(put);
  }
  return 0;
}

int make_task_directory(PrepareFiles& files) {
  if (files.task_dir_made) return 0;
  int error = ::mkdir(files.task_dir.c_str(), 0700) == 0 ? 0 : errno;
  if (error == ENOENT) {
    error = make_directories(directory_of(files.task_dir));
    if (error == 0) error = ::mkdir(files.task_dir.c_str(), 0700) == 0 ? 0 : errno;
  }
  if (error != 0) return error;
  files.task_dir_made = true;
  if (!files.host_file_text.empty()) error = write_file(files.task_dir + kHostFileName, files.host_file_text);
  if (error == 0 && !files.node_file_text.empty())
    error = write_file(files.task_dir + kNodeFileName, files.node_file_text);
  return error;
}

int remove_at(int dir_fd, const char* name);

int remove_content(int fd) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd), [](DIR* d) { return ::closedir(d); });
  if (!dir) {
    int error = errno;
    ::close(fd);
    return error;
  }
  int first_error = 0;
  while (const dirent* item = ::readdir(dir.get())) {
    if (std::strcmp(item->d_name, ".") == 0 || std::strcmp(item->d_name, "..") == 0) continue;
    int error = remove_at(::dirfd(dir.get()), item->d_name);
    if (error == EACCES && ::fchmod(::dirfd(dir.get()), 0700) == 0) {
      error = remove_at(::dirfd(dir.get()), item->d_name);
    }
    if (first_error == 0) first_error = error;
  }
  return first_error;
}

int remove_at(int dir_fd, const char* name) {
  if (::unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  int unlink_error = errno;
  int fd = ::openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) {
    // The task took its own rights away; the directory is ours, so we give them back.
    ::fchmodat(dir_fd, name, 0700, 0);
    fd = ::openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (fd < 0) return errno == ENOTDIR ? unlink_error : errno;
  if (int error = remove_content(fd); error != 0) return error;
  return ::unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

void read_error_file(const std::string& path, FileResult& result) {
  // O_NONBLOCK: the task may have left a FIFO of that name.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  result.error_file_present = true;
  char buffer[kErrorFileBytes];
  while (result.error_file.size() < kErrorFileBytes) {
    ssize_t got = ::read(fd.get(), buffer, kErrorFileBytes - result.error_file.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    result.error_file.append(buffer, static_cast<size_t>(got));
  }
  result.error_file_truncated = result.error_file.size() == kErrorFileBytes;
}

}  // namespace

int make_directories(const std::string& path) {
  if (path.empty() || ::mkdir(path.c_str(), 0777) == 0) return 0;
  int error = errno;
  if (error == ENOENT && path != directory_of(path)) {
    size_t last = path.find_last_not_of('/');
    if (last == std::string::npos) return error;
    if (int above = make_directories(directory_of(path.substr(0, last + 1))); above != 0) return above;
    if (::mkdir(path.c_str(), 0777) == 0) return 0;
    error = errno;
  }
  return is_directory(path) ? 0 : error;
}

int remove_tree(const std::string& path) {
  return remove_at(AT_FDCWD, path.c_str());
}

void prepare(PrepareFiles& files, FileResult& result) {
  auto fail = [&](LaunchStage stage, int errnum, bool again = false) {
    result.stage = stage;
    result.errnum = errnum;
    result.again = again;
    result.out.reset();
    result.err.reset();
  };
  if (!files.out.empty()) {
    Opened out = open_output(files.out, files.unlink_first);
    if (out.errnum != 0) {
      return fail(out.directory_failed ? LaunchStage::kStdoutDirectory : LaunchStage::kOpenStdout, out.errnum,
                  out.again);
    }
    result.out = std::move(out.fd);
  }
  if (!files.err.empty()) {
    Opened err = open_output(files.err, files.unlink_first && files.err != files.out);
    if (err.errnum != 0) {
      return fail(err.directory_failed ? LaunchStage::kStderrDirectory : LaunchStage::kOpenStderr, err.errnum,
                  err.again);
    }
    result.err = std::move(err.fd);
  }
  if (files.make_cwd) {
    if (int error = make_directories(files.cwd); error != 0)
      return fail(LaunchStage::kWorkingDirectory, error);
  }
  if (!files.task_dir.empty()) {
    int error = make_task_directory(files);
    bool again = error == EMFILE || error == ENFILE;
    if (error != 0) return fail(LaunchStage::kTaskDirectory, error, again);
  }
}

void clean_up(const CleanUpFiles& files, FileResult& result) {
  if (files.read_error_file) read_error_file(files.task_dir + kErrorFileName, result);
  if (int error = remove_tree(files.task_dir); error != 0) {
    result.log = "Cannot remove task directory '" + files.task_dir + "': " + os_error_text(error);
  }
}

void remove(const std::string& path, FileResult& result) {
  if (::unlink(path.c_str()) == 0) return;
  result.log = "Cannot delete file '" + path + "': " + os_error_text(errno);
}

}  // namespace hq::path_work
