// The server's port to the log files (--log): batches of records go in, and it is told when each is in its
// file. Nothing here waits: files are written by threads, one for each, so that a slow one holds up its own
// job only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/base/strong_id.h"
#include "hq/core/ids.h"
#include "hq/stream/format.h"

namespace hq {

// One log file and whose it is. A file of the same job is gone on with, any other is replaced.
struct LogPlace {
  std::string path;
  std::string server_uid;
  JobUid owner;
  friend auto operator<=>(const LogPlace&, const LogPlace&) = default;
};

// Names one batch; given by the caller, never reused.
using LogBatchId = Id<struct LogBatchTag, uint64_t>;

struct LogBatchDone {
  LogBatchId id;
  struct Failure {
    StreamKey key;
    std::string why;
  };
  std::vector<Failure> failures;  // whose output in this batch is lost, and why
};

class LogStore {
 public:
  virtual ~LogStore() = default;
  // Records as OutputData carries them. Batches of one file are taken in order; what is in the file already
  // (a batch that was sent again) is not written twice.
  virtual void append(LogBatchId id, const LogPlace& place, Bytes records) = 0;
  virtual std::optional<LogBatchDone> next_done() = 0;
};

// The real one.
class LogFiles : public LogStore {
 public:
  // Readable when next_done() has something.
  [[nodiscard]] virtual int event_fd() const = 0;
};

// Its destructor ends all files with their index; one that hangs is left to itself after some seconds.
[[nodiscard]] Result<std::unique_ptr<LogFiles>> make_log_files();

}  // namespace hq
