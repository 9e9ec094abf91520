// The launcher's file threads: everything that touches a path of the user and may therefore hang. Jobs go in,
// results come out through a descriptor. While every thread hangs and work waits, threads are added.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/unique_fd.h"
#include "hq/os/process.h"

namespace hq {

// What has to be there before a launch. Paths are absolute or relative to the launcher's directory.
struct PrepareFiles {
  std::string cwd;  // made if `make_cwd`
  bool make_cwd = false;
  std::string out;  // empty: null device
  std::string err;
  bool unlink_first = false;
  std::string task_dir;  // made fresh, 0700, when not empty
  bool task_dir_made = false;
  std::string host_file_text;  // go to files in the task directory when not empty
  std::string node_file_text;
};

// What remains after a task.
struct CleanUpFiles {
  std::string task_dir;
  bool read_error_file = false;
};

struct FileJob {
  enum class Kind : uint8_t { kPrepare, kCleanUp, kRemove };
  Kind kind = Kind::kRemove;
  LaunchId id;
  PrepareFiles prepare;
  CleanUpFiles clean_up;
  std::string path;  // kRemove
};

struct FileResult {
  FileJob job;
  // kPrepare: errnum 0 = done. `again`: not possible now (a FIFO without reader, no free descriptor); nothing
  // is held.
  int errnum = 0;
  bool again = false;
  LaunchStage stage = LaunchStage::kOpenStdout;
  UniqueFd out;
  UniqueFd err;
  // kCleanUp
  std::string error_file;
  bool error_file_present = false;
  bool error_file_truncated = false;
  std::string log;  // something for the worker's log
};

class FilePool {
 public:
  explicit FilePool(unsigned threads);
  FilePool(const FilePool&) = delete;
  FilePool& operator=(const FilePool&) = delete;
  // Threads run until the process ends: one may be in a call that never returns.
  ~FilePool() = delete;

  void submit(FileJob job);
  // Readable when results wait.
  [[nodiscard]] int fd() const { return ready_.get(); }
  [[nodiscard]] std::deque<FileResult> take_results();
  [[nodiscard]] bool idle();
  // Called now and then: adds a thread when none has finished a job since the last call and jobs wait.
  void tend();

 private:
  void add_thread();
  void work();

  UniqueFd ready_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<FileJob> jobs_;
  std::deque<FileResult> results_;
  unsigned threads_ = 0;
  unsigned sleeping_ = 0;
  size_t under_way_ = 0;  // submitted, result not yet taken
  uint64_t finished_ = 0;
  uint64_t finished_at_last_look_ = 0;
};

// As the threads do it; for their tests.
[[nodiscard]] FileResult do_file_job(FileJob job);

}  // namespace hq
