// What was asked for on the command line: one struct per command, made by parse_command_line(). Whatever was
// not given is empty, so that a default can be told from the same value given by hand (directives need that);
// defaults are applied by the command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/output/formatter.h"
#include "cli/output/style.h"
#include "hq/base/clock.h"
#include "hq/core/id_ranges.h"
#include "hq/core/resources.h"
#include "hq/core/suspicion.h"
#include "hq/core/task.h"
#include "hq/core/text/option_text.h"
#include "hq/core/text/resource_definition_text.h"
#include "hq/core/text/selector.h"
#include "hq/core/worker_config.h"

namespace hq::cli {

struct GlobalOptions {
  std::optional<std::string> server_dir;  // as given
  std::optional<ColorChoice> colors;      // default: auto
  std::optional<OutputMode> output_mode;  // default: cli
  bool debug = false;
};

enum class StdStream { kStdout, kStderr };
// A job or task status to choose by; `opened` is one of jobs only.
enum class StatusFilter { kWaiting, kRunning, kFinished, kFailed, kCanceled, kAborted, kOpened };

// --- server -----------------------------------------------------------------------------------------------

struct ServerStartOptions {
  std::optional<std::string> host;
  std::optional<Duration> idle_timeout;
  std::optional<uint16_t> client_port;
  std::optional<uint16_t> worker_port;
  std::optional<std::string> journal;
  std::optional<Duration> journal_flush_period;
  bool takeover = false;
  bool resume = false;
  std::optional<std::string> access_file;
  bool disable_client_encryption = false;
  bool disable_worker_encryption = false;
  std::optional<Duration> scheduler_time_limit;
  std::optional<Duration> worker_resume_window;
  std::optional<SuspectPolicy> suspect;  // default: report
};
struct ServerStopOptions {
  bool keep_workers = false;
};
struct ServerInfoOptions {};
struct ServerWaitOptions {
  std::optional<Duration> timeout;
};
struct GenerateAccessOptions {
  std::string access_file;
  std::optional<std::string> client_file;
  std::optional<std::string> worker_file;
  std::optional<std::string> host;
  std::optional<std::string> client_host;
  std::optional<std::string> worker_host;
  std::optional<uint16_t> client_port;  // always given
  std::optional<uint16_t> worker_port;  // always given
};
struct DebugDumpOptions {
  std::string path;
};

// --- journal ----------------------------------------------------------------------------------------------

enum class ExportFormat { kJson, kSqlite };
struct JournalExportOptions {
  std::string journal;
  std::optional<ExportFormat> format;  // default: json
  std::string output;                  // of sqlite
};
struct JournalCheckOptions {
  std::string journal;
};
struct JournalStreamOptions {};
struct JournalReplayOptions {};
struct JournalPruneOptions {};
struct JournalFlushOptions {};

// --- worker -----------------------------------------------------------------------------------------------

enum class ManagerChoice { kDetect, kNone, kPbs, kSlurm };
enum class ServerLostPolicy { kStop, kFinishRunning };

// What a worker started by hand and one started by an allocation queue have in common.
struct WorkerConfigOptions {
  std::optional<ResourceKind> cpus;
  std::vector<ResourceItem> resources;
  std::optional<std::string> group;
  std::optional<std::string> coupling;
  std::optional<DetectResources> detect_resources;
  bool no_hyper_threading = false;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> overview_interval;
  std::optional<float> min_utilization;
  std::optional<ServerLostPolicy> on_server_lost;
};
struct WorkerStartOptions {
  WorkerConfigOptions config;
  std::optional<Duration> heartbeat;
  std::optional<Duration> time_limit;
  std::optional<ManagerChoice> manager;
  std::optional<std::string> hostname;
  std::optional<std::string> work_dir;
  std::optional<Duration> retract_check_interval;
  bool no_detect_resources = false;  // older spelling: nothing but cpus is detected
  bool hide_unrequested_gpus = false;
  std::optional<int> stream_compression;  // level of zstd; 0 = none
};
struct WorkerStopOptions {
  Selector selector;
};
struct WorkerResumeOptions {
  Selector selector;
};
enum class WorkerFilter { kRunning, kOffline, kSuspect };
struct WorkerListOptions {
  bool all = false;
  std::optional<WorkerFilter> filter;
};
struct HwDetectOptions {
  bool no_hyper_threading = false;
};
struct WorkerInfoOptions {
  Selector selector;
};
struct WorkerAddressOptions {
  uint32_t worker_id = 0;
};
struct WorkerWaitOptions {
  uint32_t count = 0;
};
struct DeployOptions {
  bool show_output = false;
  std::string hostfile;
  std::vector<std::string> worker_args;  // checked as options of `worker start`
};

// --- allocations ------------------------------------------------------------------------------------------

// What was written for the options that go into the worker's command line as they are.
struct WorkerConfigTexts {
  std::optional<std::string> cpus;
  std::vector<std::string> resources;
  std::optional<std::string> detect_resources;
  std::optional<std::string> overview_interval;
  std::optional<std::string> min_utilization;
};
struct AllocQueueOptions {
  ManagerKind manager = ManagerKind::kSlurm;
  std::optional<Duration> time_limit;
  std::optional<uint32_t> backlog;
  std::optional<uint32_t> max_workers_per_alloc;
  std::optional<uint32_t> max_worker_count;
  std::optional<std::string> name;
  WorkerConfigOptions config;
  WorkerConfigTexts texts;
  bool no_dry_run = false;
  std::optional<std::string> worker_start_cmd;
  std::optional<std::string> worker_stop_cmd;
  std::optional<std::string> worker_wrap_cmd;
  std::optional<Duration> worker_time_limit;
  std::vector<std::string> additional_args;
};
struct AllocAddOptions {
  AllocQueueOptions queue;
};
struct AllocDryRunOptions {
  AllocQueueOptions queue;
};
struct AllocListOptions {};
enum class AllocationFilter { kQueued, kRunning, kFinished, kFailed };
struct AllocInfoOptions {
  uint32_t queue = 0;
  std::optional<AllocationFilter> filter;
};
struct AllocLogOptions {
  std::string allocation;
  StdStream channel = StdStream::kStdout;
};
struct AllocPauseOptions {
  uint32_t queue = 0;
};
struct AllocResumeOptions {
  uint32_t queue = 0;
};
struct AllocRemoveOptions {
  uint32_t queue = 0;
  bool force = false;
};

// --- submit -----------------------------------------------------------------------------------------------

// What may also stand in #HQ directives of a script.
struct TaskConfigOptions {
  std::optional<std::string> name;
  std::optional<uint32_t> max_fails;
  std::optional<uint32_t> nodes;
  std::optional<ResourceEntry> cpus;
  std::vector<ResourceEntry> resources;
  std::optional<Duration> time_request;
  std::optional<uint32_t> weight;  // x 10,000
  std::optional<PinMode> pin;
  std::optional<std::string> cwd;
  std::optional<StdioSpec> stdout_spec;
  std::optional<StdioSpec> stderr_spec;
  std::vector<EnvVariable> env;
  std::optional<std::string> each_line;
  std::optional<std::string> from_json;
  std::optional<IdArray> array;
  std::optional<int32_t> priority;
  std::optional<Duration> time_limit;
  std::optional<uint64_t> memory_limit;
  std::optional<std::string> stream;
  bool task_dir = false;
  std::optional<CrashLimit> crash_limit;
};
enum class DirectivesMode { kAuto, kFile, kStdin, kOff };
struct SubmitOptions {
  TaskConfigOptions config;
  std::optional<uint32_t> job;
  bool wait = false;
  bool progress = false;
  std::optional<std::string> on_notify;
  bool use_stdin = false;
  std::optional<DirectivesMode> directives;
  std::optional<std::string>
      log;  // older spelling: one file for the output of all tasks, written by the server
  std::vector<std::string> command;
};

// --- job --------------------------------------------------------------------------------------------------

// One job: its id, or the last one.
struct JobChoice {
  std::optional<uint32_t> id;  // empty = last
};
struct JobListOptions {
  bool all = false;
  std::vector<StatusFilter> filter;
  bool verbose = false;
};
struct JobSummaryOptions {};
struct JobInfoOptions {
  Selector selector;
};
struct JobCancelOptions {
  Selector selector;
  std::optional<std::string> reason;
};
struct JobForgetOptions {
  Selector selector;
  std::vector<StatusFilter> filter;  // empty: all four that end a job
};
struct JobCatOptions {
  Selector selector;
  StdStream stream = StdStream::kStdout;
  std::optional<IdArray> tasks;
  std::vector<StatusFilter> task_status;
  bool print_task_header = false;
  bool follow = false;
};
struct JobWaitOptions {
  Selector selector;
  bool without_close = false;
};
struct JobProgressOptions {
  Selector selector;
};
struct JobTaskIdsOptions {
  Selector selector;
  std::vector<StatusFilter> filter;
};
struct JobResubmitOptions {
  JobChoice job;
  std::vector<StatusFilter> status;
};
struct JobOpenOptions {
  std::optional<std::string> name;
  std::optional<uint32_t> max_fails;
};
struct JobCloseOptions {
  Selector selector;
};

// --- task -------------------------------------------------------------------------------------------------

struct TaskListOptions {
  Selector selector;
  std::optional<IdArray> tasks;
  std::vector<StatusFilter> task_status;
  uint32_t verbosity = 0;
};
struct TaskInfoOptions {
  JobChoice job;
  IdArray tasks;
  uint32_t verbosity = 0;
};
struct TaskTailOptions {
  JobChoice job;
  uint32_t task_id = 0;
  std::optional<StdStream> stream;  // default: stdout
  bool follow = false;
  std::optional<uint32_t> lines;
};
struct TaskNotifyOptions {
  std::string message;
};
struct TaskExplainOptions {
  JobChoice job;
  uint32_t task_id = 0;
};

// --- output of many tasks ---------------------------------------------------------------------------------

// Of `hq output-log PATH ...` and of the older `hq log FILE ...`.
struct OutputLogOptions {
  enum class What { kSummary, kJobs, kShow, kCat, kExport };
  What what = What::kSummary;
  std::string path;
  bool one_file = false;  // hq log
  std::optional<std::string> server_uid;
  std::optional<uint32_t> job;
  std::optional<StdStream> only;           // show: this channel
  StdStream channel = StdStream::kStdout;  // cat
  std::optional<IdArray> tasks;
  bool allow_unfinished = false;
  bool show_empty = false;
};

using CommandOptions =
    std::variant<std::monostate, ServerStartOptions, ServerStopOptions, ServerInfoOptions, ServerWaitOptions,
                 GenerateAccessOptions, DebugDumpOptions, JournalExportOptions, JournalCheckOptions,
                 JournalStreamOptions, JournalReplayOptions, JournalPruneOptions, JournalFlushOptions,
                 WorkerStartOptions, WorkerStopOptions, WorkerResumeOptions, WorkerListOptions,
                 HwDetectOptions, WorkerInfoOptions, WorkerAddressOptions, WorkerWaitOptions, DeployOptions,
                 SubmitOptions, JobListOptions, JobSummaryOptions, JobInfoOptions, JobCancelOptions,
                 JobForgetOptions, JobCatOptions, JobWaitOptions, JobResubmitOptions, JobProgressOptions,
                 JobTaskIdsOptions, JobOpenOptions, JobCloseOptions, TaskListOptions, TaskInfoOptions,
                 TaskExplainOptions, TaskTailOptions, TaskNotifyOptions, OutputLogOptions, AllocAddOptions,
                 AllocDryRunOptions, AllocListOptions, AllocInfoOptions, AllocLogOptions, AllocPauseOptions,
                 AllocResumeOptions, AllocRemoveOptions>;

struct CommandLine {
  GlobalOptions global;
  CommandOptions options;
};

}  // namespace hq::cli
