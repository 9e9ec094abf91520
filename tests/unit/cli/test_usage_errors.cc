#include <doctest/doctest.h>

#include <map>

#include "cli/commands/command_line.h"
#include "golden.h"
#include "hq/core/text/directives.h"

using namespace hq;
using namespace hq::cli;

namespace {

using Variables = std::map<std::string, std::string>;

std::variant<CommandLine, EarlyEnd> parse(const std::vector<std::string>& words,
                                          const Variables& variables = {}, UsageColors colors = {}) {
  return parse_command_line(
      words,
      [&](const char* name) -> const char* {
        auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
      },
      colors);
}

std::vector<std::string> words_of(const std::string& line) {
  auto words = split_directive(line);
  REQUIRE(words.ok());
  return *words;
}

// The text of a usage error; empty if there was none.
std::string error_of(std::vector<std::string> words, const Variables& variables = {},
                     UsageColors colors = {}) {
  auto parsed = parse(words, variables, colors);
  const auto* end = std::get_if<EarlyEnd>(&parsed);
  if (end == nullptr) return "";
  CHECK(end->to_stderr);
  CHECK(end->exit_code == 2);
  return end->text;
}

struct Recorded {
  std::string line;
  Variables variables;
  std::vector<std::string> words;
  std::string text;
};

std::vector<Recorded> recorded_errors() {
  std::istringstream file(golden("usage_errors.txt"));
  std::vector<Recorded> out;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("$ ")) {
      out.back().text += line + "\n";
      continue;
    }
    Recorded& next = out.emplace_back();
    next.line = line;
    next.words = words_of(line.substr(2));
    while (next.words.front() != "hq") {
      const std::string& word = next.words.front();
      next.variables[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
      next.words.erase(next.words.begin());
    }
    next.words.erase(next.words.begin());
  }
  return out;
}

// Without line ends at its end and without the hint that the recordings leave out.
std::string trimmed(std::string text) {
  const std::string hint = "For more information, try '--help'.\n";
  if (text.ends_with(hint)) text.resize(text.size() - hint.size());
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

TEST_CASE("usage errors are those of the original, word for word") {
  std::vector<Recorded> errors = recorded_errors();
  REQUIRE(errors.size() > 80);
  for (const Recorded& recorded : errors) {
    CAPTURE(recorded.line);
    CHECK(trimmed(error_of(recorded.words, recorded.variables)) == trimmed(recorded.text));
  }
}

TEST_CASE("on a terminal the parts of a usage error have their colours") {
  CHECK(error_of({"job", "info"}, {}, {.on_stdout = false, .on_stderr = true}) ==
        "\x1b[1m\x1b[31merror:\x1b[0m the following required arguments were not provided:\n"
        "  \x1b[32m<SELECTOR>\x1b[0m\n\n"
        "\x1b[1m\x1b[4mUsage:\x1b[0m \x1b[1mhq job info\x1b[0m <SELECTOR>\n\n"
        "For more information, try '\x1b[1m--help\x1b[0m'.\n");
}

TEST_CASE("a flag takes no value and an abbreviated option is none") {
  CHECK(error_of({"submit", "--wait=1", "true"})
            .starts_with("error: unexpected value '1' for '--wait' found; no more were expected\n"));
  CHECK(error_of({"submit", "--prio=1", "true"}).starts_with("error: unexpected argument '--prio' found\n"));
}

TEST_CASE("an option that is followed by another one lacks its value") {
  CHECK(error_of({"submit", "--cpus", "--wait", "true"})
            .starts_with("error: a value is required for '--cpus <CPUS>' but none was supplied\n"));
  CHECK(error_of({"submit", "--cpus", "--", "true"})
            .starts_with("error: a value is required for '--cpus <CPUS>' but none was supplied\n"));
}

TEST_CASE("an option that conflicts with several names them all") {
  CHECK(error_of({"submit", "--nodes=1", "--cpus=1", "--pin=omp", "true"})
            .starts_with("error: the argument '--nodes <NODES>' cannot be used with:\n  --cpus <CPUS>\n  "
                         "--pin <PIN>\n"));
}

TEST_CASE("a wrong variable is forgiven where the root has the option, not where a command has it") {
  Variables wrong = {{"HQ_OUTPUT_MODE", "xml"}};
  CHECK(error_of({"--output-mode=json", "server", "info"}, wrong).empty());
  CHECK(error_of({"server", "info", "--output-mode=json"}, wrong).starts_with("error: invalid value 'xml'"));
  CHECK(error_of({"server", "nonsense"}, wrong).starts_with("error: unrecognized subcommand 'nonsense'"));
}

TEST_CASE("without a command the help goes to stderr with exit code 2") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{}, {"server"}, {"job"}}) {
    CHECK(error_of(words).find("\nUsage: hq") != std::string::npos);
  }
  CHECK(error_of({"--debug"})
            .starts_with("error: 'hq' requires a subcommand but one was not provided\n"
                         "  [subcommands: server, job, task, submit, worker, output-log, alloc, journal]\n"));
}

TEST_CASE("worker options behind a host file are checked before anything is started") {
  CHECK(error_of({"worker", "deploy-ssh", "hosts", "--cpus=x"})
            .starts_with("error: invalid value 'x' for '--cpus"));
  CHECK(error_of({"worker", "deploy-ssh", "hosts", "--show-output", "--group=a"}).empty());
  CHECK(error_of({"worker", "deploy-ssh", "hosts", "--group=a", "--show-output"})
            .starts_with("error: unexpected argument '--show-output' found"));
}

TEST_CASE("directives that are no task options are named with the text of the command line") {
  auto error = [](const char* line) { return parse_directive_options(words_of(line)).error().message; };
  const std::string prefix = "You have used invalid parameter(s) after a #HQ directive.\n";
  CHECK(error("--nonsense") ==
        prefix + "error: unexpected argument '--nonsense' found\n\nUsage: #HQ <hq submit parameters>\n");
  CHECK(error("--wait") ==
        prefix +
            "error: unexpected argument '--wait' found\n\n  tip: a similar argument exists: "
            "'--weight'\n\nUsage: #HQ <hq submit parameters>\n");
  CHECK(error("echo x") ==
        prefix + "error: unexpected argument 'echo' found\n\nUsage: #HQ <hq submit parameters>\n");
  CHECK(error("--cpus=1 --cpus=2")
            .starts_with(prefix + "error: the argument '--cpus <CPUS>' cannot be used multiple"));
  CHECK(error("--cpus=x") ==
        prefix +
            "error: invalid value 'x' for '--cpus <CPUS>': Unexpected token found, expected "
            "all:\n  x\n  |\n  --- Unexpected token `x`\n\n");
}
