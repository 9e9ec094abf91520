#include "cli/commands/command_line.h"

#include <array>

#include "cli/commands/declarations.h"
#include "cli/commands/values.h"

namespace hq::cli {
namespace {

constexpr auto kServerCommands = std::to_array<CommandNode>({
    {.name = "start",
     .about = "Start a server",
     .details = "Runs in the foreground until `hq server stop` or Ctrl-C: start it on a login node, in the "
                "background "
                "or in a terminal that stays. It writes an access file (host, ports, keys) into the server "
                "directory, "
                "where your clients and workers find it; only one server runs in a directory.",
     .declare = declare_server_start},
    {.name = "stop",
     .about = "Stop the server",
     .details = "Workers end with it, and so do their tasks, unless the workers were started with "
                "--on-server-lost=finish-running.",
     .declare = declare_server_stop},
    {.name = "info", .about = "Show what is known about the running server", .declare = declare_server_info},
    {.name = "generate-access",
     .about = "Make access files with hosts, ports and keys before the server starts",
     .details =
         "For machines without a common file system, or ports that must be known beforehand. The full file "
         "is "
         "given to `hq server start --access-file`; those of clients and workers are copied to where these "
         "run, as access.json in a directory that they are given as --server-dir. Whoever has a file can do "
         "what its role may do: keep them private.",
     .declare = declare_generate_access},
    {.name = "debug-dump",
     .about = "Write the state of the server to a file, for its developers",
     .declare = declare_debug_dump},
    {.name = "wait",
     .about = "Wait until the server is reachable",
     .details = "For scripts that have just started it in the background.",
     .declare = declare_server_wait},
});

constexpr auto kJobCommands = std::to_array<CommandNode>({
    {.name = "list",
     .about = "Show jobs",
     .details = "Without options those that wait or run, and open jobs.",
     .declare = declare_job_list},
    {.name = "summary", .about = "Show how many jobs are in each state", .declare = declare_job_summary},
    {.name = "info", .about = "Show jobs in detail", .declare = declare_job_info},
    {.name = "cancel",
     .about = "Cancel the tasks of jobs that have not ended",
     .details =
         "Waiting tasks will never start. Running ones get SIGINT, SIGTERM half a second later, and SIGKILL "
         "after a second, with all that they have started.",
     .declare = declare_job_cancel},
    {.name = "forget",
     .about = "Remove jobs that have ended from the memory of the server",
     .details = "They disappear from all lists; the files of their tasks stay.",
     .declare = declare_job_forget},
    {.name = "cat",
     .about = "Print the output of tasks",
     .details = "The files are read by this command, so they must be visible on this machine.",
     .declare = declare_job_cat},
    {.name = "submit", .about = "Submit tasks (as `hq submit`)", .declare = declare_submit},
    {.name = "wait",
     .about = "Wait until jobs have ended",
     .details = "The exit code does not tell whether tasks have failed: ask `hq job info` or `hq job list "
                "--all` for "
                "that.",
     .declare = declare_job_wait},
    {.name = "progress", .about = "Wait, and show how far jobs are", .declare = declare_job_progress},
    {.name = "task-ids",
     .about = "Print the ids of tasks",
     .details = "In the form that --array takes. To run the tasks again that have failed:\n"
                "  hq submit --array=$(hq job task-ids 3 --filter=failed) -- ./program",
     .declare = declare_job_task_ids},
    {.name = "resubmit",
     .about = "Submit tasks of a job again, as a new job",
     .details = "Each task keeps its id and what it was given (array entry, environment, paths). What a task "
                "depends on "
                "must have finished or be submitted with it. To run the tasks again that have failed:\n"
                "  hq job resubmit 3 --status=failed",
     .declare = declare_job_resubmit},
    {.name = "open",
     .about = "Open a job that tasks are submitted to later",
     .details =
         "`hq submit --job=ID` adds tasks. The job ends when it was closed and all its tasks have ended.",
     .declare = declare_job_open},
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
    {.name = "notify",
     .about = "Say something to whoever waits for this task's job",
     .details = "Only inside a running task. `hq submit --wait --on-notify=PROGRAM` runs a program with each "
                "message, and `hq journal stream` shows them; when nobody listens they are lost.",
     .declare = declare_task_notify},
    {.name = "tail", .about = "Print the end of a task's output", .declare = declare_task_tail},
});

constexpr auto kWorkerCommands = std::to_array<CommandNode>({
    {.name = "start",
     .about = "Start a worker on this machine",
     .details =
         "Run it on each compute node: by hand, in an allocation with srun or pbsdsh, or from here with `hq "
         "worker deploy-ssh`. It finds the server through the access file in the server directory, which "
         "must "
         "be visible there, and offers all cores, the memory and the GPUs that it may use. Durations are "
         "written as 90 (seconds), 10m, 1h 30m or 01:30:00.",
     .declare = declare_worker_start},
    {.name = "stop",
     .about = "Stop workers",
     .details = "What runs on them is stopped and runs again on others.",
     .declare = declare_worker_stop},
    {.name = "resume",
     .about = "Trust suspect workers again",
     .details =
         "Workers whose tasks fail oddly often beside those of others are suspect: `hq worker list "
         "--filter=suspect` shows them, and why. When a node has been mended, this lets its worker start "
         "anew; one in quarantine gets tasks as all others again.",
     .declare = declare_worker_resume},
    {.name = "list", .about = "Show workers", .declare = declare_worker_list},
    {.name = "hwdetect",
     .about = "Show what a worker would find on this machine",
     .declare = declare_hwdetect},
    {.name = "info", .about = "Show workers in detail", .declare = declare_worker_info},
    {.name = "address", .about = "Print the host of a worker", .declare = declare_worker_address},
    {.name = "wait", .about = "Wait until enough workers are connected", .declare = declare_worker_wait},
    {.name = "deploy-ssh",
     .about = "Start workers on a list of hosts by ssh",
     .details = "Stays in the foreground until all have ended; Ctrl-C ends them.",
     .declare = declare_deploy_ssh},
});

constexpr auto kAllocAddCommands = std::to_array<CommandNode>({
    {.name = "pbs", .about = "A queue that submits with qsub", .declare = declare_alloc_add_pbs},
    {.name = "slurm", .about = "A queue that submits with sbatch", .declare = declare_alloc_add_slurm},
});

constexpr auto kAllocDryRunCommands = std::to_array<CommandNode>({
    {.name = "pbs", .about = "Try qsub", .declare = declare_alloc_dry_run_pbs},
    {.name = "slurm", .about = "Try sbatch", .declare = declare_alloc_dry_run_slurm},
});

constexpr auto kAllocCommands = std::to_array<CommandNode>({
    {.name = "list", .about = "Show allocation queues", .declare = declare_alloc_list},
    {.name = "info",
     .about = "Show the allocations of a queue",
     .details = "And, of a queue that submits nothing for now because of failures, why, and when it tries "
                "again.",
     .declare = declare_alloc_info},
    {.name = "log",
     .about = "Print the output of an allocation",
     .details = "The files are read by this command, so they must be visible on this machine.",
     .declare = declare_alloc_log},
    {.name = "add",
     .about = "Add an allocation queue",
     .details =
         "The server submits jobs that start workers when tasks wait that these could run, and cancels "
         "those that wait when they are needed no more. One is submitted and canceled first, to see "
         "whether it works.\n"
         "\n"
         "  hq alloc add slurm --time-limit=2h --cpus=36 -- --partition=main --account=PROJECT",
     .children = kAllocAddCommands},
    {.name = "pause",
     .about = "Submit nothing more from a queue",
     .details = "What was submitted goes on.",
     .declare = declare_alloc_pause},
    {.name = "resume",
     .about = "Submit from a paused queue again",
     .details = "Its failures so far are forgotten.",
     .declare = declare_alloc_resume},
    {.name = "dry-run",
     .about = "Submit one allocation, and cancel it at once",
     .children = kAllocDryRunCommands},
    {.name = "remove",
     .about = "Remove an allocation queue",
     .details = "Its allocations are canceled.",
     .declare = declare_alloc_remove},
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

constexpr auto kJournalCommands = std::to_array<CommandNode>({
    {.name = "export",
     .about = "Print the events of a journal as lines of JSON",
     .declare = declare_journal_export},
    {.name = "check",
     .about = "Read a journal and say what of it is damaged",
     .declare = declare_journal_check},
    {.name = "stream",
     .about = "Print the events of the running server, and those to come",
     .declare = declare_journal_stream},
    {.name = "replay",
     .about = "Print the events of the running server up to now",
     .declare = declare_journal_replay},
    {.name = "prune",
     .about = "Drop jobs that have ended from the journal of the running server",
     .declare = declare_journal_prune},
    {.name = "flush",
     .about = "Wait until the journal of the running server is written",
     .declare = declare_journal_flush},
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
     .details =
         "Each task runs the program on a worker that has the resources it asks for, in the present "
         "directory, and its output goes to files below it. Options may also stand in the script itself, in "
         "lines that begin with #HQ; what is given here goes before them.\n"
         "\n"
         "  hq submit -- ./simulate input.txt\n"
         "  hq submit --array=1-1000 --cpus=4 --time-limit=1h -- ./simulate --seed-from-env\n"
         "  hq submit --each-line=files.txt --stdout=out/%{TASK_ID} -- sh -c 'sha256sum \"$HQ_ENTRY\"'\n"
         "  hq submit --wait --stdout=none ./script.sh",
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
    {.name = "alloc",
     .about = "Let the server start workers through Slurm or PBS as tasks need them",
     .children = kAllocCommands},
    {.name = "journal", .about = "Read and keep the journal of a server", .children = kJournalCommands},
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
