#include <doctest/doctest.h>

#include <map>

#include "cli/commands/command_line.h"

using namespace hq;
using namespace hq::cli;

namespace {

using Variables = std::map<std::string, std::string>;

std::variant<CommandLine, EarlyEnd> parse(const std::vector<std::string>& words, const Variables& variables) {
  return parse_command_line(words,
                            [&](const char* name) -> const char* {
                              auto it = variables.find(name);
                              return it == variables.end() ? nullptr : it->second.c_str();
                            },
                            {});
}

CommandLine line_of(const std::vector<std::string>& words, const Variables& variables = {}) {
  auto parsed = parse(words, variables);
  if (const auto* end = std::get_if<EarlyEnd>(&parsed)) FAIL(end->text);
  return std::get<CommandLine>(std::move(parsed));
}

template <class Options>
Options options_of(const std::vector<std::string>& words) {
  CommandLine line = line_of(words);
  REQUIRE(std::holds_alternative<Options>(line.options));
  return std::get<Options>(std::move(line.options));
}

std::string printed(const std::vector<std::string>& words) {
  auto parsed = parse(words, {});
  const auto& end = std::get<EarlyEnd>(parsed);
  CHECK_FALSE(end.to_stderr);
  CHECK(end.exit_code == 0);
  return end.text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("from the first word of the command on, everything belongs to it") {
  using Words = std::vector<std::string>;
  CHECK(options_of<SubmitOptions>({"submit", "echo", "--name", "-x"}).command ==
        Words{"echo", "--name", "-x"});
  CHECK(options_of<SubmitOptions>({"submit", "--name=a", "--", "-x", "--", "--b=", "-c=d"}).command ==
        Words{"-x", "--", "--b=", "-c=d"});
  CHECK(options_of<SubmitOptions>({"job", "submit", "a", "--", "--b"}).command == Words{"a", "--", "--b"});
  CHECK(options_of<SubmitOptions>({"submit", "a", "", "-"}).command == Words{"a", "", "-"});
  CHECK(options_of<SubmitOptions>({"submit", "--", "--server-dir=x"}).command == Words{"--server-dir=x"});
}

TEST_CASE("an attached value may be empty, begin with a dash or hold an equals sign") {
  auto o =
      options_of<SubmitOptions>({"submit", "--name=", "--priority=-1", "--env=A=b=c", "--env", "B=", "true"});
  CHECK(o.config.name == "");
  CHECK(o.config.priority == -1);
  CHECK(o.config.env == std::vector<EnvVariable>{{"A", "b=c"}, {"B", ""}});
}

TEST_CASE("what is not given stays empty, what is given is kept even if it is the default") {
  auto plain = options_of<SubmitOptions>({"submit", "true"});
  CHECK_FALSE(plain.config.priority);
  CHECK_FALSE(plain.config.nodes);
  auto given = options_of<SubmitOptions>({"submit", "--priority=0", "--nodes", "0", "true"});
  CHECK(given.config.priority == 0);
  CHECK(given.config.nodes == 0U);
}

TEST_CASE("values of submit become what they mean") {
  auto o = options_of<SubmitOptions>(
      {"submit", "--cpus=2 compact!", "--resource", "mem=4GiB", "--array=1-9:2", "--time-limit=1:00",
       "--stdout=none", "--stderr=:rm-if-finished", "--crash-limit=unlimited", "--pin", "omp", "--weight=1.5",
       "--task-dir", "--max-fails=0", "--job=3", "--directives=off", "--stdin", "cat"});
  CHECK(o.config.cpus->text() == "2 compact!");
  CHECK(o.config.resources.at(0).text() == "4096 compact");
  CHECK(o.config.array->text() == "1-9:2");
  CHECK(o.config.time_limit == 60s);
  CHECK(o.config.stdout_spec->kind == StdioSpec::Kind::kNull);
  CHECK(o.config.stderr_spec->remove_if_finished);
  CHECK(o.config.crash_limit->value == CrashLimit::kUnlimited);
  CHECK(o.config.pin == PinMode::kOpenMp);
  CHECK(o.config.weight == 15'000U);
  CHECK(o.config.task_dir);
  CHECK(o.config.max_fails == 0U);
  CHECK(o.job == 3U);
  CHECK(o.directives == DirectivesMode::kOff);
  CHECK(o.use_stdin);
}

TEST_CASE("global options are understood at every level, the innermost wins, the environment loses") {
  Variables variables = {{"HQ_SERVER_DIR", "env"}, {"HQ_OUTPUT_MODE", "quiet"}, {"HQ_DEBUG", "false"}};
  CommandLine line =
      line_of({"--server-dir=d1", "server", "--output-mode", "json", "info", "--server-dir", "d2", "--debug"},
              variables);
  CHECK(line.global.server_dir == "d2");
  CHECK(line.global.output_mode == OutputMode::kJson);
  CHECK(line.global.debug);
  CHECK_FALSE(line.global.colors);

  line = line_of({"server", "info"}, variables);
  CHECK(line.global.server_dir == "env");
  CHECK(line.global.output_mode == OutputMode::kQuiet);
  CHECK_FALSE(line.global.debug);
  CHECK(line_of({"server", "info"}, {{"HQ_DEBUG", "true"}}).global.debug);
}

TEST_CASE("a command's own options come from variables where the command line does not decide") {
  const Variables variables = {{"HQ_JOURNAL", "env"}, {"HQ_STREAM_ZSTD", "3"}};
  const auto journal = [&](const std::vector<std::string>& words) {
    return std::get<ServerStartOptions>(line_of(words, variables).options).journal;
  };
  CHECK(journal({"server", "start"}) == "env");
  CHECK(journal({"server", "start", "--journal=given"}) == "given");
  CHECK_FALSE(journal({"server", "start", "--resume"}));
  const CommandLine worker = line_of({"worker", "start"}, variables);
  CHECK(std::get<WorkerStartOptions>(worker.options).stream_compression == 3);
  const auto refused = parse({"worker", "start"}, {{"HQ_STREAM_ZSTD", "20"}});
  CHECK(contains(std::get<EarlyEnd>(refused).text, "20 is not in 0..=19"));
}

TEST_CASE("lists of states come from commas and from repeating") {
  auto o = options_of<JobListOptions>({"job", "list", "--filter", "running,failed", "--filter=opened"});
  CHECK(o.filter == std::vector{StatusFilter::kRunning, StatusFilter::kFailed, StatusFilter::kOpened});
}

TEST_CASE("options may stand between and behind positional words") {
  auto o =
      options_of<JobCatOptions>({"job", "cat", "last", "--tasks", "1-3", "stderr", "--print-task-header"});
  CHECK(o.selector.kind == Selector::Kind::kLast);
  CHECK(o.stream == StdStream::kStderr);
  CHECK(o.tasks->text() == "1-3");
  CHECK(o.print_task_header);
  CHECK(options_of<TaskListOptions>({"task", "list", "-vv", "1", "-v"}).verbosity == 3);
  CHECK_FALSE(options_of<TaskInfoOptions>({"task", "info", "last", "0"}).job.id);
  CHECK(options_of<TaskExplainOptions>({"task", "explain", "7", "0"}).job.id == 7U);
}

TEST_CASE("worker options become resources, times and choices") {
  auto o =
      options_of<WorkerStartOptions>({"worker", "start", "--cpus=2x3", "--resource", "x=[[1,2],[3]]",
                                      "--detect-resources=cpus,mem", "--on-server-lost=finish-running",
                                      "--overview-interval=0s", "--min-utilization=0.5", "--manager=slurm"});
  CHECK(std::holds_alternative<ResourceGroups>(*o.config.cpus));
  CHECK(o.config.resources.at(0).name == "x");
  CHECK(o.config.detect_resources == DetectResources{true, true, false, false});
  CHECK(o.config.on_server_lost == ServerLostPolicy::kFinishRunning);
  CHECK(o.config.overview_interval == 0s);
  CHECK(o.config.min_utilization == 0.5F);
  CHECK(o.manager == ManagerChoice::kSlurm);
}

TEST_CASE("options of workers that are started by ssh are handed on as they are") {
  using Words = std::vector<std::string>;
  auto o = options_of<DeployOptions>(
      {"worker", "deploy-ssh", "hosts", "--show-output", "--cpus=4", "--group", "a"});
  CHECK(o.show_output);
  CHECK(o.hostfile == "hosts");
  CHECK(o.worker_args == Words{"--cpus=4", "--group", "a"});
  CHECK(options_of<DeployOptions>({"worker", "deploy-ssh", "hosts", "--", "--cpus=4"}).worker_args ==
        Words{"--cpus=4"});
  CHECK(options_of<DeployOptions>({"worker", "deploy-ssh", "hosts"}).worker_args.empty());
}

TEST_CASE("older spellings mean what they meant") {
  auto all = options_of<JobListOptions>({"jobs"});
  CHECK(all.all);
  CHECK(all.filter.empty());
  CHECK(options_of<JobListOptions>({"jobs", "running", "waiting"}).filter.size() == 2);
  CHECK(options_of<JobInfoOptions>({"job", "3-5", "--tasks"}).selector.ids.text() == "3-5");
  CHECK(options_of<JobInfoOptions>({"job", "last"}).selector.kind == Selector::Kind::kLast);
  CHECK(options_of<ServerStartOptions>({"server", "start", "--port", "5001"}).client_port == uint16_t{5001});
  CHECK(options_of<WorkerStartOptions>({"worker", "start", "--no-detect-resources"}).no_detect_resources);
  CHECK(options_of<SubmitOptions>({"submit", "--log", "o.log", "true"}).log == "o.log");
}

TEST_CASE("directive words become the same options as on the command line") {
  auto options = parse_directive_options({"--name=a b", "--array=1-2", "--cpus=2", "--env", "X=1"});
  REQUIRE(options.ok());
  CHECK(options->name == "a b");
  CHECK(options->array->text() == "1-2");
  CHECK(options->env == std::vector<EnvVariable>{{"X", "1"}});
}

TEST_CASE("the version is told by the root alone") {
  CHECK(printed({"--version"}) == "hyperqueue " HQ_VERSION "\n");
  CHECK(printed({"-V"}) == printed({"--version"}));
}

TEST_CASE("the summary leaves the global options out, the manual has them") {
  for (const std::vector<std::string>& command : {std::vector<std::string>{},
                                                  {"server"},
                                                  {"job"},
                                                  {"submit"},
                                                  {"job", "submit"},
                                                  {"worker", "start"}}) {
    std::vector<std::string> words = command;
    words.emplace_back("-h");
    std::string summary = printed(words);
    words.back() = "--help";
    std::string manual = printed(words);
    CHECK_FALSE(contains(summary, "--server-dir"));
    CHECK(contains(manual, "\nGLOBAL OPTIONS:\n"));
    CHECK(contains(manual, "--server-dir"));
    CHECK(contains(summary, "\nUsage: hq"));
    std::istringstream lines(manual + summary);
    for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
  }
}

TEST_CASE("the help of submit groups its options and tells defaults and choices") {
  std::string summary = printed({"submit", "-h"});
  CHECK(contains(summary, "Usage: hq submit [OPTIONS] <COMMANDS>...\n"));
  CHECK(contains(summary, "\nResources of each task:\n"));
  CHECK(contains(summary, "      --priority <PRIORITY>"));
  CHECK(contains(summary, "[default: 0]"));
  CHECK(contains(summary, "[possible values: taskset, omp]"));
  CHECK_FALSE(contains(summary, "--log"));
  CHECK(contains(
      printed({"server", "generate-access", "-h"}),
      "Usage: hq server generate-access [OPTIONS] --client-port <CLIENT_PORT> --worker-port <WORKER_PORT> "
      "<ACCESS_FILE>\n"));
}
