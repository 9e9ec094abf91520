// The worker conversation as plain structs (docs/protocol.md, Worker messages, is normative). On the wire
// they are msgpack arrays [kind, session, fields...]; worker_codec.h is the only way to and from bytes.
//
// After the welcome every message of both sides carries its session number; messages of another session are
// dropped by the receiver. Tasks are named (job, task, instance); inventories add the job's uid.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/clock.h"
#include "hq/core/failure.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq::msg {

// --- worker to server ----------------------------------------------------------------------------------

struct HeldTask {  // of an inventory: running, or in the backlog
  JobUid job_uid;
  JobId job;
  TaskId task;
  InstanceId instance;
  bool running = false;
  uint8_t variant = 0;
  friend bool operator==(const HeldTask&, const HeldTask&) = default;
};

struct StartedTask {
  JobId job;
  TaskId task;
  InstanceId instance;
  uint8_t variant = 0;
  float ago_s = 0;  // seconds between its start and the sending of the report
  friend bool operator==(const StartedTask&, const StartedTask&) = default;
};

struct EndedTask {
  JobUid job_uid;
  JobId job;
  TaskId task;
  InstanceId instance;
  uint8_t variant = 0;
  enum class Outcome : uint8_t { kFinished, kFailed, kStopped };  // kStopped: ended by our cancel
  Outcome outcome = Outcome::kFinished;
  float ago_s = 0;  // seconds between its end and the sending of the report
  TaskUsage usage;
  Failure failure;  // kFailed
  friend bool operator==(const EndedTask&, const EndedTask&) = default;
};

// A complete inventory; large ones are paged, all pages before anything else. Nothing is sent to the worker
// before its last page. `counter` grows with each hello of a worker; a lower one never displaces a session.
struct Hello {
  uint32_t protocol = 0;
  uint32_t min_protocol = 0;
  std::string version;     // of the program, for messages
  std::string server_uid;  // the server it knows, "" at first
  WorkerUid worker_uid;
  WorkerId worker;  // its number, 0 at first
  uint64_t counter = 0;
  uint32_t page = 0;
  bool last_page = true;
  std::optional<WorkerConfig> config;  // on page 0
  float age_s = 0;                     // seconds since the worker's start (its time limit counts from there)
  std::vector<HeldTask> held;
  // Ended and not acknowledged; report numbers stay those of the reports they were in.
  std::vector<EndedTask> ended;
  uint64_t last_report = 0;  // number of the last report sent so far
  friend bool operator==(const Hello&, const Hello&) = default;
};

// Numbered 1, 2, ... over the worker's whole life; acknowledged cumulatively by Ack.
struct Report {
  uint64_t number = 0;
  std::vector<StartedTask> started;
  std::vector<EndedTask> ended;
  friend bool operator==(const Report&, const Report&) = default;
};

struct TaskSpan {  // tasks of one job, one instance
  JobId job;
  IdRange ids;
  InstanceId instance;
  friend bool operator==(const TaskSpan&, const TaskSpan&) = default;
};

// The answer to Retract: what is given back. What is not listed has started or ended.
struct Returned {
  uint64_t retract = 0;  // number of the Retract; 0 = given back unasked (time request no longer fits)
  std::vector<TaskSpan> spans;
  friend bool operator==(const Returned&, const Returned&) = default;
};

