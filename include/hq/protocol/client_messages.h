// The client conversation as plain structs (docs/protocol.md, Client messages, is normative). On the wire
// every message is one msgpack map with string keys: "type" names the message, "id" is given by the client
// and comes back in every answer to it. Unknown keys are ignored, missing ones take the defaults below, a
// wrong type is an Error naming the field. client_codec.h is the only way to and from bytes.
//
// Times are integers: nanoseconds since 1970 UTC. Durations are floats in seconds.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/clock.h"
#include "hq/core/allocations.h"
#include "hq/core/conditions.h"
#include "hq/core/failure.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"
#include "hq/core/suspicion.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq::msg {

// Which jobs or workers a request is about.
struct Selection {
  enum class Kind : uint8_t { kLast, kAll, kIds };
  Kind kind = Kind::kIds;
  IdArray ids;
  friend bool operator==(const Selection&, const Selection&) = default;
};

// --- requests ------------------------------------------------------------------------------------------

struct GetServerInfo {
  friend bool operator==(const GetServerInfo&, const GetServerInfo&) = default;
};
struct StopServer {
  bool keep_workers = false;  // they wait for its return; needs a journal
  friend bool operator==(const StopServer&, const StopServer&) = default;
};
struct DebugDump {
  std::string path;  // written by the server process
  friend bool operator==(const DebugDump&, const DebugDump&) = default;
};

// A job of its own, or tasks for an open job when `job` is given. Paths are templates (text/placeholders.h);
// the server fills the job-level placeholders.
struct Submit {
  std::optional<JobId> job;
  std::string name;
  std::optional<uint32_t> max_fails;
  SubmitDescription submit;
  // Entries or a graph without ids in an open job: ids are moved behind the largest existing one.
  bool ids_after_existing = false;
  // Goes on as WaitJobs with notices would, so that nothing is missed that the tasks say.
  bool notices = false;
  uint32_t uploaded = 0;  // entries that came in UploadEntries; those of `submit` are behind them
  friend bool operator==(const Submit&, const Submit&) = default;
};
// Entries ahead of a Submit that will come as the same request. Only a refusal answers it.
struct UploadEntries {
  Entries entries;
  uint64_t expected_bytes = 0;  // that all the entries of the submit will take, about; a hint
  friend bool operator==(const UploadEntries&, const UploadEntries&) = default;
};
// A new job of those tasks of a job that are in certain states, each with its id and what it was given.
// Dependencies on tasks that have finished are met; any other has to be among those tasks.
struct ResubmitJob {
  Selection job;                  // one
  std::vector<TaskState> states;  // empty = any
  friend bool operator==(const ResubmitJob&, const ResubmitJob&) = default;
};
struct OpenJob {
  std::string name;
  std::optional<uint32_t> max_fails;
  friend bool operator==(const OpenJob&, const OpenJob&) = default;
};
struct CloseJobs {
  Selection jobs;
  friend bool operator==(const CloseJobs&, const CloseJobs&) = default;
};
struct CancelJobs {
  Selection jobs;
  std::string reason;
  friend bool operator==(const CancelJobs&, const CancelJobs&) = default;
};
struct ForgetJobs {
  Selection jobs;
  std::vector<TaskState> states;  // only jobs with these (final) statuses
  friend bool operator==(const ForgetJobs&, const ForgetJobs&) = default;
};
struct ListJobs {
  friend bool operator==(const ListJobs&, const ListJobs&) = default;
};
// Answered by one JobDetail per job (in written order for ids) and its pages, then End.
struct GetJobs {
  Selection jobs;
  // Which rows come with each job.
  enum class Tasks : uint8_t { kNone, kFirstFailed, kAll };
  Tasks tasks = Tasks::kNone;
  std::optional<IdArray> ids;     // only these tasks (kAll)
  std::vector<TaskState> states;  // only tasks in these states; empty = any (kAll)
  bool texts = true;              // with full error texts
  friend bool operator==(const GetJobs&, const GetJobs&) = default;
};
// Answered when all selected jobs are done (and closed, unless without_close).
struct WaitJobs {
  Selection jobs;
  bool without_close = false;
  bool progress = false;  // with a JobProgress at once and whenever it changes (at most every 20 ms)
  bool notices = false;   // with a TaskNotice for whatever their tasks say
  friend bool operator==(const WaitJobs&, const WaitJobs&) = default;
};
struct ListWorkers {
  bool offline = false;  // with those that are gone
  friend bool operator==(const ListWorkers&, const ListWorkers&) = default;
};
struct GetWorkers {
  Selection workers;
  friend bool operator==(const GetWorkers&, const GetWorkers&) = default;
};
struct StopWorkers {
  Selection workers;
  bool force = false;  // what ran there is started elsewhere without waiting for the worker's word
  friend bool operator==(const StopWorkers&, const StopWorkers&) = default;
};
// They are not suspect any more, and start anew.
struct ResumeWorkers {
  Selection workers;
  friend bool operator==(const ResumeWorkers&, const ResumeWorkers&) = default;
};

