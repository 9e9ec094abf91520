// Port to the processes of tasks. Behind it is the launcher: a small process of its own that makes
// directories, opens outputs, spawns, waits, kills (docs/architecture.md, The launcher), so that the worker
// never touches a path and never forks. Starts are requests; everything that becomes of them comes back as an
// event.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/strong_id.h"
#include "hq/base/unique_fd.h"

namespace hq {

// Names one start request; given by the caller, never reused.
using LaunchId = Id<struct LaunchTag, uint64_t>;
// Names what many launches share (argv, environment, stdin, ...), see LaunchTemplate.
using TemplateId = Id<struct TemplateTag>;

// What all tasks of one definition have in common. Sent to the launcher once.
struct LaunchTemplate {
  std::vector<std::string> args;
  // Added to (and overriding) the environment the worker was started with.
  std::vector<std::pair<std::string, std::string>> env;
  std::string stdin_data;     // empty = null device
  uint64_t memory_limit = 0;  // bytes, of all processes of a task together; 0 = none
};

enum class LaunchStage : uint8_t {
  kStdoutDirectory,   // before the launch: the task fails without having started
  kStderrDirectory,   //   "
  kWorkingDirectory,  //   "
  kTaskDirectory,     //   "
  kOpenStdout,        // the launch has begun: counts as started
  kOpenStderr,        //   "
  kStdin,             //   "
  kSpawn,             //   " (fork or exec; errno of exec)
  kSpawnNotSearched,  //   " (as kSpawn; a file of that name is in the working directory, which is not
                      //   searched)
  kNoArguments,       //   "
  kLauncher,          // the launcher itself could not do it
};

struct OutputTarget {
  enum class Kind : uint8_t {
    kNull,
    kFile,
    kPipe,  // we get the reading end with kStarted
  };
  Kind kind = Kind::kNull;
  std::string path;  // kFile: absolute, or relative to cwd
};

struct LaunchRequest {
  LaunchId id;
  TemplateId base;
  std::vector<std::pair<std::string, std::string>> env;  // on top of the template's (HQ_TASK_ID, ...)
  std::string cwd;                                       // created if missing
  OutputTarget out;
  OutputTarget err;
  bool unlink_outputs_first =
      false;                   // instances above 0: a still living earlier one must not write into ours
  std::string task_dir;        // created fresh (0700) when not empty; removed after the end
  std::string host_file_text;  // of multi-node tasks: go to files in the task directory when not empty
  std::string node_file_text;  //   "
  std::vector<int> cpus;       // affinity set in the child; empty = as the worker was started with
  // Starts when `after` has ended (however), in its place; at once when zero or not known any more. A dropped
  // request leaves its place to its successor: behind the one it waited for, if that still runs.
  LaunchId after{0};
};

// The ends to read from, of the channels that were asked for as pipes.
struct TaskPipes {
  UniqueFd out;
  UniqueFd err;
};

struct ProcessUsage {  // from wait4
  Duration user{0};
  Duration system{0};
  uint64_t max_rss_bytes = 0;  // of the largest process
};

struct ProcessEvent {
  enum class Kind : uint8_t {
    kStarted,
    kExited,   // of a process that had started
    kFailed,   // could not be started: stage, errnum
    kDropped,  // answer to drop(): it had not started and never will
    kLauncherGone,
  };
  Kind kind = Kind::kStarted;
  LaunchId id;
  int32_t pid = 0;                   // kStarted
  std::shared_ptr<TaskPipes> pipes;  // kStarted: null when no channel is a pipe
  Duration ran{0};                   // kExited: from exec to end, by the launcher's clock
  Duration waited{0};                // kStarted, kFailed: from taking up the request to exec (or failure)
  Duration ago{0};                   // how long it had happened when it was received
  int32_t exit_code = 0;             // kExited: 0..255; -1 when a signal ended it
  int32_t signal = 0;                // kExited: the signal, or 0
  ProcessUsage usage;                // kExited
  uint64_t memory_exceeded = 0;      // kExited: ended since it used this many bytes, more than its limit
  std::string error_file;  // kExited, task directory on, not successful: first 2,048 bytes of hq-error
  bool error_file_present = false;
  bool error_file_truncated = false;
  LaunchStage stage = LaunchStage::kSpawn;  // kFailed
  int32_t errnum = 0;                       // kFailed
};

class ProcessPort {
 public:
  virtual ~ProcessPort() = default;
  virtual void define(TemplateId id, const LaunchTemplate& base) = 0;
  virtual void forget(TemplateId id) = 0;
  virtual void start(const LaunchRequest& request) = 0;
  // Takes back a request that has not started: answered by kDropped, or by kStarted that was already on its
  // way.
  virtual void drop(LaunchId id) = 0;
  // Stops a task with all its descendants, those in sessions of their own too: SIGINT to the group, SIGTERM
  // at half the grace, SIGKILL to what is left at its end; the end comes as kExited. A request not yet
  // started is dropped.
  virtual void stop(LaunchId id, Duration grace) = 0;
  // Deletes a file, later and in order; failures come back only as a log text.
  virtual void remove_file(const std::string& path) = 0;
  // Sends what was asked for since the last flush; never waits.
  virtual void flush() = 0;
  // Next event, without waiting.
  virtual std::optional<ProcessEvent> next_event() = 0;
  // Texts worth a log line (a file that could not be deleted, ...).
  virtual std::vector<std::string> take_log() = 0;
};

}  // namespace hq
