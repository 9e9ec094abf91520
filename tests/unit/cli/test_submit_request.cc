#include <doctest/doctest.h>

#include <map>

#include "cli/commands/submit_request.h"
#include "hq/core/text/id_array_text.h"

namespace hq::cli {
namespace {

SubmitRequest submitted(TaskConfigOptions config, SubmitFacts facts = {}) {
  facts.submit_dir = "/home/u/w";
  auto request = make_submit({std::move(config), {"/bin/true", "a"}}, std::move(facts));
  REQUIRE_MESSAGE(request, request.error().message);
  return std::move(*request);
}
std::string refusal(TaskConfigOptions config, SubmitFacts facts = {}) {
  auto request = make_submit({std::move(config), {"true"}}, std::move(facts));
  return request ? "" : request.error().message;
}
Entries entries(const std::vector<std::string>& values) {
  Entries out;
  for (const std::string& value : values) out.add(value);
  return out;
}
StdioSpec file(const std::string& path) {
  return {StdioSpec::Kind::kFile, path, false};
}

TEST_CASE("a submit without options is one task with the defaults") {
  const SubmitRequest request = submitted({});

  const msg::Submit& message = request.message;
  CHECK(message.name == "true");
  CHECK_FALSE(message.ids_after_existing);
  CHECK(message.submit.ids.text() == "0");
  CHECK(message.submit.submit_dir == "/home/u/w");
  const TaskDescription& task = message.submit.task;
  CHECK(task.program.args == std::vector<std::string>{"/bin/true", "a"});
  CHECK(task.program.cwd == "%{SUBMIT_DIR}");
  CHECK(task.program.stdout_spec.path == "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout");
  CHECK(task.program.stderr_spec.path == "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stderr");
  CHECK(task.request == ResourceRequest::cpus(1));
  CHECK(task.crash_limit.value == 5);
  CHECK(request.warnings.empty());
}

TEST_CASE("a job is named after its program") {
  CHECK(default_job_name({"/usr/bin/env"}) == "env");
  CHECK(default_job_name({"dir/"}) == "dir");
  CHECK(default_job_name({"a/."}) == "a");
  for (const char* path : {"..", ".", "/", "", "a/.."}) {
    CAPTURE(path);
    CHECK(default_job_name({path}) == "job");
  }
}

TEST_CASE("a name without printable shape, and a name or limit for an open job, are refused") {
  TaskConfigOptions named, limited;
  named.name = "a\nb";
  limited.max_fails = 1;
  SubmitFacts attach;
  attach.job = JobId(1);

  CHECK(refusal(named) == "name cannot have a newline or a tab");
  CHECK(refusal(named, attach) == "Parameter --name is not allowed when submitting to an open job.");
  CHECK(refusal(limited, attach) == "Parameter --max-fails is not allowed when submitting to an open job.");
}

TEST_CASE("a working directory cannot name itself") {
  TaskConfigOptions config;
  config.cwd = "%{CWD}/x";

  CHECK(refusal(config) ==
        "Working directory path cannot contain the working directory placeholder `%{CWD}`.");
}

TEST_CASE("a mode alone keeps the default path") {
  TaskConfigOptions config;
  config.stdout_spec = StdioSpec{StdioSpec::Kind::kFile, "", true};
  config.stderr_spec = StdioSpec{StdioSpec::Kind::kNull, "", false};

  const ProgramDescription program = submitted(config).message.submit.task.program;

  CHECK(program.stdout_spec.path == "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout");
  CHECK(program.stdout_spec.remove_if_finished);
  CHECK(program.stderr_spec.kind == StdioSpec::Kind::kNull);
}

TEST_CASE("several nodes are asked for without cpus unless these were given") {
  TaskConfigOptions config;
  config.nodes = 3;
  CHECK(submitted(config).message.submit.task.request.variants[0].entries.empty());

  config.cpus = ResourceEntry{"cpus", Amount::units(2), Policy::kCompact};
  CHECK(submitted(config).message.submit.task.request.variants[0].entries.size() == 1);
}

TEST_CASE("a variable given twice keeps its last value, with a warning") {
  TaskConfigOptions config;
  config.env = {{"B", "1"}, {"A", "1"}, {"A", "2"}};

  const SubmitRequest request = submitted(config);

  CHECK(request.message.submit.task.program.env == std::vector<EnvVariable>{{"A", "2"}, {"B", "1"}});
  CHECK(request.warnings ==
        std::vector<std::string>{
            "Some environment variables were ignored. Check if you haven't used duplicate keys."});
}

TEST_CASE("entries make one task each, or only those that an array names") {
  SubmitFacts facts;
  facts.entries = entries({"a", "b b", "", "c"});
  SubmitDescription all = submitted({}, facts).message.submit;
  CHECK(all.ids.text() == "0-3");
  CHECK(all.entries->at(1) == "b b");

  TaskConfigOptions config;
  config.array = *parse_id_array("9,2,0");
  SubmitDescription chosen = submitted(config, facts).message.submit;
  CHECK(chosen.ids.text() == "0,2");
  CHECK(chosen.entries->size() == 2);
  CHECK(chosen.entries->at(0) == "a");
  CHECK(chosen.entries->at(1) == "");
}

TEST_CASE("without an array, tasks of an open job get ids behind the existing ones") {
  SubmitFacts facts;
  facts.job = JobId(7);
  CHECK(submitted({}, facts).message.ids_after_existing);

  TaskConfigOptions config;
  config.array = *parse_id_array("5-6");
  CHECK_FALSE(submitted(config, facts).message.ids_after_existing);
}

TEST_CASE("unknown placeholders are warned about, option by option") {
  TaskConfigOptions config;
  config.stdout_spec = file("x%{NOPE}");
  config.stderr_spec = file("%{CWD}/a");
  config.cwd = "%{NADA}";

  CHECK(submitted(config).warnings ==
        std::vector<std::string>{"Found unknown placeholder `NOPE` in stdout path",
                                 "Found unknown placeholder `NADA` in working directory path"});
}

TEST_CASE("an array whose tasks share a file is warned about") {
  TaskConfigOptions config;
  config.array = *parse_id_array("1-2");
  config.stdout_spec = file("same.out");
  const std::vector<std::string> warnings = submitted(config).warnings;
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] ==
        "You have submitted an array job, but the `stdout` path does not contain the task ID placeholder.\n"
        "Individual tasks might thus overwrite the file. Consider adding `%{TASK_ID}` to the `--stdout` "
        "value.");