// A piece of what a task has printed, from wherever it is kept.
struct ReadOutput {
  JobId job;
  TaskId task;
  enum class Channel : uint8_t { kStdout, kStderr };
  Channel channel = Channel::kStdout;
  uint64_t position = 0;
  bool from_end = false;      // the last `most` bytes there are instead
  uint32_t most = 64 * 1024;  // bytes; fewer may come
  friend bool operator==(const ReadOutput&, const ReadOutput&) = default;
};
// Answered by a TaskExplanation.
struct ExplainTask {
  Selection job;  // one
  TaskId task;
  friend bool operator==(const ExplainTask&, const ExplainTask&) = default;
};

// What was recorded up to now is made safe.
struct FlushJournal {
  friend bool operator==(const FlushJournal&, const FlushJournal&) = default;
};
// Jobs that have ended and workers that are gone are dropped from the journal.
struct PruneJournal {
  friend bool operator==(const PruneJournal&, const PruneJournal&) = default;
};
// The events of the journal; with `live` those to come, too, until the server ends, and each TaskNotice.
struct FollowEvents {
  bool live = false;
  // Of the server whose events the client has seen up to `after`; "" = of any. Another server refuses.
  std::string server_uid;
  uint64_t after = 0;  // only events of higher numbers
  // With a WorkerOverview every two seconds of each worker that does not measure by itself; with `live`. What
  // those that do tell is among the events.
  bool overviews = false;
  friend bool operator==(const FollowEvents&, const FollowEvents&) = default;
};

// A new queue of allocations; unless `no_trial` one allocation is submitted and canceled first.
struct AddAllocQueue {
  AllocParams params;
  bool no_trial = false;
  friend bool operator==(const AddAllocQueue&, const AddAllocQueue&) = default;
};
struct TryAllocation {  // that trial alone
  AllocParams params;
  friend bool operator==(const TryAllocation&, const TryAllocation&) = default;
};
struct ListAllocQueues {
  friend bool operator==(const ListAllocQueues&, const ListAllocQueues&) = default;
};
struct GetAllocations {
  AllocQueueId queue;
  friend bool operator==(const GetAllocations&, const GetAllocations&) = default;
};
struct FindAllocation {
  std::string id;  // of the batch system
  friend bool operator==(const FindAllocation&, const FindAllocation&) = default;
};
struct PauseAllocQueue {
  AllocQueueId queue;
  friend bool operator==(const PauseAllocQueue&, const PauseAllocQueue&) = default;
};
struct ResumeAllocQueue {
  AllocQueueId queue;
  friend bool operator==(const ResumeAllocQueue&, const ResumeAllocQueue&) = default;
};
struct RemoveAllocQueue {
  AllocQueueId queue;
  bool force = false;  // though allocations run
  friend bool operator==(const RemoveAllocQueue&, const RemoveAllocQueue&) = default;
};

