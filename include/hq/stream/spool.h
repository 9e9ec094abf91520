// The real TaskOutput: a thread for each place, which reads the pipes of its tasks and writes one file. So a
// place that is slow or hangs holds up the tasks that stream there, by their full pipes, and nobody else;
// what is in memory is one buffer per place.
#pragma once

#include <memory>

#include "hq/base/result.h"
#include "hq/stream/task_output.h"

namespace hq {

struct SpoolOptions {
  int zstd_level = 0;      // 0: not compressed
  size_t max_tasks = 512;  // see has_room()
};

class Spool : public TaskOutput {
 public:
  // Readable when next_event() has something, or next_packet() has since the last next_event(): ask for
  // packets after events. Owned by the spool.
  [[nodiscard]] virtual int event_fd() const = 0;
};

// Its destructor ends all files with their index; a place that hangs is left to itself after some seconds.
[[nodiscard]] Result<std::unique_ptr<Spool>> make_spool(const SpoolOptions& options);

}  // namespace hq
