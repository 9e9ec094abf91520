// Answers about jobs, as a server would give them, and the means to print them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/commands/answers.h"
#include "cli/output/formatter.h"
#include "hq/core/text/id_array_text.h"

namespace hq::cli {

// 2026-01-01 10:00:00.123456789 UTC
inline constexpr WallTime kTen{1'767'261'600'123'456'789};

// What a command prints in one mode.
struct PrintedText {
  std::string text;
  Output output;
  explicit PrintedText(OutputMode mode)
      : output(
            mode, Style(), [this](std::string_view bytes) { return text += bytes, 0; },
            [](std::string_view) { return 0; }) {}
};

// These messages, then End.
inline Answers answers_of(std::vector<msg::ClientReply> replies) {
  return Answers([left = std::move(replies), at = size_t{0}]() mutable -> Result<msg::ClientReply> {
    if (at == left.size()) return msg::ClientReply(msg::End{});
    return left[at++];
  });
}

inline Result<std::string> no_uid_wanted() {
  return Error("nobody should ask for the uid");
}

inline msg::JobSummary summary(uint32_t id, std::string name, TaskState state, uint64_t tasks) {
  msg::JobSummary job;
  job.id = JobId(id);
  job.name = std::move(name);
  job.task_count = tasks;
  job.counts[size_t(state)] = tasks;
  return job;
}

// A job of one array with default options and output files in /home/u/w.
inline msg::JobDetail array_job(msg::JobSummary info, const std::string& ids, std::vector<std::string> args) {
  msg::JobDetail job;
  SubmitDescription submit;
  submit.submit_dir = "/home/u/w";
  submit.ids = *parse_id_array(ids);
  ProgramDescription& program = submit.task.program;
  program.args = std::move(args);
  program.cwd = "/home/u/w";
  program.stdout_spec.path = "/home/u/w/job-" + info.id.text() + "/%{TASK_ID}.stdout";
  program.stderr_spec.path = "/home/u/w/job-" + info.id.text() + "/%{TASK_ID}.stderr";
  job.info = std::move(info);
  job.submitted = kTen;
  job.submits = {std::move(submit)};
  job.workers = {{WorkerId(1), "n1"}};
  return job;
}

inline msg::TaskRow waiting(uint32_t first, uint32_t last) {
  msg::TaskRow row;
  row.ids = {first, last, 1};
  return row;
}

// A task that started at ten, on worker 1.
inline msg::TaskRow started(uint32_t id, TaskState state, Duration ran = {}) {
  msg::TaskRow row;
  row.ids = {id, id, 1};
  row.state = state;
  row.started = true;
  row.start = kTen;
  row.workers = {WorkerId(1)};
  if (is_final(state)) row.end = kTen + ran;
  return row;
}

inline msg::TaskRow failed(uint32_t id, Duration ran, int exit_code) {
  msg::TaskRow row = started(id, TaskState::kFailed, ran);
  row.failure = Failure{FailureKind::kExit, exit_code, ""};
  return row;
}

}  // namespace hq::cli
