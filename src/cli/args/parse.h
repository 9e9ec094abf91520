// The walk from the root of the command tree to the command that was asked for. The tree is a table of nodes;
// a new command is one more entry with its declaration.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/args/declaration.h"
#include "cli/args/styled_text.h"
#include "cli/args/usage.h"

namespace hq::cli {

struct CommandLine;  // where values are stored; known to the declarations only (commands/options.h)

struct CommandNode {
  std::string_view name;
  std::string_view about;                 // one sentence
  std::string_view details;               // more of it, shown by --help only
  std::span<const CommandNode> children;  // empty for a command proper
  void (*declare)(Command&, CommandLine&) = nullptr;
  bool hidden = false;  // an older spelling: understood, not shown
  // A word that names no child but means one (an older spelling): `implied` is then taken with that word.
  const CommandNode* implied = nullptr;
  bool (*implies)(std::string_view word) = nullptr;
};

struct Parsed {};
struct HelpText {  // asked for, or (exit code 2, on stderr) shown for want of a command
  StyledText text;
  bool asked_for = true;
};
struct VersionAsked {};
using ParseAnswer = std::variant<Parsed, HelpText, VersionAsked, UsageError>;

// The value of an environment variable; null if it is not set.
using Environment = std::function<const char*(const char*)>;

// `words` without the program's name. The declaration of `root` holds the global options: they are understood
// at every level (the innermost wins) and may come from the environment.
[[nodiscard]] ParseAnswer parse_words(const CommandNode& root, std::span<const std::string> words,
                                      const Environment& environment, CommandLine& into);

// Words in another place than the command line: options only, no help. `usage` is their usage line.
[[nodiscard]] Result<void> parse_options(const Command& command, std::string_view usage,
                                         std::vector<std::string> words);

}  // namespace hq::cli
