#include "cli/args/level_parser.h"

#include <algorithm>

namespace hq::cli {
namespace {

bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word.front() == '-';
}

bool exclude_each_other(const Argument& a, const Argument& b) {
  auto names = [](const Argument& x, const Argument& y) {
    return std::find(x.conflicts_with.begin(), x.conflicts_with.end(), y.name) != x.conflicts_with.end();
  };
  return names(a, b) || names(b, a);
}

std::optional<UsageError> store_one(const Level& level, const Argument& argument, std::string_view value) {
  if (value.empty() && argument.refuses_empty) return missing_value(level, argument);
  const auto& choices = argument.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return bad_choice(level, argument, value);
  }
  Result<void> stored = argument.store(value);
  if (!stored) return bad_value(level, argument, value, stored.error());
  return std::nullopt;
}

}  // namespace

std::optional<UsageError> store_value(const Level& level, const Argument& argument, std::string_view value) {
  if (!argument.is_list) return store_one(level, argument, value);
  while (true) {
    const size_t comma = value.find(',');
    if (auto error = store_one(level, argument, value.substr(0, comma))) return error;
    if (comma == value.npos) return std::nullopt;
    value.remove_prefix(comma + 1);
  }
}

LevelParser::LevelParser(const Level& level, std::function<bool()> stop)
    : level_(level), stop_(std::move(stop)), positionals_(level.command->positionals()) {}

std::optional<UsageError> LevelParser::take(std::vector<std::string> words) {
  WordSplitter splitter(*level_.command);
  while (!words.empty()) {
    const size_t ours = our_part(words);
    SplitWords split = splitter.split(std::span(words).first(ours));
    split.rest.insert(split.rest.end(), words.begin() + static_cast<std::ptrdiff_t>(ours), words.end());
    for (const Occurrence& occurrence : split.found) {
      if (auto error = take_option(occurrence)) return error;
      if (stop_()) return std::nullopt;
    }
    if (split.lacks_value != nullptr) return missing_value(level_, *split.lacks_value);
    if (split.rest.empty()) return std::nullopt;

    const std::string& first = split.rest.front();
    if (first == "--") return take_all_positionals(std::span(split.rest).subspan(1));
    const Argument* positional = next_positional();
    if (positional != nullptr && positional->takes_options) return take_all_positionals(split.rest);
    if (looks_like_option(first)) return unknown_option(level_, first, given_);
    if (positional == nullptr && !level_.subcommands.empty()) {
      rest_ = std::move(split.rest);
      return std::nullopt;
    }
    if (positional == nullptr) return unexpected_word(level_, first);
    if (positional->is_trailing) return take_all_positionals(split.rest);
    if (auto error = take_positional(*positional, first)) return error;
    words.assign(split.rest.begin() + 1, split.rest.end());
  }
  return std::nullopt;
}

// How many words may be looked at: all, unless foreign options come next; then only our own before the first
// word that isn't one.
size_t LevelParser::our_part(const std::vector<std::string>& words) const {
  const Argument* positional = next_positional();
  if (positional == nullptr || !positional->takes_options) return words.size();
  size_t i = 0;
  while (i < words.size() && words[i] != "--" && looks_like_option(words[i]) && is_option(words[i])) {
    const bool is_long = words[i].starts_with("--");
    const Argument* option = is_long ? level_.command->find(words[i].substr(2, words[i].find('=') - 2))
                                     : level_.command->find_short(words[i][1]);
    const bool value_follows = option->takes_value() && is_long && words[i].find('=') == std::string::npos;
    i += value_follows ? 2 : 1;
  }
  return std::min(i, words.size());
}

std::optional<UsageError> LevelParser::take_option(const Occurrence& occurrence) {
  const Argument& argument = *occurrence.argument;
  if (!argument.takes_value() && occurrence.attached) {
    return unwanted_value(level_, argument, occurrence.value, given_);
  }
  if (argument.takes_value() && !occurrence.attached && looks_like_option(occurrence.value)) {
    if (is_option(occurrence.value)) return missing_value(level_, argument);
    return unknown_option(level_, occurrence.value, given_);
  }
  if (was_given(&argument) && !argument.is_repeatable) return given_twice(level_, argument);
  note_given(argument);
  if (!argument.takes_value()) {
    Result<void> stored = argument.store("true");
    HQ_ASSERT(stored.ok());
    return std::nullopt;
  }
  return store_value(level_, argument, occurrence.value);
}

std::optional<UsageError> LevelParser::take_positional(const Argument& argument, const std::string& word) {
  note_given(argument);
  return store_value(level_, argument, word);
}

std::optional<UsageError> LevelParser::take_all_positionals(std::span<const std::string> words) {
  for (const std::string& word : words) {
    const Argument* positional = next_positional();
    if (positional == nullptr) return unexpected_word(level_, word);
    if (auto error = take_positional(*positional, word)) return error;
  }
  return std::nullopt;
}

const Argument* LevelParser::next_positional() const {
  for (const Argument* positional : positionals_) {
    if (positional->is_repeatable || !was_given(positional)) return positional;
  }
  return nullptr;
}

void LevelParser::note_given(const Argument& argument) {
  if (!was_given(&argument)) given_.push_back(&argument);
}

bool LevelParser::was_given(const Argument* argument) const {
  return std::find(given_.begin(), given_.end(), argument) != given_.end();
}

bool LevelParser::is_option(std::string_view word) const {
  if (word == "--") return true;
  if (word.starts_with("--")) return level_.command->find(word.substr(2, word.find('=') - 2)) != nullptr;
  return level_.command->find_short(word[1]) != nullptr;
}

std::optional<UsageError> LevelParser::check() const {
  for (const Argument* argument : given_) {
    ArgumentList others;
    for (const Argument* other : given_) {
      if (other != argument && exclude_each_other(*argument, *other)) others.push_back(other);
    }
    if (!others.empty()) return conflicting(level_, *argument, others, given_);
  }
  ArgumentList missing;
  for (const bool positional : {false, true}) {
    for (const Argument& argument : level_.command->arguments()) {
      if (argument.is_required && argument.is_positional == positional && !was_given(&argument)) {
        missing.push_back(&argument);
      }
    }
  }
  if (!missing.empty()) return missing_arguments(level_, missing, given_);
  return std::nullopt;
}

}  // namespace hq::cli
