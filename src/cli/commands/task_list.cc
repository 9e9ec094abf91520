// hq task list.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_json.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"
#include "hq/base/log.h"
#include "hq/core/text/display_text.h"
#include "hq/core/text/failure_text.h"

namespace hq::cli {
namespace {

constexpr size_t kListedError = 16;  // bytes

Result<void> log_unknown_job(JobId job) {
  log::warn(fmt::format("Job {} not found", job.value));
  return {};
}

// Rows of all jobs; the column of job ids is decided when the number of jobs is known.
class TaskTable {
 public:
  TaskTable(bool full_errors, WallTime now) : full_errors_(full_errors), now_(now) {}

  void begin_job(const msg::JobDetail& job) {
    ++jobs_;
    job_ = job.info.id;
    names_ = host_names(job);
  }

  void add(const msg::TaskRow& row) {
    const std::string status(task_status_text(row.state));
    for_each_id(row, [&](TaskId id) {
      rows_.push_back({Cell::right(job_.text()), Cell::right(id.text()),
                       Cell(status, task_state_color(status)), Cell(workers_cell(row, names_)),
                       Cell(makespan_cell(row, now_)), Cell(error_of(row), Color::kRed)});
    });
  }

  void print(Output& output) {
    const bool with_jobs = jobs_ != 1;
    std::vector<std::string> header{"Task ID", "State", "Worker", "Makespan", "Error"};
    if (with_jobs) header.insert(header.begin(), "Job ID");
    Table table = Table::horizontal(header);
    for (Table::Row& row : rows_) {
      if (!with_jobs) row.erase(row.begin());
      table.add_row(std::move(row));
    }
    output.print_table(table);
    if (cut_) log::info("An error message was truncated. Use -v to display the full error.");
  }

 private:
  std::string error_of(const msg::TaskRow& row) {
    if (row.state != TaskState::kFailed || !row.failure) return "";
    std::string text = failure_text(*row.failure);
    if (full_errors_ || text.size() < kListedError) return text;
    cut_ = true;
    return std::string(cut_at_character(text, kListedError)) + "...";
  }

  const bool full_errors_;
  const WallTime now_;
  std::vector<Table::Row> rows_;
  uint64_t jobs_ = 0;
  JobId job_;
  HostNames names_;
  bool cut_ = false;
};

Result<void> print_as_table(Answers& answers, const TaskListOptions& options, WallTime now, Output& output) {
  const StateFilter wanted = state_filter(options.task_status);
  TaskTable table(options.verbosity > 0, now);
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) {
    table.begin_job(job);
    return rows([&](const msg::TaskRow& row) {
      if (wanted.accepts(row.state)) table.add(row);
    });
  };
  if (auto walked = for_each_job(answers, {on_job, log_unknown_job}); !walked) return walked;
  table.print(output);
  return {};
}

Result<void> print_as_json(Answers& answers, const TaskListOptions& options, const AskServerUid& ask_uid,
                           Output& output) {
  if (auto first = answers.peek(); !first) return first.error();
  const StateFilter wanted = state_filter(options.task_status);
  Result<void> result;
  ServerUid server_uid(ask_uid);
  output.print_json([&](JsonWriter& json) {
    json.begin_object();
    auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
      auto uid = server_uid.for_job(job);
      if (!uid) return uid.error();
      json.key(job.info.id.text());
      json.begin_array();
      TaskJson tasks(json, job, *uid);
      auto walked = rows([&](const msg::TaskRow& row) {
        if (wanted.accepts(row.state)) tasks.write(row);
      });
      json.end_array();
      return walked;
    };
    result = for_each_job(answers, {on_job, log_unknown_job});
    json.end_object();
  });
  return result;
}

bool is_single(const Selector& selector) {
  return selector.kind == Selector::Kind::kLast ||
         (selector.kind == Selector::Kind::kIds && selector.ids.count() == 1);
}

// The selected jobs that exist, in the order that JSON has keys in ("10" before "9").
Result<msg::Selection> in_order_of_keys(Client& client, const Selector& selector) {
  Answers answers = Answers::to(
      client, msg::GetJobs{sorted_selection_of(selector), msg::GetJobs::Tasks::kNone, {}, {}, false});
  std::vector<JobId> jobs;
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows&) -> Result<void> {
    jobs.push_back(job.info.id);
    return {};
  };
  if (auto walked = for_each_job(answers, {on_job, log_unknown_job}); !walked) return walked.error();
  std::sort(jobs.begin(), jobs.end(), [](JobId a, JobId b) { return a.text() < b.text(); });
  msg::Selection out;
  for (JobId job : jobs) out.ids.parts.push_back({{job.value, job.value, 1}, job.value});
  return out;
}

}  // namespace

Result<void> print_task_list(Answers& answers, const TaskListOptions& options, WallTime now,
                             const AskServerUid& ask_uid, Output& output) {
  if (output.json()) return print_as_json(answers, options, ask_uid, output);
  if (output.cli()) return print_as_table(answers, options, now, output);
  auto skip = [](const msg::JobDetail&, const JobHandler::Rows&) -> Result<void> { return {}; };
  return for_each_job(answers, {skip, log_unknown_job});
}

int run_task_list(const TaskListOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  const StateFilter wanted = state_filter(options.task_status);
  msg::GetJobs request;
  request.jobs = sorted_selection_of(options.selector);
  if (output.json() && !is_single(options.selector)) {
    auto ordered = in_order_of_keys(*client, options.selector);
    if (!ordered) return output.print_error(ordered.error());
    request.jobs = std::move(*ordered);
  }
  const bool rows = !output.quiet() && !wanted.none;
  request.tasks = rows ? msg::GetJobs::Tasks::kAll : msg::GetJobs::Tasks::kNone;
  request.ids = options.tasks;
  request.states = wanted.states;
  Answers answers = Answers::to(*client, request);
  auto printed = print_task_list(
      answers, options, context.clock->now().wall, [&] { return ask_server_uid(*client); }, output);
  if (!printed) return output.print_error(printed.error());
  return output.finish();
}

}  // namespace hq::cli
