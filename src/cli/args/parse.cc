#include "cli/args/parse.h"

#include <algorithm>
#include <optional>

#include "cli/args/help.h"
#include "cli/args/level_parser.h"

namespace hq::cli {
namespace {

struct Asked {
  bool help = false;
  bool summary = false;
  bool version = false;
  [[nodiscard]] bool any() const { return help || summary || version; }
};

class Walk {
 public:
  Walk(const CommandNode& root, const Environment& environment, CommandLine& into)
      : root_(root), environment_(environment), into_(into) {}

  ParseAnswer run(std::span<const std::string> words) {
    take_environment();
    ParseAnswer answer = take_level(root_, std::string(root_.name), {words.begin(), words.end()});
    if (std::holds_alternative<Parsed>(answer) && environment_error_) return *std::move(environment_error_);
    return answer;
  }

 private:
  // Taken first, so that what is given on the command line wins; but complained about last, and not where the
  // root has that option.
  void take_environment() {
    Command command;
    root_.declare(command, into_);
    Level level;
    level.command = &command;
    for (const Argument& argument : command.arguments()) {
      const char* value = argument.env.empty() ? nullptr : environment_(argument.env.c_str());
      if (value == nullptr) continue;
      auto error = store_from_environment(level, argument, value);
      if (!error || environment_error_) continue;
      environment_error_ = std::move(error);
      refused_from_environment_ = argument.name;
    }
  }

  // For a command's own options: what was given on the command line wins, also over what it conflicts with.
  std::optional<UsageError> take_environment_of(const Level& level, const ArgumentList& given) const {
    const auto names = [](const Argument& one, const Argument& other) {
      const auto& names = one.conflicts_with;
      return std::find(names.begin(), names.end(), other.name) != names.end();
    };
    for (const Argument& argument : level.command->arguments()) {
      const bool own = !argument.env.empty() && !argument.is_global;
      const char* value = own ? environment_(argument.env.c_str()) : nullptr;
      const bool decided = std::any_of(given.begin(), given.end(), [&](const Argument* other) {
        return other == &argument || names(*other, argument) || names(argument, *other);
      });
      if (value == nullptr || decided) continue;
      if (auto error = store_from_environment(level, argument, value)) return error;
    }
    return std::nullopt;
  }

  void forgive_environment(const ArgumentList& given) {
    for (const Argument* argument : given) {
      if (argument->name == refused_from_environment_) environment_error_.reset();
    }
  }

  static std::optional<UsageError> store_from_environment(const Level& level, const Argument& argument,
                                                          std::string_view value) {
    if (!argument.takes_value() && value != "true" && value != "false")
      return bad_choice(level, argument, value);
    return store_value(level, argument, value);
  }

  ParseAnswer take_level(const CommandNode& node, std::string path, std::vector<std::string> words) {
    Command command;
    Asked asked;
    declare(node, command, asked);
    Level level;
    level.path = std::move(path);
    level.command = &command;
    for (const CommandNode& child : node.children) {
      if (!child.hidden) level.subcommands.push_back(child.name);
    }

    LevelParser parser(level, [&] { return asked.any(); });
    const bool no_words = words.empty();
    if (auto error = parser.take(std::move(words))) return *std::move(error);
    if (&node == &root_) forgive_environment(parser.given());
    if (asked.version) return VersionAsked{};
    if (asked.any()) return HelpText{help_text(node, level, asked.help), true};
    if (node.children.empty()) {
      if (auto error = parser.check()) return *std::move(error);
      if (auto error = take_environment_of(level, parser.given())) return *std::move(error);
      return Parsed{};
    }
    if (parser.rest().empty()) {
      if (no_words) return HelpText{help_text(node, level, false), false};
      return missing_subcommand(level);
    }
    // What stands before the subcommand belongs to its path.
    if (&node != &root_) {
      for (const Argument* positional : command.positionals())
        level.child_path += " " + positional->text(true);
    }
    return take_child(node, level, parser.rest());
  }

  ParseAnswer take_child(const CommandNode& node, const Level& level, std::vector<std::string> words) {
    auto child = std::find_if(node.children.begin(), node.children.end(),
                              [&](const CommandNode& c) { return c.name == words.front(); });
    if (child != node.children.end()) {
      words.erase(words.begin());
      return take_level(*child, level.path + level.child_path + " " + std::string(child->name),
                        std::move(words));
    }
    if (node.implies != nullptr && node.implies(words.front())) {
      return take_level(*node.implied, level.path + " " + std::string(node.implied->name), std::move(words));
    }
    return unknown_subcommand(level, words.front());
  }

  void declare(const CommandNode& node, Command& command, Asked& asked) {
    if (&node != &root_ && node.declare != nullptr) node.declare(command, into_);
    command.section("");
    command.flag("help", asked.help, "").hidden();
    command.flag("", asked.summary, "").hidden().short_as('h');
    if (&node == &root_) command.flag("version", asked.version, "Print version").short_as('V');
    root_.declare(command, into_);
  }

  const CommandNode& root_;
  const Environment& environment_;
  CommandLine& into_;
  std::optional<UsageError> environment_error_;
  std::string refused_from_environment_;  // the option it is about
};

}  // namespace

ParseAnswer parse_words(const CommandNode& root, std::span<const std::string> words,
                        const Environment& environment, CommandLine& into) {
  return Walk(root, environment, into).run(words);
}

Result<void> parse_options(const Command& command, std::string_view usage, std::vector<std::string> words) {
  Level level;
  level.command = &command;
  level.usage = usage;
  level.offers_help = false;
  LevelParser parser(level, [] { return false; });
  std::optional<UsageError> error = parser.take(std::move(words));
  if (!error) error = parser.check();
  if (error) return Error(error->message.text(false));
  return {};
}

}  // namespace hq::cli
