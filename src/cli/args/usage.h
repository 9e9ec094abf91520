// What is said when the words of a command line are wrong: the texts that users of the original know, with
// the same tips. All functions are pure; `Level` says where in the tree we are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/args/declaration.h"
#include "cli/args/styled_text.h"

namespace hq::cli {

// One command on the way from the root to the leaf.
struct Level {
  std::string path;        // "hq worker start"
  std::string child_path;  // what stands between `path` and the name of a subcommand: " <PATH>"
  const Command* command = nullptr;
  std::vector<std::string_view> subcommands;  // visible ones; empty for a leaf
  std::string usage;                          // if not empty, printed for every usage line
  bool offers_help = true;                    // errors end with a hint to --help
};

using ArgumentList = std::vector<const Argument*>;

// "hq submit [OPTIONS] <COMMANDS>..."
[[nodiscard]] StyledText usage_line(const Level& level);
// With what was given instead of [OPTIONS], as long as something was.
[[nodiscard]] StyledText usage_line(const Level& level, const ArgumentList& given);

// A complete error, to be printed on stderr before exit code 2.
struct UsageError {
  StyledText message;
};

[[nodiscard]] UsageError unknown_option(const Level& level, std::string_view word, const ArgumentList& given);
[[nodiscard]] UsageError unexpected_word(const Level& level, std::string_view word);
[[nodiscard]] UsageError unknown_subcommand(const Level& level, std::string_view word);
[[nodiscard]] UsageError missing_subcommand(const Level& level);
[[nodiscard]] UsageError missing_value(const Level& level, const Argument& argument);
[[nodiscard]] UsageError unwanted_value(const Level& level, const Argument& argument, std::string_view value,
                                        const ArgumentList& given);
[[nodiscard]] UsageError given_twice(const Level& level, const Argument& argument);
[[nodiscard]] UsageError conflicting(const Level& level, const Argument& argument, const ArgumentList& others,
                                     const ArgumentList& given);
[[nodiscard]] UsageError missing_arguments(const Level& level, const ArgumentList& missing,
                                           const ArgumentList& given);
// The value is not one of the choices, or its parser refused it with `why`.
[[nodiscard]] UsageError bad_choice(const Level& level, const Argument& argument, std::string_view value);
[[nodiscard]] UsageError bad_value(const Level& level, const Argument& argument, std::string_view value,
                                   const Error& why);

// Those of `candidates` that may have been meant, the most similar one last.
[[nodiscard]] std::vector<std::string> similar(std::string_view word,
                                               const std::vector<std::string>& candidates);

}  // namespace hq::cli