  config.cwd = "d-%{TASK_ID}";
  CHECK(submitted(config).warnings.empty());
  config.cwd.reset();
  config.array = *parse_id_array("1");
  CHECK(submitted(config).warnings.empty());
}

TEST_CASE("an array that makes a thousand files is warned about") {
  TaskConfigOptions config;
  config.array = *parse_id_array("1-499");
  CHECK(submitted(config).warnings.empty());

  config.array = *parse_id_array("1-500");
  CHECK(submitted(config).warnings ==
        std::vector<std::string>{"The job will create 1000 files for stdout and stderr. Consider using the "
                                 "`--stream` option to stream all outputs into a single file"});

  config.stderr_spec = StdioSpec{StdioSpec::Kind::kNull, "", false};
  CHECK(submitted(config).warnings.empty());
}

// --- entries
// ----------------------------------------------------------------------------------------------------

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> all;
  for (size_t piece : {size_t{1}, size_t{2}, size_t{3}, content.size() + 1}) {
    LineEntries lines(content.size());
    for (size_t i = 0; i < content.size(); i += piece) lines.take(std::string_view(content).substr(i, piece));
    auto got = lines.finish();
    REQUIRE(got);
    std::vector<std::string> out;
    for (size_t i = 0; i < got->size(); ++i) out.emplace_back(got->at(i));
    if (piece > 1) CHECK(out == all);  // however the file comes
    all = std::move(out);
  }
  return all;
}
using Texts = std::vector<std::string>;

TEST_CASE("lines are split at line feeds alone") {
  CHECK(lines_of("a\nb b\n\nc") == Texts{"a", "b b", "", "c"});
  CHECK(lines_of("a\r\n\xff\n") == Texts{"a\r", "\xff"});
  CHECK(lines_of("\n") == Texts{""});
  CHECK(lines_of("a\nb\n\n") == Texts{"a", "b", ""});
  CHECK(lines_of("").empty());
}

TEST_CASE("lines that have ended can be taken out while more come") {
  LineEntries lines(0);
  lines.take("a\nb");
  CHECK(lines.ended_bytes() == 1 + sizeof(uint32_t));
  Entries first = lines.take_ended();
  lines.take("b\n\nc");
  Entries second = lines.take_ended();
  CHECK(lines.ended_bytes() == 0);
  CHECK(lines.take_ended().size() == 0);
  auto rest = lines.finish();

  REQUIRE(first.size() == 1);
  CHECK(first.at(0) == "a");
  REQUIRE(second.size() == 2);
  CHECK(second.at(0) == "bb");
  CHECK(second.at(1).empty());
  REQUIRE(rest);
  REQUIRE(rest->size() == 1);
  CHECK(rest->at(0) == "c");
  CHECK(lines.bytes() == 7);
}

TEST_CASE("elements of a JSON array are compact, sorted and normalised") {
  auto got = entries_of_json(R"([1, "x", {"k": [1, 2], "a": 1.50}, null, true, -3, 1e20])", "f");
  REQUIRE(got);
  Texts texts;
  for (size_t i = 0; i < got->size(); ++i) texts.emplace_back(got->at(i));

  CHECK(texts == Texts{"1", "\"x\"", "{\"a\":1.5,\"k\":[1,2]}", "null", "true", "-3", "1e20"});
}

