// hq job cat: the output of tasks, read from their files on this machine.
#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/live_output.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"
#include "hq/base/log.h"
#include "hq/core/text/failure_text.h"
#include "hq/core/text/placeholders.h"

namespace hq::cli {
namespace {

// Prints the files of one job's tasks.
class JobOutput {
 public:
  JobOutput(const msg::JobDetail& job, const JobCatOptions& options, const std::string& server_uid,
            LocalFiles& files, const ReadThroughServer& through_server, Output& output)
      : job_(job),
        descriptions_(job),
        options_(options),
        server_uid_(server_uid),
        files_(files),
        through_server_(through_server),
        output_(output) {}

  [[nodiscard]] const Result<void>& outcome() const { return outcome_; }

  void print(const msg::TaskRow& row) {
    for_each_id(row, [&](TaskId id) {
      if (options_.print_task_header) {
        output_.print_raw(fmt::format("# Job {}, task {}\n", job_.info.id.value, id.value));
      }
      if (const auto path = path_of(row, id)) {
        print_file(*path, id);
      } else {
        log::warn(fmt::format("Task {} has no `{}` stream associated with it", id.value,
                              options_.stream == StdStream::kStdout ? "stdout" : "stderr"));
      }
    });
  }

 private:
  std::optional<std::string> path_of(const msg::TaskRow& row, TaskId id) const {
    const TaskDescription* task = shows_paths(row) ? descriptions_.find(row, id) : nullptr;
    if (task == nullptr) return std::nullopt;
    const bool out = options_.stream == StdStream::kStdout;
    const StdioSpec& spec = out ? task->program.stdout_spec : task->program.stderr_spec;
    if (spec.kind != StdioSpec::Kind::kFile) return std::nullopt;
    const JobPathValues values{job_.info.id, server_uid_, job_.submits[row.submit].submit_dir};
    TaskPaths paths = resolve_task_paths(task->program, values, id, row.instance);
    return out ? std::move(paths.stdout_path) : std::move(paths.stderr_path);
  }

  // The file may be on the disk of a worker.
  void print_file(const std::string& path, TaskId id) {
    const int errnum = files_.read_in_pieces(path, [&](std::string_view bytes) { output_.print_raw(bytes); });
    if (errnum == ENOENT) {
      auto printed = through_server_(job_.info.id, id);
      if (!printed && outcome_) outcome_ = printed.error();
      if (!printed || *printed) return;
    }
    if (errnum != 0) {
      log::warn(fmt::format("File at `{}` cannot be opened: {}", path, os_debug_text(errnum)));
    }
  }

  const msg::JobDetail& job_;
  const Descriptions descriptions_;
  const JobCatOptions& options_;
  const std::string& server_uid_;
  LocalFiles& files_;
  const ReadThroughServer& through_server_;
  Output& output_;
  Result<void> outcome_;
};

// The tasks that were named and that the job does not have.
void log_missing_tasks(JobId job, const IdArray& named, const IdSet& found) {
  for (const IdArray::Part& part : named.parts) {
    for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step) {
      if (!found.contains(uint32_t(id))) log::warn(fmt::format("Task {} of job {} not found", id, job.value));
    }
  }
}

Result<void> print_one(const msg::JobDetail& job, const JobHandler::Rows& rows, const JobCatOptions& options,
                       const std::string& server_uid, LocalFiles& files,
                       const ReadThroughServer& through_server, Output& output) {
  const StateFilter wanted = state_filter(options.task_status);
  JobOutput job_output(job, options, server_uid, files, through_server, output);
  IdSet found;  // only where tasks were named
  bool any = false;
  auto walked = rows([&](const msg::TaskRow& row) {
    if (options.tasks) found.add(row.ids);
    if (!wanted.accepts(row.state)) return;
    any = true;
    if (!output.json()) job_output.print(row);
  });
  if (!walked) return walked;
  if (!job_output.outcome()) return job_output.outcome();
  if (options.tasks) log_missing_tasks(job.info.id, *options.tasks, found);
  if (!any) {
    log::warn(fmt::format("No tasks were selected for job {}, there is nothing to print", job.info.id.value));
  } else if (output.json()) {
    return Error("JSON output mode doesn't support job output");
  }
  return {};
}

}  // namespace

Result<void> print_job_output(Answers& answers, const JobCatOptions& options, const AskServerUid& ask_uid,
                              LocalFiles& files, const ReadThroughServer& through_server, Output& output) {
  bool any_job = false;
  ServerUid server_uid(ask_uid);
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
    any_job = true;
    auto uid = server_uid.for_job(job);
    return uid ? print_one(job, rows, options, *uid, files, through_server, output) : uid.error();
  };
  auto on_missing = [&](JobId job) -> Result<void> {
    any_job = true;
    log::error(fmt::format("Job {} was not found", job.value));
    return {};
  };
  auto walked = for_each_job(answers, {on_job, on_missing});
  if (walked && !any_job) log::error("No jobs were found");
  return walked;
}

int run_job_cat(const JobCatOptions& options, const CommandContext& context, Output& output) {
  if (options.follow) return follow_jobs(options, context, output);
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  const StateFilter wanted = state_filter(options.task_status);
  msg::GetJobs request;
  request.jobs = selection_of(options.selector);
  request.tasks = wanted.none && !options.tasks ? msg::GetJobs::Tasks::kNone : msg::GetJobs::Tasks::kAll;
  request.ids = options.tasks;
  // A task that was named must be told from one that does not exist, whatever its state.
  if (!options.tasks) request.states = wanted.states;
  request.texts = false;
  Answers answers = Answers::to(*client, request);
  // The answers to the first conversation are still coming in.
  std::optional<Client> second;
  auto through_server = [&](JobId job, TaskId task) -> Result<bool> {
    if (!second) {
      auto connected = context.connect();
      if (!connected) return connected.error();
      second.emplace(*std::move(connected));
    }
    return print_whole_output(*second, job, task, options.stream, output);
  };
  auto printed = print_job_output(
      answers, options, [&] { return ask_server_uid(*client); }, *context.files, through_server, output);
  if (!printed) return output.print_error(printed.error());
  return output.finish();
}

}  // namespace hq::cli
