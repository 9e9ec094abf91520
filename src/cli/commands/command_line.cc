#include "cli/commands/command_line.h"

#include <array>

#include "cli/commands/declarations.h"
#include "cli/commands/values.h"

namespace hq::cli {
namespace {

constexpr auto kServerCommands = std::to_array<CommandNode>({
    {.name = "start", .about = "Start a server", .declare = declare_server_start},
    {.name = "stop", .about = "Stop the server", .declare = declare_server_stop},
    {.name = "info", .about = "Show what is known about the running server", .declare = declare_server_info},
    {.name = "generate-access",
     .about = "Make records with which server, workers and clients find each other",
     .details = "The record of the server is given to `hq server start --access-file`; those of clients and "
                "workers are "
                "put where these run, as access file in their server directory.",
     .declare = declare_generate_access},
    {.name = "debug-dump",
     .about = "Write the state of the server to a file, for its developers",
     .declare = declare_debug_dump},
    {.name = "wait", .about = "Wait until the server is reachable", .declare = declare_server_wait},
});

constexpr auto kJobCommands = std::to_array<CommandNode>({
    {.name = "list", .about = "Show jobs", .declare = declare_job_list},
    {.name = "summary", .about = "Show how many jobs are in each state", .declare = declare_job_summary},
    {.name = "info", .about = "Show jobs in detail", .declare = declare_job_info},
    {.name = "cancel",
     .about = "Cancel the tasks of jobs that have not ended",
     .declare = declare_job_cancel},
    {.name = "forget",
     .about = "Remove jobs that have ended from the memory of the server",
     .declare = declare_job_forget},
    {.name = "cat", .about = "Print the output of tasks", .declare = declare_job_cat},
    {.name = "submit", .about = "Submit tasks (as `hq submit`)", .declare = declare_submit},
    {.name = "wait", .about = "Wait until jobs have ended", .declare = declare_job_wait},
    {.name = "progress", .about = "Wait, and show how far jobs are", .declare = declare_job_progress},
    {.name = "task-ids", .about = "Print the ids of tasks", .declare = declare_job_task_ids},
    {.name = "open", .about = "Open a job that tasks are submitted to later", .declare = declare_job_open},
    {.name = "close", .about = "Close open jobs", .declare = declare_job_close},
});

constexpr CommandNode kJobInfoBySelector = {
    .name = "info", .about = "Show jobs in detail", .declare = declare_job_info_by_selector, .hidden = true};

bool is_job_selector(std::string_view word) {
  return parse_any_selector(word).ok();
}

constexpr auto kTaskCommands = std::to_array<CommandNode>({
    {.name = "list", .about = "Show the tasks of jobs", .declare = declare_task_list},
    {.name = "info", .about = "Show tasks in detail", .declare = declare_task_info},
    {.name = "explain", .about = "Explain why a task does not run", .declare = declare_task_explain},
});

constexpr auto kWorkerCommands = std::to_array<CommandNode>({
    {.name = "start", .about = "Start a worker on this machine", .declare = declare_worker_start},
    {.name = "stop", .about = "Stop workers", .declare = declare_worker_stop},
    {.name = "list", .about = "Show workers", .declare = declare_worker_list},
    {.name = "hwdetect",
     .about = "Show what a worker would find on this machine",
     .declare = declare_hwdetect},
    {.name = "info", .about = "Show workers in detail", .declare = declare_worker_info},
    {.name = "address", .about = "Print the host of a worker", .declare = declare_worker_address},
    {.name = "wait", .about = "Wait until enough workers are connected", .declare = declare_worker_wait},
    {.name = "deploy-ssh", .about = "Start workers on a list of hosts by ssh", .declare = declare_deploy_ssh},
});

constexpr auto kOutputLogCommands = std::to_array<CommandNode>({
    {.name = "summary", .about = "Show how much there is", .declare = declare_output_log_summary},
    {.name = "jobs", .about = "Print the ids of the jobs", .declare = declare_output_log_jobs},
    {.name = "show",
     .about = "Print everything in the order in which it was written",
     .declare = declare_output_log_show},
    {.name = "cat", .about = "Print the output of tasks", .declare = declare_output_log_cat},
    {.name = "export", .about = "Print the output of tasks as JSON", .declare = declare_output_log_export},
});

constexpr auto kLogCommands = std::to_array<CommandNode>({
    {.name = "summary", .about = "Show how much there is", .declare = declare_output_log_summary},
    {.name = "show",
     .about = "Print everything in the order in which it was written",
     .declare = declare_log_show},
    {.name = "cat", .about = "Print the output of tasks", .declare = declare_log_cat},
    {.name = "export", .about = "Print the output of tasks as JSON", .declare = declare_log_export},
});

constexpr auto kCommands = std::to_array<CommandNode>({
    {.name = "server", .about = "Start, stop and inspect the server", .children = kServerCommands},
    {.name = "job",
     .about = "Inspect and control jobs",
     .children = kJobCommands,
     .implied = &kJobInfoBySelector,
     .implies = is_job_selector},
    {.name = "task", .about = "Inspect tasks", .children = kTaskCommands},
    {.name = "submit",
     .about = "Submit a program to be run as one task or many",
     .details = "Each task runs the program on a worker that has the resources it asks for. Options may also "
                "stand in "
                "the script itself, in lines that begin with #HQ; what is given here goes before them.",
     .declare = declare_submit},
    {.name = "worker", .about = "Start, stop and inspect workers", .children = kWorkerCommands},
    {.name = "output-log",
     .about = "Read the output that tasks have streamed into a directory",
     .children = kOutputLogCommands,
     .declare = declare_output_log},
    {.name = "log",
     .about = "Read the file that holds the output of a job",
     .children = kLogCommands,
     .declare = declare_log,
     .hidden = true},
    {.name = "jobs", .about = "Show all jobs", .declare = declare_all_jobs, .hidden = true},
});

constexpr CommandNode kRoot = {
    .name = "hq",
    .about = "HyperQueue: runs very many tasks on the machines of a cluster",
    .details =
        "A server keeps jobs and their tasks, workers on the compute nodes run them, and this command talks "
        "to "
        "the server. To begin: `hq server start`, then `hq worker start` on a compute node, then `hq submit "
        "PROGRAM`.",
    .children = kCommands,
    .declare = declare_global_options,
};

constexpr std::string_view kDirectiveUsage = "#HQ <hq submit parameters>";
constexpr int kUsageExitCode = 2;

EarlyEnd early_end(const ParseAnswer& answer, UsageColors colors) {
  if (const auto* help = std::get_if<HelpText>(&answer)) {
    if (help->asked_for) return {help->text.text(colors.on_stdout), false, 0};
    return {help->text.text(colors.on_stderr), true, kUsageExitCode};
  }
  if (const auto* error = std::get_if<UsageError>(&answer)) {
    return {error->message.text(colors.on_stderr), true, kUsageExitCode};
  }
  return {"hyperqueue " HQ_VERSION "\n", false, 0};
}

// The words that each worker will be started with, as if they were given here.
ParseAnswer check_worker_args(const std::vector<std::string>& args, const Environment& environment) {
  std::vector<std::string> words = {"worker", "start"};
  words.insert(words.end(), args.begin(), args.end());
  CommandLine unused;
  return parse_words(kRoot, words, environment, unused);
}

}  // namespace

std::variant<CommandLine, EarlyEnd> parse_command_line(std::span<const std::string> words,
                                                       const Environment& environment, UsageColors colors) {
  CommandLine line;
  ParseAnswer answer = parse_words(kRoot, words, environment, line);
  if (const auto* deploy = std::get_if<DeployOptions>(&line.options);
      deploy != nullptr && std::holds_alternative<Parsed>(answer)) {
    answer = check_worker_args(deploy->worker_args, environment);
  }
  if (!std::holds_alternative<Parsed>(answer)) return early_end(answer, colors);
  return line;
}

Result<TaskConfigOptions> parse_directive_options(const std::vector<std::string>& words) {
  TaskConfigOptions options;
  Command command;
  declare_task_config(command, options);
  if (auto parsed = parse_options(command, kDirectiveUsage, words); !parsed) {
    return Error("You have used invalid parameter(s) after a #HQ directive.\n" + parsed.error().message);
  }
  return options;
}

}  // namespace hq::cli
