// Port to where the output of streamed tasks goes: it is handed the reading ends of their pipes and says when
// all that a task wrote is safe. Nothing here waits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/strong_id.h"
#include "hq/base/unique_fd.h"
#include "hq/core/ids.h"
#include "hq/stream/format.h"

namespace hq {

// One task whose output is kept; given by the caller, never reused.
using OutputId = Id<struct OutputTag, uint64_t>;

// Where it is kept: in files of this worker below a directory, or by the server in a file of the job.
struct OutputPlace {
  std::string directory;  // absolute; "": the server keeps it
  std::string server_uid;
  WorkerId worker;
  // The server's:
  std::string log_path;
  JobId job;
  JobUid job_uid;
  friend auto operator<=>(const OutputPlace&, const OutputPlace&) = default;
};

struct OutputEvent {
  OutputId id;
  // Nothing: all of it is safe. Else why it can't be kept; nothing more is read of this task.
  std::optional<std::string> failure;
  uint64_t after_packet = 0;  // true once the server has confirmed this packet; the caller sees 0 only
};

// Output on its way to the server: a batch of records (batch.h).
struct OutputPacket {
  uint64_t number = 0;  // 1, 2, ... over the life of the TaskOutput
  OutputPlace place;
  Bytes records;
};

// Whose output in a packet the server can't keep, and why.
struct PacketFailure {
  TaskId task;
  InstanceId instance;
  std::string why;
};

class TaskOutput {
 public:
  virtual ~TaskOutput() = default;
  // Whether one more task can be started: its pipes need descriptors.
  [[nodiscard]] virtual bool has_room() const = 0;
  // Reads from now on. An invalid descriptor: that channel is kept elsewhere.
  virtual void start(OutputId id, const OutputPlace& place, const StreamKey& key, UniqueFd out,
                     UniqueFd err) = 0;
  // The task's process has ended. What is in the pipes at this moment is taken, then they are closed, even if
  // somebody else still holds them. Answered by one event, unless a failure was told already.
  virtual void end(OutputId id) = 0;
  // The task was stopped: as end(), but what can't be taken without waiting is left, its end is marked as cut
  // short, and there is no answer.
  virtual void cut(OutputId id) = 0;
  // Next event, without waiting.
  virtual std::optional<OutputEvent> next_event() = 0;

  // --- what the server keeps ---
  // A packet that was not confirmed is there.
  [[nodiscard]] virtual bool has_packets() = 0;
  // The next one that was not sent so far.
  virtual std::optional<OutputPacket> next_packet() = 0;
  // A new connection: what is above `last` is sent again, what is not above it and not in `pending` is safe.
  virtual void on_resumed(uint64_t last, const std::vector<uint64_t>& pending) = 0;
  virtual void on_kept(uint64_t number, const std::vector<PacketFailure>& failures) = 0;
  // Bytes of packets that may be there at once.
  virtual void set_window(uint64_t bytes) = 0;
  // The server is gone for good: what it should have kept is thrown away, so that tasks can end.
  virtual void abandon() = 0;
};

}  // namespace hq