using ClientRequest =
    std::variant<GetServerInfo, StopServer, DebugDump, Submit, UploadEntries, ResubmitJob, OpenJob, CloseJobs,
                 CancelJobs, ForgetJobs, ListJobs, GetJobs, WaitJobs, ListWorkers, GetWorkers, StopWorkers,
                 ResumeWorkers, ReadOutput, ExplainTask, FlushJournal, PruneJournal, FollowEvents,
                 AddAllocQueue, TryAllocation, ListAllocQueues, GetAllocations, FindAllocation,
                 PauseAllocQueue, ResumeAllocQueue, RemoveAllocQueue>;

// --- replies -------------------------------------------------------------------------------------------

// The request was not carried out. `message` is for people.
struct Failed {
  std::string message;
  friend bool operator==(const Failed&, const Failed&) = default;
};
struct Done {
  friend bool operator==(const Done&, const Done&) = default;
};  // carried out; nothing more to say
struct End {
  friend bool operator==(const End&, const End&) = default;
};  // the last of a sequence of answers

struct ServerInfo {
  std::string server_uid;
  std::string client_host;
  uint16_t client_port = 0;
  std::string worker_host;
  uint16_t worker_port = 0;
  std::string version;
  uint32_t pid = 0;
  WallTime started;
  std::optional<std::string> journal_path;
  // How long workers and waiting clients wait for it when it is gone; nothing: it does not come back.
  std::optional<Duration> resume_window;
  Duration journal_stalled{0};  // how long what is not on disk yet has been waiting, from a second on
  std::string journal_trouble;  // file and cause while it can't be written
  friend bool operator==(const ServerInfo&, const ServerInfo&) = default;
};

struct Submitted {
  JobId job;
  friend bool operator==(const Submitted&, const Submitted&) = default;
};

enum class JobStatus : uint8_t { kWaiting, kRunning, kFinished, kFailed, kCanceled, kAborted, kOpened };

// The first that holds of: some task running, some waiting, some failed, some aborted, some canceled; else
// opened or finished.
[[nodiscard]] JobStatus job_status(const std::array<uint64_t, kTaskStates>& counts, bool open);

struct JobSummary {
  JobId id;
  std::string name;
  bool is_open = false;
  std::optional<std::string> cancel_reason;
  uint64_t task_count = 0;
  std::array<uint64_t, kTaskStates> counts{};  // by TaskState
  friend bool operator==(const JobSummary&, const JobSummary&) = default;
};

struct JobList {
  std::vector<JobSummary> jobs;  // ascending; paged: more follow until End
  friend bool operator==(const JobList&, const JobList&) = default;
};

// One task, or a range of tasks that have never left waiting (or were canceled or aborted without starting).
struct TaskRow {
  IdRange ids;
  TaskState state = TaskState::kWaiting;
  InstanceId instance;
  uint8_t variant = 0;
  bool started = false;  // has, or had, a worker and start time
  WallTime start;
  std::optional<WallTime> end;     // of all that ran and ended, and of failed ones that never ran
  std::vector<WorkerId> workers;   // one; several for multi-node
  std::optional<TaskUsage> usage;  // of ended tasks
  int32_t exit_code = 0;
  std::optional<Failure> failure;  // failed tasks
  uint32_t submit = 0;             // index into JobDetail::submits
  friend bool operator==(const TaskRow&, const TaskRow&) = default;
};

// Failed tasks that have cause, code and worker in common.
struct FailureGroup {
  FailureKind kind = FailureKind::kExit;
  int32_t code = 0;
  WorkerId worker;
  std::string hostname;
  bool suspect = false;  // the worker, now
  uint64_t tasks = 0;
  TaskId first;       // that failed so
  std::string cause;  // of the first: one line
  friend bool operator==(const FailureGroup&, const FailureGroup&) = default;
};

