// Every durable fact, as small structs. State::apply (state.h) is the only thing that gives them meaning,
// live and at restart. Past tense: an event has happened; whoever records one has checked that it can.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/alloc_params.h"
#include "hq/core/failure.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq {

struct ServerStarted {
  std::string server_uid;
  // How long workers may go on without this server (docs/protocol.md, Lease); 0 = it does not come back.
  Duration window{0};
};
// An orderly end: all workers end with the server, their tasks wait again under a higher instance.
struct ServerStopped {};

struct WorkerConnected {
  WorkerId worker;
  WorkerUid uid;
  std::shared_ptr<const WorkerConfig> config;
};
// Takes back what was assigned there: those tasks wait again under a higher instance, or fail by the crash
// rules.
struct WorkerLost {
  WorkerId worker;
  LossReason reason;
  // Nothing proves that its processes have ended: nobody gets those tasks before WorkerFenced.
  bool held = false;
};
// What ran on a lost worker has ended by now: what was held because of it is ready.
struct WorkerFenced {
  WorkerId worker;
};

// How busy a worker's machine was; told by workers that were asked for it with --overview-interval.
struct WorkerMeasured {
  WorkerId worker;
  std::shared_ptr<const HardwareOverview> overview;
};

// A job of its own (closed at once), or more tasks for an open job.
struct JobSubmitted {
  JobId job;
  JobUid uid;  // of the job; kept from the first event for attaches
  bool attach = false;
  std::string name;                   // not used by attaches
  std::optional<uint32_t> max_fails;  // not used by attaches
  std::shared_ptr<const SubmitDescription> submit;
};
struct JobOpened {
  JobId job;
  JobUid uid;
  std::string name;
  std::optional<uint32_t> max_fails;
};
struct JobClosed {
  JobId job;
};
// Everything in the job that is not final is canceled (the symbolic form: costs nothing per waiting task).
struct JobCanceled {
  JobId job;
  std::string reason;  // "" = none given
};
// Everything in the job that is not final is aborted (max-fails).
struct JobAborted {
  JobId job;
};
// Single tasks are aborted, since something they depend on will never finish.
struct TasksAborted {
  JobId job;
  std::vector<TaskId> tasks;  // ascending
};
struct JobForgotten {
  JobId job;
};

// Handing out is durable. `slot`: placed, starts next; else backlog.
struct AssignedRange {
  JobId job;
  IdRange ids;
  InstanceId instance;
  uint8_t variant = 0;
  bool slot = false;
  // Of a multi-node task: all its workers, first the one that runs it; the range is then this one task. Empty
  // for a task of one node.
  std::vector<WorkerId> nodes;
};
struct TasksAssigned {
  WorkerId worker;
  std::vector<AssignedRange> ranges;
};
// Given back by the worker, or disowned by its hello: ready again, same instance.
struct ReturnedTask {
  JobTask task;
  InstanceId instance;
  // A multi-node task that was ended because one of its other workers was lost, or (kStopped) one that the
  // worker does not know after events were lost, and may have run, or (kTimeLimitReached) one that a worker
  // ended with itself and then said so in a hello: waits again under the next instance, or
  // fails by the crash rules.
  std::optional<LossReason> lost = std::nullopt;
};
struct TasksReturned {
  WorkerId worker;
  std::vector<ReturnedTask> tasks;
};

// A worker that was given up has come back, under a new number, with attempts of which no later one has been
// handed out: these go on there as if they had never been lost (instance and crash counter as before).
struct TasksReclaimed {
  WorkerId worker;                    // the new number
  WorkerId lost;                      // the one it had
  std::vector<AssignedRange> ranges;  // with the instances that were lost
};

struct TaskStart {
  JobTask task;
  InstanceId instance;
  uint8_t variant = 0;
  WallTime at;
};
struct TasksStarted {
  WorkerId worker;
  std::vector<TaskStart> tasks;
};

struct TaskEnd {
  JobTask task;
  InstanceId instance;
  bool finished = true;  // else failed
  uint8_t variant = 0;
  WallTime at;
  TaskUsage usage;
  Failure failure;  // when failed
};
// Tasks that had not been reported as started count as started at `at - usage.ran`, except those whose
// failure is kBeforeLaunch.
struct TasksEnded {
  WorkerId worker;
  std::vector<TaskEnd> tasks;
};

// --- queues of allocations (allocations.h) ---------------------------------------------------------------

struct AllocQueueCreated {
  AllocQueueId queue;
  std::shared_ptr<const AllocParams> params;
};
// With all its allocations.
struct AllocQueueRemoved {
  AllocQueueId queue;
};
struct AllocQueuePaused {
  AllocQueueId queue;
  bool by_failures = false;  // else by somebody
};
// Its failures are forgotten.
struct AllocQueueResumed {
  AllocQueueId queue;
};
// The batch system is about to be asked; the answer is one of the next two.
struct AllocationSubmitting {
  AllocQueueId queue;
  uint32_t number = 0;  // of the allocation in its queue
  uint32_t workers = 0;
  std::string directory;
};
struct AllocationQueued {
  AllocQueueId queue;
  uint32_t number = 0;
  std::string allocation;  // its id in the batch system
};
struct AllocationNotQueued {
  AllocQueueId queue;
  uint32_t number = 0;
  std::string cause;
  bool counts = true;  // as a failure: it was refused, not just never tried
};
struct AllocationStarted {
  AllocQueueId queue;
  uint32_t number = 0;
  bool by_worker = true;  // its first worker has connected; else the batch system says so
};
enum class AllocationEndKind : uint8_t {
  kNormal,      // all its workers have come and gone
  kUnexpected,  // the batch system says so
  kUnknown,     // the batch system could not be asked for too long
  kCanceled,    // by us, since nobody needed it any more
};
struct AllocationEnded {
  AllocQueueId queue;
  uint32_t number = 0;
  AllocationEndKind kind = AllocationEndKind::kNormal;
  bool failed = false;
  std::string cause;  // of a failure
  // As the batch system tells; zero = it does not.
  WallTime started;
  WallTime ended;
};

using Event =
    std::variant<ServerStarted, ServerStopped, WorkerConnected, WorkerLost, WorkerFenced, JobSubmitted,
                 JobOpened, JobClosed, JobCanceled, JobAborted, TasksAborted, JobForgotten, TasksAssigned,
                 TasksReturned, TasksReclaimed, TasksStarted, TasksEnded, WorkerMeasured, AllocQueueCreated,
                 AllocQueueRemoved, AllocQueuePaused, AllocQueueResumed, AllocationSubmitting,
                 AllocationQueued, AllocationNotQueued, AllocationStarted, AllocationEnded>;

struct Record {
  WallTime time;
  Event event;
};

}  // namespace hq
