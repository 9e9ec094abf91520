#include <fmt/format.h>

#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/id_array_text.h"

namespace hq::cli {
namespace {

constexpr size_t kLongestReason = 200;
constexpr const char* kJobsHelp = "Jobs: ids (1-3,7), `last` or `all`.";
constexpr auto kEndedStatuses = std::to_array<Choice<StatusFilter>>({{"finished", StatusFilter::kFinished},
                                                                     {"failed", StatusFilter::kFailed},
                                                                     {"aborted", StatusFilter::kAborted},
                                                                     {"canceled", StatusFilter::kCanceled}});

Result<std::string> parse_reason(std::string_view text) {
  if (text.size() <= kLongestReason) return std::string(text);
  return Error(
      fmt::format("Cancel reason must be shorter than {} you entered {}.", kLongestReason, text.size()));
}

template <class Options>
Options& declare_jobs_of(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<Options>();
  command.positional("SELECTOR", o.selector, parse_any_selector, kJobsHelp).required();
  return o;
}

}  // namespace

void declare_job_list(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JobListOptions>();
  command.flag("all", o.all, "Show jobs in all states; without it those that wait, run or are open.")
      .conflicts("filter");
  command.choice_list("filter", o.filter, Choices<StatusFilter>(kStatusFilters),
                      "Show jobs in these states, separated by commas.");
  command.flag("verbose", o.verbose, "Show why jobs were canceled.");
}

void declare_all_jobs(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JobListOptions>();
  o.all = true;  // with a filter, `all` has no effect
  command.positional_choices("STATES", o.filter, Choices<StatusFilter>(kStatusFilters),
                             "Show jobs in these states only.");
}

void declare_job_summary(Command&, CommandLine& line) {
  line.options.emplace<JobSummaryOptions>();
}

void declare_job_info(Command& command, CommandLine& line) {
  declare_jobs_of<JobInfoOptions>(command, line);
}

void declare_job_info_by_selector(Command& command, CommandLine& line) {
  declare_job_info(command, line);
  static bool unused;  // tasks are part of what is shown anyway
  command.flag("tasks", unused, "").hidden();
}

void declare_job_cancel(Command& command, CommandLine& line) {
  auto& o = declare_jobs_of<JobCancelOptions>(command, line);
  command.option("reason", o.reason, parse_reason, "Why, in at most 200 bytes; shown with the jobs.");
}

void declare_job_forget(Command& command, CommandLine& line) {
  auto& o = declare_jobs_of<JobForgetOptions>(command, line);
  command
      .choice_list("filter", o.filter, Choices<StatusFilter>(kEndedStatuses),
                   "Forget only jobs in these states, separated by commas.")
      .default_is("finished,failed,aborted,canceled");
}

void declare_job_cat(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JobCatOptions>();
  command.positional("JOB_SELECTOR", o.selector, parse_selector_without_all, "Jobs: ids (1-3,7) or `last`.")
      .required();
  command.positional_choice("STREAM", o.stream, Choices<StdStream>(kStreams), "Which output.").required();
  command.option("tasks", o.tasks, parse_id_array, "Only these tasks (1-100, 3,5).");
  command.choice_list("task-status", o.task_status, Choices<StatusFilter>(kStatusFilters),
                      "Only tasks in these states, separated by commas.");
  command.flag("print-task-header", o.print_task_header,
               "Print a line with job and task id before each output.");
  command.flag("follow", o.follow, "Go on with what the tasks print, until they have ended.").short_as('f');
}

void declare_job_wait(Command& command, CommandLine& line) {
  auto& o = declare_jobs_of<JobWaitOptions>(command, line);
  command.flag("without-close", o.without_close, "Wait for the tasks only; an open job need not be closed.");
}

void declare_job_progress(Command& command, CommandLine& line) {
  declare_jobs_of<JobProgressOptions>(command, line);
}

void declare_job_task_ids(Command& command, CommandLine& line) {
  auto& o = declare_jobs_of<JobTaskIdsOptions>(command, line);
  command.choice_list("filter", o.filter, Choices<StatusFilter>(kStatusFilters),
                      "Only tasks in these states, separated by commas.");
}

void declare_job_resubmit(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JobResubmitOptions>();
  command.positional("JOB_SELECTOR", o.job, parse_job_choice, "Job: its id or `last`.").required();
  command
      .choice_list("status", o.status, Choices<StatusFilter>(kStatusFilters),
                   "Only its tasks in these states, separated by commas.")
      .default_is("any state");
}

void declare_job_open(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JobOpenOptions>();
  command.option("name", o.name, parse_text, "Name of the job.").default_is("job");
  command.option("max-fails", o.max_fails, parse_limited<uint32_t>,
                 "Abort what is left of the job when more tasks than this have failed.");
}

void declare_job_close(Command& command, CommandLine& line) {
  declare_jobs_of<JobCloseOptions>(command, line);
}

}  // namespace hq::cli
