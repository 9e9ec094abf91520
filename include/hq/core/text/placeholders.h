// Placeholders in paths, "%{NAME}", and how the paths of a task come about.
//
//                   stdout, stderr   cwd     stream   value
//   JOB_ID               x            x        x      job id
//   SUBMIT_DIR           x            x        x      absolute directory of the submitting client
//   SERVER_UID           x            x        x      uid of the server
//   TASK_ID              x            x               task id
//   INSTANCE_ID          x            x               attempt, 0 first
//   CWD                  x         refused            the task's working directory
//
// Unknown names stay as they are. Replacement is one pass: what is filled in is not looked at again.
//
// Two phases. At submit (job phase) everything but TASK_ID and INSTANCE_ID is filled, CWD only once it is
// complete; a path without placeholders left is made absolute then: cwd against the submit directory, stdout
// and stderr against the cwd. When a task runs (task phase) the rest is filled and every path is absolute.
// Graphs skip the job phase: the task phase fills everything.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/ids.h"
#include "hq/core/task.h"

namespace hq {

inline constexpr std::string_view kDefaultStdout = "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout";
inline constexpr std::string_view kDefaultStderr = "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stderr";
inline constexpr std::string_view kDefaultCwd = "%{SUBMIT_DIR}";

// Names (without "%{" and "}") and values.
using PlaceholderValues = std::map<std::string_view, std::string>;

[[nodiscard]] std::string fill_placeholders(std::string_view text, const PlaceholderValues& values);
// The names in `text`, in order of appearance.
[[nodiscard]] std::vector<std::string> placeholders_in(std::string_view text);
[[nodiscard]] bool has_placeholder(std::string_view text, std::string_view name);

// Which option a path comes from; decides what is known there.
enum class PathContext : uint8_t { kStdout, kStderr, kCwd, kStream };
// "Found unknown placeholders `BAR, BAZ` in stdout path"; nothing if all are known.
[[nodiscard]] std::optional<std::string> unknown_placeholder_warning(std::string_view path,
                                                                     PathContext context);
// Refuses CWD in the path of a working directory.
[[nodiscard]] Result<void> check_cwd_template(std::string_view path);

// `path` if absolute, else below `directory`.
[[nodiscard]] std::string join_path(std::string_view directory, std::string_view path);

struct JobPathValues {
  JobId job;
  std::string_view server_uid;
  std::string_view submit_dir;
};

// The job phase of one program, of the stream path, and of a whole array submit (graphs: only the stream
// path).
[[nodiscard]] ProgramDescription resolve_job_paths(ProgramDescription program, const JobPathValues& values);
[[nodiscard]] std::string resolve_stream_path(std::string_view path, const JobPathValues& values);
[[nodiscard]] SubmitDescription resolve_job_paths(SubmitDescription submit, JobId job,
                                                  std::string_view server_uid);
// The paths that named the job, as they were written.
void restore_job_paths(SubmitDescription& submit);

// The task phase. Empty where the channel is not a file.
struct TaskPaths {
  std::string cwd;
  std::string stdout_path;
  std::string stderr_path;
  friend bool operator==(const TaskPaths&, const TaskPaths&) = default;
};
[[nodiscard]] TaskPaths resolve_task_paths(const ProgramDescription& program, const JobPathValues& values,
                                           TaskId task, InstanceId instance);

}  // namespace hq
