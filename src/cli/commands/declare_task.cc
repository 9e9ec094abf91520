#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/id_array_text.h"

namespace hq::cli {
namespace {

constexpr const char* kOneJobHelp = "Job: its id or `last`.";

}  // namespace

void declare_task_list(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<TaskListOptions>();
  command.positional("JOB_SELECTOR", o.selector, parse_selector_without_all, "Jobs: ids (1-3,7) or `last`.")
      .required();
  command.option("tasks", o.tasks, parse_id_array, "Only these tasks (1-100, 3,5).");
  command.choice_list("task-status", o.task_status, Choices<StatusFilter>(kStatusFilters),
                      "Only tasks in these states, separated by commas.");
  command.counter('v', o.verbosity, "Show error messages in full.");
}

void declare_task_info(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<TaskInfoOptions>();
  command.positional("JOB_SELECTOR", o.job, parse_job_choice, kOneJobHelp).required();
  command.positional("TASK_SELECTOR", o.tasks, parse_id_array, "Tasks: ids (1-100, 3,5).").required();
  command.counter('v', o.verbosity, "Show error messages in full.");
}

void declare_task_explain(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<TaskExplainOptions>();
  command.positional("JOB_SELECTOR", o.job, parse_job_choice, kOneJobHelp).required();
  command.positional("TASK_ID", o.task_id, parse_u32, "Id of the task.").required();
}

void declare_task_notify(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<TaskNotifyOptions>();
  command.positional("MESSAGE", o.message, parse_text, "What to say, at most 1,024 bytes.").required();
}

void declare_task_tail(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<TaskTailOptions>();
  command.positional("JOB_SELECTOR", o.job, parse_job_choice, kOneJobHelp).required();
  command.positional("TASK_ID", o.task_id, parse_u32, "Id of the task.").required();
  command.flag("follow", o.follow, "Go on with what the task prints, until it has ended.").short_as('f');
  command.option("lines", o.lines, parse_u32, "How many lines to begin with.").short_as('n').default_is("10");
  command.choice("stream", o.stream, Choices<StdStream>(kStreams), "Which output.").default_is("stdout");
}

}  // namespace hq::cli
