#include "cli/args/words.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace hq::cli {
namespace {

// CLI11 doesn't tell `--name=-1` from `--name -1`, and takes `--name=` for `--name` followed by its value. A
// NUL, which no word of a command line can hold, is put before each attached value; the same rule takes it
// out again from words that turn out to be no options of ours.
constexpr char kMark = '\0';

std::string marked(const std::string& word) {
  if (!word.starts_with("-")) return word;
  std::string out = word;
  if (size_t equals = word.find('='); word.starts_with("--") && equals != word.npos) {
    out.insert(equals + 1, 1, kMark);
  } else if (word.size() > 2 && word[2] == '=') {
    out[2] = kMark;  // -x=value
  }
  return out;
}

std::string unmarked(std::string word) {
  if (!word.starts_with("-")) return word;
  size_t mark = word.find(kMark);
  if (mark == word.npos) return word;
  if (word.starts_with("--")) return word.erase(mark, 1);
  word[mark] = '=';
  return word;
}

}  // namespace

struct WordSplitter::Parser {
  explicit Parser(const Command& from) : command(from) {
    app.set_help_flag();
    app.prefix_command();
    for (const Argument& argument : command.arguments()) {
      if (!argument.is_positional) add(argument);
    }
  }

  void add(const Argument& argument) {
    std::string names;
    if (argument.short_name != '\0') names = std::string("-") + argument.short_name;
    if (!argument.name.empty()) names += (names.empty() ? "--" : ",--") + argument.name;
    CLI::Option* option = argument.takes_value() ? app.add_option(names) : app.add_flag(names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    declared.emplace(option, &argument);
  }

  void take_occurrences(SplitWords& out) {
    std::map<const CLI::Option*, size_t> taken;
    // CLI11 keeps the order of earlier calls, but not their values.
    for (; order_taken < app.parse_order().size(); ++order_taken) {
      const CLI::Option* option = app.parse_order()[order_taken];
      const Argument* argument = declared.at(option);
      std::string value = option->results().at(taken[option]++);
      const bool attached = value.starts_with(kMark);
      if (attached) {
        value.erase(0, 1);
      } else {
        value = argument->takes_value() ? unmarked(std::move(value)) : "";
      }
      out.found.push_back({argument, std::move(value), attached});
    }
  }

  const Argument* last_option(const std::string& word) const {
    return word.starts_with("--") ? command.find(std::string_view(word).substr(2))
                                  : command.find_short(word.back());
  }

  const Command& command;
  CLI::App app;
  size_t order_taken = 0;
  std::map<const CLI::Option*, const Argument*> declared;
};

WordSplitter::WordSplitter(const Command& command) : parser_(std::make_unique<Parser>(command)) {}
WordSplitter::~WordSplitter() = default;

SplitWords WordSplitter::split(std::span<const std::string> words) {
  SplitWords out;
  std::vector<std::string> backwards;  // as CLI11 wants them
  backwards.reserve(words.size());
  for (auto word = words.rbegin(); word != words.rend(); ++word) backwards.push_back(marked(*word));
  try {
    parser_->app.parse(std::move(backwards));
  } catch (const CLI::ArgumentMismatch&) {
    out.lacks_value = parser_->last_option(words.back());
  }
  parser_->take_occurrences(out);
  for (std::string& word : parser_->app.remaining()) out.rest.push_back(unmarked(std::move(word)));
  return out;
}

}  // namespace hq::cli