struct JobDetail {
  JobSummary info;
  std::optional<uint32_t> max_fails;
  WallTime submitted;
  std::optional<WallTime> finished;
  // For display: entries and stdin are left out, long arguments replaced. Job-level placeholders are filled.
  std::vector<SubmitDescription> submits;
  std::vector<std::pair<WorkerId, std::string>> workers;  // that ran its tasks, by id, with host names
  uint64_t failed_total = 0;
  std::vector<FailureGroup> failure_groups;  // the largest first, at most 1,000; when rows were asked for
  std::vector<TaskRow> tasks;                // first page, ascending by id
  bool more_tasks = false;                   // TaskPage messages follow
  bool more_graph = false;                   // GraphPage messages follow, before those
  friend bool operator==(const JobDetail&, const JobDetail&) = default;
};
struct GraphPage {  // further tasks of a graph, behind those that have come
  JobId job;
  uint32_t submit = 0;  // index into JobDetail::submits
  std::vector<GraphTask> graph;
  bool more_graph = false;
  friend bool operator==(const GraphPage&, const GraphPage&) = default;
};
struct TaskPage {
  JobId job;
  std::vector<TaskRow> tasks;
  bool more_tasks = false;
  friend bool operator==(const TaskPage&, const TaskPage&) = default;
};
struct JobNotFound {  // in the place of a JobDetail
  JobId job;
  friend bool operator==(const JobNotFound&, const JobNotFound&) = default;
};

struct ItemResult {  // of cancel, close, stop, resume: per job or worker
  enum class Outcome : uint8_t { kOk, kNotFound, kAlreadyEnded };
  uint32_t id = 0;
  Outcome outcome = Outcome::kOk;
  uint64_t canceled = 0;          // cancel: tasks canceled now
  uint64_t already_finished = 0;  // cancel
  friend bool operator==(const ItemResult&, const ItemResult&) = default;
};
struct ItemResults {
  std::vector<ItemResult> items;  // ascending by id
  friend bool operator==(const ItemResults&, const ItemResults&) = default;
};
struct Forgotten {
  uint64_t forgotten = 0;
  uint64_t ignored = 0;
  friend bool operator==(const Forgotten&, const Forgotten&) = default;
};

struct JobProgress {
  uint64_t jobs_done = 0;
  uint64_t jobs_total = 0;
  std::array<uint64_t, kTaskStates> counts{};
  uint64_t tasks_total = 0;
  friend bool operator==(const JobProgress&, const JobProgress&) = default;
};
// Something a running task has said.
struct TaskNotice {
  JobId job;
  TaskId task;
  InstanceId instance;
  WorkerId worker;
  std::string text;  // any bytes
  WallTime at;
  friend bool operator==(const TaskNotice&, const TaskNotice&) = default;
};
struct WaitFinished {
  bool nothing_to_wait_for = false;  // no active task in the selection
  friend bool operator==(const WaitFinished&, const WaitFinished&) = default;
};

struct WorkerSuspicion {
  Suspicion facts;
  std::string reason;        // the same, for people
  bool quarantined = false;  // it gets one task a minute
  friend bool operator==(const WorkerSuspicion&, const WorkerSuspicion&) = default;
};

struct WorkerDetail {
  WorkerId id;
  WorkerConfig config;
  WallTime started;
  std::optional<LossReason> lost;
  std::optional<WallTime> ended;
  std::optional<JobTask> last_task;
  std::optional<WallTime> last_task_time;
  uint64_t assigned_tasks = 0;  // placed or running; not the backlog
  uint64_t running_tasks = 0;
  std::optional<WorkerSuspicion> suspicion;
  bool reserved = false;                     // kept free for a multi-node task that waits
  std::optional<bool> main_node;             // has a multi-node task, and runs its program or not
  std::vector<std::string> last_lines;       // of a worker that ended with a cause
  std::optional<HardwareOverview> overview;  // the newest, of a worker that is there (GetWorkers only)
  friend bool operator==(const WorkerDetail&, const WorkerDetail&) = default;
};
struct WorkerOverview {
  WorkerId worker;
  HardwareOverview overview;
  WallTime at;
  friend bool operator==(const WorkerOverview&, const WorkerOverview&) = default;
};
struct WorkerList {
  std::vector<WorkerDetail> workers;  // ascending; paged: more follow until End
  friend bool operator==(const WorkerList&, const WorkerList&) = default;
};
struct WorkerNotFound {  // after the list, for each id asked for and unknown
  WorkerId worker;
  friend bool operator==(const WorkerNotFound&, const WorkerNotFound&) = default;
};

