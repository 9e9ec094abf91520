#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/id_array_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/core/text/resource_request_text.h"
#include "hq/core/text/size_text.h"
#include "hq/core/text/stdio_text.h"

namespace hq::cli {
namespace {

constexpr auto kPinModes =
    std::to_array<Choice<PinMode>>({{"taskset", PinMode::kTaskset}, {"omp", PinMode::kOpenMp}});
constexpr auto kDirectivesModes = std::to_array<Choice<DirectivesMode>>({{"auto", DirectivesMode::kAuto},
                                                                         {"file", DirectivesMode::kFile},
                                                                         {"stdin", DirectivesMode::kStdin},
                                                                         {"off", DirectivesMode::kOff}});

Result<ResourceEntry> parse_cpu_request(std::string_view text) {
  return parse_allocation(kCpus, text);
}

void declare_resources(Command& command, TaskConfigOptions& o) {
  command.section("Resources of each task");
  command
      .option("cpus", o.cpus, parse_cpu_request,
              "Cores: a number with up to 4 decimals or `all`, and how they should lie (compact, tight, "
              "scatter; with "
              "`!` strictly): --cpus=\"4 compact!\".")
      .default_is("1");
  command.repeatable(
      "resource", o.resources, parse_resource_request,
      "A further resource, NAME=AMOUNT as for --cpus; sizes of mem may have a unit (mem=4GiB). May be "
      "repeated.");
  command
      .option("nodes", o.nodes, parse_limited<uint32_t>,
              "Number of whole nodes for a multi-node task; 0 for none.")
      .default_is("0")
      .conflicts("pin")
      .conflicts("cpus");
  command
      .option("time-request", o.time_request, parse_duration,
              "Run only on workers that will live at least this long.")
      .default_is("0s");
  command
      .option("weight", o.weight, parse_weight,
              "Weight among tasks of one priority when not all of them fit: the bigger, the earlier.")
      .default_is("1");
  command.choice("pin", o.pin, Choices<PinMode>(kPinModes),
                 "Bind each task to its cores, with an affinity mask (taskset) or with OMP_PLACES (omp).");
}

void declare_files(Command& command, TaskConfigOptions& o) {
  command.section("Files and environment");
  command
      .option("cwd", o.cwd, parse_text,
              "Working directory. May hold the placeholders %{JOB_ID}, %{TASK_ID}, %{INSTANCE_ID}, "
              "%{SUBMIT_DIR} and "
              "%{SERVER_UID}.")
      .not_empty()
      .default_is(std::string(kDefaultCwd));
  command
      .option("stdout", o.stdout_spec, parse_stdio,
              "File for standard output, or `none`. May hold placeholders, %{CWD} too. With "
              "`:rm-if-finished` behind it "
              "the file is removed when the task succeeds.")
      .default_is(std::string(kDefaultStdout));
  command.option("stderr", o.stderr_spec, parse_stdio, "File for standard error output; as --stdout.")
      .default_is(std::string(kDefaultStderr));
  command
      .option("stream", o.stream, parse_text,
              "Directory in which workers collect the output of all tasks in few files; `hq output-log` "
              "reads them.")
      .not_empty();
  command.repeatable("env", o.env, parse_env, "Environment variable, KEY=VALUE. May be repeated.");
  command.flag("task-dir", o.task_dir,
               "Make a directory for each task, named in HQ_TASK_DIR, and remove it after.");
}

void declare_arrays(Command& command, TaskConfigOptions& o) {
  command.section("Several tasks");
  command.option("array", o.array, parse_id_array,
                 "One task per id: 1-100, 1,5,9 or 0-100:10. The id is in HQ_TASK_ID.");
  command
      .option("each-line", o.each_line, parse_text,
              "One task per line of this file. The line is in HQ_ENTRY.")
      .not_empty()
      .conflicts("from-json");
  command
      .option("from-json", o.from_json, parse_text,
              "One task per element of the JSON array in this file. The element is in HQ_ENTRY.")
      .not_empty();
  command.option("max-fails", o.max_fails, parse_limited<uint32_t>,
                 "Abort what is left of the job when more tasks than this have failed.");
}

void declare_lifecycle(Command& command, TaskConfigOptions& o) {
  command.section("");
  command.option("name", o.name, parse_text, "Name of the job.").default_is("name of the program");
  command.option("priority", o.priority, parse_priority, "Tasks with a bigger number start earlier.")
      .default_is("0");
  command.option("time-limit", o.time_limit, parse_duration,
                 "A task that runs longer is ended and has failed. Durations: 90 (seconds), 10m, 1h 30m, "
                 "01:30:00.");
  command.option(
      "memory-limit", o.memory_limit, parse_size,
      "A task whose processes together use more memory is ended and has failed. Sizes: 500MiB, 2GiB.");
  command
      .option("crash-limit", o.crash_limit, parse_crash_limit,
              "How often a task may be lost with its worker: a number, `never-restart` or `unlimited`.")
      .default_is("5")
      .errors_alone(ValueErrorForm::kAlone);
}

}  // namespace

void declare_task_config(Command& command, TaskConfigOptions& o) {
  declare_lifecycle(command, o);
  declare_arrays(command, o);
  declare_resources(command, o);
  declare_files(command, o);
  command.section("");
}

void declare_submit(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<SubmitOptions>();
  command
      .trailing(
          "COMMANDS", o.command,
          "Program and its arguments. Everything from the first word on belongs to it; a word before it that "
          "begins with a dash is an option of ours, so write `--` in front of a program named like one.")
      .required();
  declare_task_config(command, o.config);
  command.option("job", o.job, parse_u32, "Add the tasks to this open job.");
  command.flag("wait", o.wait, "Wait until all tasks have ended.").conflicts("progress");
  command.flag("progress", o.progress, "Wait, and show how far the tasks are.");
  command.option(
      "on-notify", o.on_notify, parse_text,
      "With --wait: run this program, with the message as its last argument, each time a task says "
      "something by `hq task notify`.");
  command.flag("stdin", o.use_stdin, "Read standard input to its end and give it to every task.");
  command
      .choice("directives", o.directives, Choices<DirectivesMode>(kDirectivesModes),
              "Where lines that begin with #HQ hold further options: in a script whose name ends with .sh "
              "(auto), in the "
              "first file of the command (file), in standard input (stdin), or nowhere (off).")
      .default_is("auto");
  command.option("log", o.log, parse_text, "").hidden().not_empty().conflicts("stream");
}

}  // namespace hq::cli
