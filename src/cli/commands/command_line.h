// The command line of hq: from words to one struct of options, or to what has to be printed instead.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cli/args/parse.h"
#include "cli/commands/options.h"
#include "hq/base/result.h"

namespace hq::cli {

// Instead of a command: text to print and the exit code. `text` is plain or coloured as asked for.
struct EarlyEnd {
  std::string text;
  bool to_stderr = false;
  int exit_code = 0;
};

// `words` without the program's name. Colours: of usage errors and help, by the terminal they go to.
struct UsageColors {
  bool on_stdout = false;
  bool on_stderr = false;
};
[[nodiscard]] std::variant<CommandLine, EarlyEnd> parse_command_line(std::span<const std::string> words,
                                                                     const Environment& environment,
                                                                     UsageColors colors);

// The words of #HQ lines as options of submit. The error is the text that follows "Could not parse directives
// from X: ".
[[nodiscard]] Result<TaskConfigOptions> parse_directive_options(const std::vector<std::string>& words);

}  // namespace hq::cli
