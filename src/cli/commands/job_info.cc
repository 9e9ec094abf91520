// hq job info.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_json.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"
#include "cli/output/progress_bar.h"
#include "hq/base/log.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/failure_text.h"
#include "hq/core/text/option_text.h"
#include "hq/core/text/size_text.h"

namespace hq::cli {
namespace {

constexpr size_t kShownWorkers = 2;

// Ids of several submits together, as runs.
IdArray all_ids(const std::vector<SubmitDescription>& submits) {
  std::vector<uint32_t> ids;
  for (const SubmitDescription& submit : submits) {
    const std::vector<uint32_t> more = submit.ids.expand();
    ids.insert(ids.end(), more.begin(), more.end());
    for (const GraphTask& task : submit.graph) ids.push_back(task.id.value);
  }
  std::sort(ids.begin(), ids.end());
  return runs_of(ids);
}

std::string tasks_cell(const msg::JobDetail& job) {
  if (job.info.task_count == 0) return "0";
  const bool as_written = job.submits.size() == 1 && !job.submits[0].is_graph();
  return fmt::format("{}; Ids: {}", job.info.task_count,
                     as_written ? job.submits[0].ids.text() : all_ids(job.submits).text());
}

std::string job_workers_cell(const msg::JobDetail& job) {
  std::string out;
  for (size_t i = 0; i < std::min(job.workers.size(), kShownWorkers); ++i) {
    out += (i > 0 ? "," : "") + job.workers[i].second;
  }
  if (job.workers.size() > kShownWorkers) out += fmt::format(", … ({} total)", job.workers.size());
  return out;
}

Cell state_cell(const msg::JobSummary& job, const Style& style) {
  if (job.task_count != 1) return progress_cell(counts_of(job.counts), style);
  const std::string status(job_status_text(status_of(job)));
  return {status, task_state_color(status)};
}

void add_description(Table& table, const TaskDescription& task) {
  const ProgramDescription& program = task.program;
  table.add_row("Resources", resources_cell(task.request));
  table.add_row("Pin", std::string(pin_text(task.pin)));
  table.add_row("Priority", std::to_string(task.priority));
  table.add_row("Command", command_cell(program));
  table.add_row("Stdout", channel_cell(program.stdout_spec, program.stdout_spec.path));
  table.add_row("Stderr", channel_cell(program.stderr_spec, program.stderr_spec.path));
  table.add_row("Environment", environment_cell(program));
  table.add_row("Working directory", program.cwd);
  table.add_row("Task time limit", time_limit_text(task.time_limit));
  if (task.memory_limit) table.add_row("Task memory limit", memory_size_text(*task.memory_limit));
  table.add_row("Crash limit", crash_limit_text(task.crash_limit));
}

Table job_table(const msg::JobDetail& job, WallTime now, const Style& style) {
  Table table = Table::vertical();
  table.add_row("ID", job.info.id.text());
  table.add_row("Name", job.info.name);
  table.add_row("State", state_cell(job.info, style));
  table.add_row("Cancel Reason", job.info.cancel_reason.value_or(""));
  table.add_row("Session", job.info.is_open ? "open" : "closed");
  table.add_row("Tasks", tasks_cell(job));
  table.add_row("Workers", job_workers_cell(job));
  const bool one_submit = job.submits.size() == 1;
  if (one_submit && !job.submits[0].is_graph()) add_description(table, job.submits[0].task);
  table.add_row("Submission date", utc_text(job.submitted));
  if (one_submit) table.add_row("Submission directory", job.submits[0].submit_dir);
  table.add_row("Makespan", short_duration_text(job.finished.value_or(now) - job.submitted));
  return table;
}

void print_failed(const msg::JobDetail& job, const std::vector<msg::TaskRow>& failed, Output& output) {
  if (job.failed_total == 0) return;
  const HostNames names = host_names(job);
  Table table = Table::horizontal({"Task ID", "Worker", "Error"});
  for (const msg::TaskRow& row : failed) {
    table.add_row({Cell(std::to_string(row.ids.first)), Cell(workers_cell(row, names)),
                   Cell(row.failure ? failure_text(*row.failure) : "", Color::kRed)});
  }
  output.print_table(table);
  const bool cut = failed.size() < job.failed_total;
  output.print_line(fmt::format("{} tasks failed.{}", job.failed_total,
                                cut ? fmt::format(" ({} shown)", failed.size()) : ""));
}

constexpr size_t kShownGroups = 10;

std::string_view kind_name(FailureKind kind) {
  switch (kind) {
    case FailureKind::kExit:
      return "exit";
    case FailureKind::kErrorFile:
      return "error-file";
    case FailureKind::kTimeLimit:
      return "time-limit";
    case FailureKind::kLaunch:
      return "launch";
    case FailureKind::kBeforeLaunch:
      return "before-launch";
    case FailureKind::kCrashLimit:
      return "crash-limit";
    case FailureKind::kNeverRestart:
      return "never-restart";
    case FailureKind::kMemoryLimit:
      break;
  }
  return "memory-limit";
}

std::string exit_code_cell(const msg::FailureGroup& group) {
  const bool exited = group.kind == FailureKind::kExit || group.kind == FailureKind::kErrorFile;
  return exited && group.code >= 0 ? std::to_string(group.code) : "";
}

// What failed tasks have in common, where they are too many to be listed.
void print_failure_groups(const msg::JobDetail& job, size_t listed, Output& output) {
  const auto& groups = job.failure_groups;
  if (job.failed_total <= listed || groups.empty() || groups.front().tasks == 1) return;
  Table table = Table::horizontal({"Failed", "Worker", "Exit code", "Cause", "First task"});
  uint64_t shown = 0;
  for (size_t i = 0; i < std::min(groups.size(), kShownGroups); ++i) {
    const msg::FailureGroup& group = groups[i];
    table.add_row(
        {Cell(std::to_string(group.tasks)),
         Cell(fmt::format("{} ({}){}", group.worker.value, group.hostname, group.suspect ? ", suspect" : "")),
         Cell(exit_code_cell(group)), Cell(group.cause, Color::kRed), Cell(group.first.text())});
    shown += group.tasks;
  }
  output.print_table(table);
  if (shown < job.failed_total)
    output.print_line(fmt::format("{} tasks failed otherwise.", job.failed_total - shown));
}

void write_failures(JsonWriter& json, const std::vector<msg::FailureGroup>& groups) {
  json.begin_array();
  for (const msg::FailureGroup& group : groups) {
    json.begin_object();
    json.member("cause", group.cause);
    json.member("count", group.tasks);
    json.key("exit_code");
    const std::string code = exit_code_cell(group);
    code.empty() ? json.null() : json.value(group.code);
    json.member("first_task", group.first.value);
    json.member("hostname", group.hostname);
    json.member("kind", kind_name(group.kind));
    json.member("suspect", group.suspect);
    json.member("worker", group.worker.value);
    json.end_object();
  }
  json.end_array();
}

Result<void> write_job(JsonWriter& json, const msg::JobDetail& job, const JobHandler::Rows& rows,
                       const std::string& server_uid) {
  json.begin_object();
  json.key("finished_at");
  job.finished ? json.value(rfc3339_text(*job.finished)) : json.null();
  json.key("info");
  write_job_summary(json, job.info);
  json.member("max_fails", job.max_fails);
  json.member("started_at", rfc3339_text(job.submitted));
  json.key("submits");
  json.begin_array();
  for (const SubmitDescription& submit : job.submits) write_submit(json, submit);
  json.end_array();
  if (!job.failure_groups.empty()) {
    json.key("task_failures");
    write_failures(json, job.failure_groups);
  }
  json.key("tasks");
  json.begin_array();
  TaskJson tasks(json, job, server_uid);
  Result<void> walked = rows([&](const msg::TaskRow& row) { tasks.write(row); });
  json.end_array();
  json.end_object();
  return walked;
}

Result<void> log_missing(JobId job) {
  log::error(fmt::format("Job {} not found", job.value));
  return {};
}

Result<void> print_as_json(Answers& answers, const AskServerUid& ask_uid, Output& output) {
  if (auto first = answers.peek(); !first) return first.error();
  Result<void> result;
  ServerUid server_uid(ask_uid);
  output.print_json([&](JsonWriter& json) {
    json.begin_array();
    auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
      auto uid = server_uid.for_job(job);
      return uid ? write_job(json, job, rows, *uid) : uid.error();
    };
    result = for_each_job(answers, {on_job, log_missing});
    json.end_array();
  });
  return result;
}

}  // namespace

Result<void> print_job_info(Answers& answers, WallTime now, const AskServerUid& ask_uid, Output& output) {
  if (output.json()) return print_as_json(answers, ask_uid, output);
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
    std::vector<msg::TaskRow> failed;
    auto walked = rows([&](const msg::TaskRow& row) { failed.push_back(row); });
    if (!walked) return walked;
    output.print_table(job_table(job, now, output.style()));
    print_failed(job, failed, output);
    print_failure_groups(job, failed.size(), output);
    return {};
  };
  return for_each_job(answers, {on_job, log_missing});
}

int run_job_info(const JobInfoOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  msg::GetJobs request;
  request.jobs = selection_of(options.selector);
  request.tasks = output.json()    ? msg::GetJobs::Tasks::kAll
                  : output.quiet() ? msg::GetJobs::Tasks::kNone
                                   : msg::GetJobs::Tasks::kFirstFailed;
  Answers answers = Answers::to(*client, request);
  auto printed = print_job_info(
      answers, context.clock->now().wall, [&] { return ask_server_uid(*client); }, output);
  if (!printed) return output.print_error(printed.error());
  return output.finish();
}

}  // namespace hq::cli