// Of the newest instance. A task in a final state, and position + bytes = length: that was all.
struct OutputPiece {
  TaskState state = TaskState::kWaiting;
  InstanceId instance;
  bool started = false;  // else there is no output yet
  bool kept = false;     // false: this channel is kept nowhere
  uint64_t position = 0;
  uint64_t length = 0;  // how much there is by now
  Bytes bytes;
  int32_t errnum = 0;  // not 0: it can't be read
  friend bool operator==(const OutputPiece&, const OutputPiece&) = default;
};

struct TaskExplanation {
  JobId job;
  TaskId task;
  uint64_t deps = 0;
  uint64_t waiting_deps = 0;
  std::vector<WorkerConditions> workers;  // those that are there, ascending
  friend bool operator==(const TaskExplanation&, const TaskExplanation&) = default;
};

// Events in their order, in the form of the journal's records (docs/journal.md, Records).
struct EventBlock {
  Bytes records;
  uint64_t last = 0;  // number of the last event: where a client that comes back goes on
  friend bool operator==(const EventBlock&, const EventBlock&) = default;
};

struct AllocQueueAdded {
  AllocQueueId queue;
  friend bool operator==(const AllocQueueAdded&, const AllocQueueAdded&) = default;
};
struct AllocQueueInfo {
  AllocQueueId id;
  AllocParams params;
  bool paused = false;
  bool paused_by_failures = false;
  std::optional<ResourceDescriptor> known_resources;  // of its last worker
  uint32_t failed_submissions = 0;                    // one after the other
  uint32_t failed_allocations = 0;                    // dtto
  std::string last_failure;
  std::optional<WallTime> next_attempt;  // it does not submit before; only while that is to come
  friend bool operator==(const AllocQueueInfo&, const AllocQueueInfo&) = default;
};
struct AllocQueueList {
  std::vector<AllocQueueInfo> queues;  // ascending
  friend bool operator==(const AllocQueueList&, const AllocQueueList&) = default;
};
struct AllocationInfo {
  std::string id;
  uint32_t number = 0;  // in its queue
  uint32_t workers = 0;
  std::string directory;
  AllocationState state = AllocationState::kQueued;
  WallTime queued;
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  std::optional<AllocationEndKind> end;  // how it ended
  std::string cause;                     // of a failure
  friend bool operator==(const AllocationInfo&, const AllocationInfo&) = default;
};
struct AllocationList {
  AllocQueueInfo queue;
  std::vector<AllocationInfo> allocations;  // ascending by number
  friend bool operator==(const AllocationList&, const AllocationList&) = default;
};
struct AllocationPlace {
  std::string directory;
  friend bool operator==(const AllocationPlace&, const AllocationPlace&) = default;
};

using ClientReply =
    std::variant<Failed, Done, End, ServerInfo, Submitted, JobList, JobDetail, GraphPage, TaskPage,
                 JobNotFound, ItemResults, Forgotten, JobProgress, WaitFinished, WorkerList, WorkerNotFound,
                 OutputPiece, TaskExplanation, EventBlock, TaskNotice, WorkerOverview, AllocQueueAdded,
                 AllocQueueList, AllocationList, AllocationPlace>;

}  // namespace hq::msg
