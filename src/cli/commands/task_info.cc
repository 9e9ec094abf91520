// hq task info.
#include <fmt/format.h>

#include <optional>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_json.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"
#include "hq/base/log.h"
#include "hq/core/text/display_text.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/failure_text.h"
#include "hq/core/text/option_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/core/text/size_text.h"

namespace hq::cli {
namespace {

constexpr size_t kShortError = 237;  // bytes

std::string cpu_time_text(float seconds) {
  return short_duration_text(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

// Tables of the tasks of one job.
class TaskTables {
 public:
  TaskTables(const msg::JobDetail& job, const std::string& server_uid, bool full_errors, WallTime now,
             Output& output)
      : job_(job),
        descriptions_(job),
        names_(host_names(job)),
        server_uid_(server_uid),
        full_errors_(full_errors),
        now_(now),
        output_(output) {}

  void print(const msg::TaskRow& row) {
    for_each_id(row, [&](TaskId id) {
      if (const TaskDescription* task = descriptions_.find(row, id))
        output_.print_table(table(row, id, *task));
    });
  }
  [[nodiscard]] bool cut() const { return cut_; }

 private:
  Table table(const msg::TaskRow& row, TaskId id, const TaskDescription& task) {
    const std::string status(task_status_text(row.state));
    Table table = Table::vertical();
    table.add_row("Task ID", id.text());
    table.add_row("State", Cell(status, task_state_color(status)));
    table.add_row("Command", command_cell(task.program));
    table.add_row("Environment", environment_cell(task.program));
    table.add_row("Worker", workers_cell(row, names_));
    table.add_row("Start", row.started ? local_text(row.start) : "");
    table.add_row("End", row.end ? local_text(*row.end) : "");
    table.add_row("Makespan", makespan_cell(row, now_));
    add_paths(table, row, id, task.program);
    table.add_row("Time limit", time_limit_text(task.time_limit));
    if (task.memory_limit) table.add_row("Memory limit", memory_size_text(*task.memory_limit));
    table.add_row("Resources", resources_cell(task.request));
    table.add_row("Priority", std::to_string(task.priority));
    table.add_row("Pin", std::string(pin_text(task.pin)));
    table.add_row("Task dir", task.task_dir ? "yes" : "no");
    table.add_row("Crash limit", crash_limit_text(task.crash_limit));
    std::vector<std::string> dependencies;
    for (TaskId dependency : descriptions_.dependencies(id)) dependencies.push_back(dependency.text());
    table.add_row("Dependencies", fmt::format("{}", fmt::join(dependencies, ",")));
    table.add_row("Error", Cell(error_of(row), Color::kRed));
    if (row.usage) {
      table.add_row("User time", cpu_time_text(row.usage->user_s));
      table.add_row("System time", cpu_time_text(row.usage->system_s));
      table.add_row("Peak memory", memory_size_text(uint64_t{row.usage->peak_kib} * 1024));
    }
    return table;
  }

  void add_paths(Table& table, const msg::TaskRow& row, TaskId id, const ProgramDescription& program) {
    if (!shows_paths(row)) {
      for (const char* key : {"Workdir", "Stdout", "Stderr"}) table.add_row(key, "");
      return;
    }
    const JobPathValues values{job_.info.id, server_uid_, job_.submits[row.submit].submit_dir};
    const TaskPaths paths = resolve_task_paths(program, values, id, row.instance);
    table.add_row("Workdir", paths.cwd);
    table.add_row("Stdout", channel_cell(program.stdout_spec, paths.stdout_path));
    table.add_row("Stderr", channel_cell(program.stderr_spec, paths.stderr_path));
  }

  std::string error_of(const msg::TaskRow& row) {
    if (row.state != TaskState::kFailed || !row.failure) return "";
    std::string text = failure_text(*row.failure);
    if (full_errors_ || text.size() < kShortError) return text;
    cut_ = true;
    return std::string(cut_at_character(text, kShortError)) + "...";
  }

  const msg::JobDetail& job_;
  const Descriptions descriptions_;
  const HostNames names_;
  const std::string& server_uid_;
  const bool full_errors_;
  const WallTime now_;
  Output& output_;
  bool cut_ = false;
};

// Which of the tasks asked for have not come yet.
class Wanted {
 public:
  explicit Wanted(const IdArray& ids) { missing_.add(ids); }
  void found(const msg::TaskRow& row) {
    for_each_id(row, [&](TaskId id) { missing_.remove(id.value); });
  }
  void log_missing() {
    while (!missing_.empty()) {
      for (const IdRange& range : missing_.take_lowest(1)) {
        log::warn(fmt::format("Task {} not found", range.first));
      }
    }
  }

 private:
  IdSet missing_;
};

Result<void> log_missing_job(JobId job) {
  log::error(fmt::format("Cannot find job {}", job.value));
  return {};
}

Result<void> print_one(const msg::JobDetail& job, const JobHandler::Rows& rows,
                       const TaskInfoOptions& options, WallTime now, const std::string& server_uid,
                       Output& output) {
  Wanted wanted(options.tasks);
  TaskTables tables(job, server_uid, options.verbosity > 0, now, output);
  Result<void> walked;
  if (output.json()) {
    output.print_json([&](JsonWriter& json) {
      TaskJson tasks(json, job, server_uid);
      json.begin_array();
      walked = rows([&](const msg::TaskRow& row) {
        wanted.found(row);
        tasks.write(row);
      });
      json.end_array();
    });
  } else {
    walked = rows([&](const msg::TaskRow& row) {
      wanted.found(row);
      if (output.cli()) tables.print(row);
    });
  }
  if (!walked) return walked;
  if (tables.cut()) log::info("An error message was truncated. Use -v to display the full error.");
  wanted.log_missing();
  return {};
}

}  // namespace

Result<void> print_task_info(Answers& answers, const TaskInfoOptions& options, WallTime now,
                             const AskServerUid& ask_uid, Output& output) {
  bool any_job = false;
  ServerUid server_uid(ask_uid);
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
    any_job = true;
    auto uid = server_uid.for_job(job);
    return uid ? print_one(job, rows, options, now, *uid, output) : uid.error();
  };
  auto on_missing = [&](JobId job) {
    any_job = true;
    return log_missing_job(job);
  };
  if (auto walked = for_each_job(answers, {on_job, on_missing}); !walked) return walked;
  return any_job ? Result<void>() : Error("There is no job yet: `last` names none");
}

int run_task_info(const TaskInfoOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  msg::GetJobs request;
  request.jobs = selection_of(options.job);
  request.tasks = msg::GetJobs::Tasks::kAll;
  request.ids = options.tasks;
  Answers answers = Answers::to(*client, request);
  auto printed = print_task_info(
      answers, options, context.clock->now().wall, [&] { return ask_server_uid(*client); }, output);
  if (!printed) return output.print_error(printed.error());
  return output.finish();
}

}  // namespace hq::cli