struct Heartbeat {
  uint64_t counter = 0;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct Goodbye {
  enum class Reason : uint8_t { kStopped, kTimeLimit, kSignal, kServerLost, kError };
  Reason reason = Reason::kStopped;
  std::string cause;
  std::vector<std::string> last_lines;
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

// Output that the server keeps goes over a second connection of the worker, with bytes as credit. Both
// messages carry the number of the worker's session.
struct OutputHello {
  WorkerUid worker_uid;
  uint64_t counter = 0;  // grows with each output connection of a worker
  friend bool operator==(const OutputHello&, const OutputHello&) = default;
};

struct OutputData {
  uint64_t number = 0;  // 1, 2, ... over the worker's whole life
  JobId job;
  JobUid job_uid;
  std::string log_path;
  // Data records of an output file (docs/stream-format.md), with 0 for salt and `previous`, and their offset
  // in these bytes for that in the file.
  Bytes records;
  friend bool operator==(const OutputData&, const OutputData&) = default;
};

// The answer to PeekOutput.
struct OutputPeeked {
  uint64_t number = 0;
  uint64_t position = 0;
  uint64_t length = 0;
  Bytes bytes;
  int32_t errnum = 0;
  friend bool operator==(const OutputPeeked&, const OutputPeeked&) = default;
};

// Something a running task says to whoever waits for its job. Numbered over the worker's whole life; at most
// limits::kNoticesUnderWay are not acknowledged.
struct Notice {
  uint64_t number = 0;
  JobId job;
  TaskId task;
  InstanceId instance;
  std::string text;  // any bytes
  friend bool operator==(const Notice&, const Notice&) = default;
};

// How busy the machine is: each overview interval of the configuration, or as MeasureEvery says.
struct Measured {
  HardwareOverview overview;
  friend bool operator==(const Measured&, const Measured&) = default;
};

using FromWorker = std::variant<Hello, Report, Returned, Heartbeat, Goodbye, OutputHello, OutputData,
                                OutputPeeked, Notice, Measured>;

// --- server to worker ----------------------------------------------------------------------------------

struct Welcome {
  uint32_t protocol = 0;
  std::string server_uid;
  WorkerId worker;
  Duration window{0};  // W: the worker ends its tasks this long after sending its last answered heartbeat
  bool resumable =
      false;  // after a lost connection: keep running and reconnect (else apply on-server-lost at once)
  uint64_t acknowledged = 0;  // reports up to this number are safe
  // Of the inventory: to be killed or dropped, since they are not ours (any more).
  std::vector<HeldTask> unwanted;
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

struct Refused {  // final for this worker process
  std::string reason;
  friend bool operator==(const Refused&, const Refused&) = default;
};

// Who are you? Sent to an unknown routing id; the worker starts a new session.
struct HelloPlease {
  friend bool operator==(const HelloPlease&, const HelloPlease&) = default;
};

// A definition travels once per worker and session, before the first run that names it.
struct Define {
  DefinitionId definition;
  JobId job;
  JobUid job_uid;
  std::string server_uid;
  std::string submit_dir;
  std::string job_name;
  std::optional<std::string> stream_path;
  std::optional<std::string> log_path;
  std::shared_ptr<const TaskDescription> task;  // never null in a message
  friend bool operator==(const Define& a, const Define& b) {
    return a.definition == b.definition && a.job == b.job && a.job_uid == b.job_uid &&
           a.server_uid == b.server_uid && a.submit_dir == b.submit_dir && a.job_name == b.job_name &&
           a.stream_path == b.stream_path && a.log_path == b.log_path && *a.task == *b.task;
  }
};

struct Undefine {
  std::vector<DefinitionId> definitions;
  friend bool operator==(const Undefine&, const Undefine&) = default;
};

struct Run {
  DefinitionId definition;
  IdRange ids;
  InstanceId instance;
  uint8_t variant = 0;
  bool slot = false;               // placed: starts next, before any backlog
  bool eager = false;              // somebody waits for it: report at once
  std::optional<Entries> entries;  // one per id
  std::vector<std::string> hosts;  // of a multi-node task: names of all its nodes, the worker's own first
  friend bool operator==(const Run&, const Run&) = default;
};

struct RunTasks {
  std::vector<Run> runs;
  friend bool operator==(const RunTasks&, const RunTasks&) = default;
};

// Give back up to `count` tasks of this definition from the end of the backlog.
struct Retract {
  uint64_t number = 0;
  DefinitionId definition;
  uint32_t count = 0;
  friend bool operator==(const Retract&, const Retract&) = default;
};

// Stop the running and drop the waiting ones; all tasks of a job when `ids` is empty. Each running one is
// answered by an EndedTask (kStopped, or how it really ended).
struct CancelTasks {
  JobId job;
  std::vector<IdRange> ids;
  friend bool operator==(const CancelTasks&, const CancelTasks&) = default;
};

struct Ack {
  uint64_t report = 0;  // all reports up to this number are on disk
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct HeartbeatAck {
  uint64_t counter = 0;
  friend bool operator==(const HeartbeatAck&, const HeartbeatAck&) = default;
};

struct StopWorker {
  enum class Reason : uint8_t { kStop, kIdle, kServerStops };
  Reason reason = Reason::kStop;
  friend bool operator==(const StopWorker&, const StopWorker&) = default;
};

struct OutputWelcome {
  uint64_t last = 0;    // OutputData up to this number have arrived; those after it are to be sent (again)
  uint64_t window = 0;  // bytes of records that may be under way or unconfirmed
  std::vector<uint64_t> pending;  // of those that have arrived: not confirmed yet
  friend bool operator==(const OutputWelcome&, const OutputWelcome&) = default;
};

// Whose output can't be kept, and why.
struct OutputFailure {
  TaskId task;
  InstanceId instance;
  std::string why;
  friend bool operator==(const OutputFailure&, const OutputFailure&) = default;
};

// One OutputData is in its file, or will never be.
struct OutputKept {
  uint64_t number = 0;
  uint64_t window = 0;
  std::vector<OutputFailure> failures;
  friend bool operator==(const OutputKept&, const OutputKept&) = default;
};

// A client looks at output that is kept where the worker can see it.
struct PeekOutput {
  uint64_t number = 0;
  uint8_t kind = 0;  // 0 a file of the task, 1 a directory of streams
  std::string path;
  std::string server_uid;  // kind 1, as the rest up to the channel
  JobId job;
  TaskId task;
  InstanceId instance;
  uint8_t channel = 0;
  uint64_t position = 0;
  bool from_end = false;
  uint32_t most = 0;
  friend bool operator==(const PeekOutput&, const PeekOutput&) = default;
};

// Notices up to this number have been passed on, or nobody listens.
struct NoticeAck {
  uint64_t number = 0;
  friend bool operator==(const NoticeAck&, const NoticeAck&) = default;
};

// For a worker without an overview interval of its own, until the end of the session.
struct MeasureEvery {
  Duration interval{0};  // 0: no more
  friend bool operator==(const MeasureEvery&, const MeasureEvery&) = default;
};

using ToWorker =
    std::variant<Welcome, Refused, HelloPlease, Define, Undefine, RunTasks, Retract, CancelTasks, Ack,
                 HeartbeatAck, StopWorker, OutputWelcome, OutputKept, PeekOutput, NoticeAck, MeasureEvery>;

}  // namespace hq::msg