TEST_CASE("JSON that cannot be used is refused in the original's words") {
  auto error_of = [](const std::string& content) {
    auto got = entries_of_json(content, "f.json");
    return got ? "" : got.error().message;
  };

  CHECK(error_of("{}\n") == "f.json: The top element of the provided JSON file has to be an array");
  CHECK(error_of("[1,\n") == "EOF while parsing a value at line 2 column 0");
  CHECK(error_of("[1\n") == "EOF while parsing a list at line 2 column 0");
  CHECK(error_of("") == "EOF while parsing a value at line 1 column 0");
  CHECK(error_of("[\"a") == "EOF while parsing a string at line 1 column 3");
  CHECK(error_of("[1] x") == "trailing characters at line 1 column 5");
  CHECK(error_of("[1 2]") == "expected `,` or `]` at line 1 column 4");
  CHECK(error_of(std::string(200, '[') + std::string(200, ']')) == "f.json: recursion limit exceeded");
}

// --- directives
// ---------------------------------------------------------------------------------------------------

class OneFile final : public LocalFiles {
 public:
  OneFile(std::string path, std::string content) : path_(std::move(path)), content_(std::move(content)) {}
  Content read(const std::string& path, size_t limit) override {
    return path == path_ ? Content{content_.substr(0, limit), 0} : Content{{}, ENOENT};
  }
  int read_in_pieces(const std::string&, const std::function<void(std::string_view)>&) override {
    return ENOENT;
  }
  size_t size_of(const std::string&) override { return 0; }

 private:
  std::string path_;
  std::string content_;
};

SubmitOptions command(std::vector<std::string> words) {
  SubmitOptions options;
  options.command = std::move(words);
  return options;
}

TEST_CASE("a script brings its options and its interpreter") {
  OneFile files("s.sh", "#!/bin/bash -l\n#HQ --name=\"a b\" --cpus=2\n#HQ --env X=1 --weight=2\necho\n");
  SubmitOptions options = command({"s.sh", "a1"});
  options.config.env = {{"X", "2"}};

  auto resolved = resolve_directives(options, "", files);

  REQUIRE(resolved);
  CHECK(resolved->command == Texts{"/bin/bash", "-l", "s.sh", "a1"});
  CHECK(resolved->config.name == "a b");
  CHECK(resolved->config.env == std::vector<EnvVariable>{{"X", "2"}, {"X", "1"}});
  CHECK(resolved->config.weight == 20'000);
}

TEST_CASE("with standard input the interpreter is left out") {
  OneFile files("s.sh", "#!/bin/bash\n#HQ --name=x\n");
  SubmitOptions options = command({"s.sh"});
  options.use_stdin = true;

  CHECK(resolve_directives(options, "", files)->command == Texts{"s.sh"});
}

TEST_CASE("where directives come from is chosen by the mode") {
  OneFile files("plain", "#HQ --name=plain\n");
  SubmitOptions options = command({"plain"});
  CHECK_FALSE(resolve_directives(options, "", files)->config.name);

  options.directives = DirectivesMode::kFile;
  CHECK(resolve_directives(options, "", files)->config.name == "plain");

  options.directives = DirectivesMode::kStdin;
  CHECK(resolve_directives(options, "", files).error().message ==
        "You have to use `--stdin` when you specify `--directives=stdin`.");
  options.use_stdin = true;
  CHECK(resolve_directives(options, "#HQ --name=in\n", files)->config.name == "in");

  options = command({"none.sh"});
  CHECK(resolve_directives(options, "", files).error().message ==
        "Could not parse directives from none.sh: No such file or directory (os error 2)");
  options.directives = DirectivesMode::kOff;
  CHECK(resolve_directives(options, "", files));
}

TEST_CASE("wrong directives name the script") {
  OneFile files("bad.sh", "#!/bin/bash\n#HQ --nonsense\n");

  CHECK(resolve_directives(command({"bad.sh"}), "", files).error().message ==
        "Could not parse directives from bad.sh: You have used invalid parameter(s) after a #HQ "
        "directive.\nerror: unexpected argument '--nonsense' found\n\nUsage: #HQ <hq submit parameters>\n");
}

TEST_CASE("the command line wins over directives, and arrays come from one of them") {
  TaskConfigOptions cli, script;
  cli.name = "cli";
  cli.array = *parse_id_array("5");
  script.name = "script";
  script.each_line = "lines";
  script.priority = 3;
  script.task_dir = true;

  const TaskConfigOptions merged = merge_config(cli, script);

  CHECK(merged.name == "cli");
  CHECK_FALSE(merged.each_line);
  CHECK(merged.priority == 3);
  CHECK(merged.task_dir);
}

}  // namespace
}  // namespace hq::cli
