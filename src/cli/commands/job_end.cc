// hq job open, close, cancel, forget. Their results are log lines; only `open` prints an answer.
#include <fmt/format.h>

#include "cli/commands/job_commands.h"
#include "cli/commands/selection.h"
#include "hq/base/log.h"

namespace hq::cli {
namespace {

using Outcome = msg::ItemResult::Outcome;

void log_canceled(const msg::ItemResult& item) {
  switch (item.outcome) {
    case Outcome::kOk:
      return log::info(fmt::format("Job {} canceled ({} tasks canceled, {} tasks already finished)", item.id,
                                   item.canceled, item.already_finished));
    case Outcome::kNotFound:
      return log::error(fmt::format("Canceling job {} failed; job not found", item.id));
    case Outcome::kAlreadyEnded:
      return log::error(fmt::format("Canceling job {} failed; all tasks are already finished", item.id));
  }
}

void log_closed(const msg::ItemResult& item) {
  switch (item.outcome) {
    case Outcome::kOk:
      return log::info(fmt::format("Job {} closed", item.id));
    case Outcome::kNotFound:
      return log::error(fmt::format("Closing job {} failed; job not found", item.id));
    case Outcome::kAlreadyEnded:
      return log::error(fmt::format("Closing job {} failed; job is already closed", item.id));
  }
}

// Asks for something to be done with several jobs, and logs what became of each.
int end_jobs(const CommandContext& context, Output& output, const msg::ClientRequest& request,
             void (*log_item)(const msg::ItemResult&), std::string_view if_none) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto results = client->call<msg::ItemResults>(request);
  if (!results) return output.print_error(results.error());
  if (results->items.empty()) log::info(if_none);
  for (const msg::ItemResult& item : results->items) log_item(item);
  return output.finish();
}

}  // namespace

int run_job_cancel(const JobCancelOptions& options, const CommandContext& context, Output& output) {
  return end_jobs(context, output,
                  msg::CancelJobs{selection_of(options.selector), options.reason.value_or("")}, log_canceled,
                  "There is nothing to cancel");
}

int run_job_close(const JobCloseOptions& options, const CommandContext& context, Output& output) {
  return end_jobs(context, output, msg::CloseJobs{selection_of(options.selector)}, log_closed,
                  "There is nothing to close");
}

int run_job_forget(const JobForgetOptions& options, const CommandContext& context, Output& output) {
  msg::ForgetJobs request;
  request.jobs = selection_of(options.selector);
  request.states = options.filter.empty() ? std::vector{TaskState::kFinished, TaskState::kFailed,
                                                        TaskState::kCanceled, TaskState::kAborted}
                                          : state_filter(options.filter).states;
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto answer = client->call<msg::Forgotten>(request);
  if (!answer) return output.print_error(answer.error());
  std::string line =
      fmt::format("{} {} forgotten", answer->forgotten, answer->forgotten == 1 ? "job were" : "jobs were");
  if (answer->ignored > 0) {
    line += fmt::format(", {} were ignored due to wrong state or invalid ID", answer->ignored);
  }
  log::info(line);
  return output.finish();
}

int run_job_open(const JobOpenOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto opened = client->call<msg::Submitted>(msg::OpenJob{options.name.value_or("job"), options.max_fails});
  if (!opened) return output.print_error(opened.error());
  output.print_line(fmt::format("Job {} is open.", opened->job.value));
  output.print_json_id(opened->job.value);
  output.print_quiet(opened->job.text());
  return output.finish();
}

}  // namespace hq::cli
