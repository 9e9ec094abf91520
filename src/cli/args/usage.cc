#include "cli/args/usage.h"

#include <fmt/format.h>

#include <algorithm>

namespace hq::cli {
namespace {

// Jaro similarity: 1 for equal texts, 0 for texts that share nothing. Users of the original know its tips, so
// the measure and the threshold are the same.
double similarity(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.size() == b.size() ? 1 : 0;
  const size_t longest = std::max(a.size(), b.size());
  const size_t window = longest / 2 > 0 ? longest / 2 - 1 : 0;
  std::vector<bool> used(b.size());
  std::string matched_a;
  for (size_t i = 0; i < a.size(); ++i) {
    const size_t from = i > window ? i - window : 0;
    const size_t to = std::min(b.size(), i + window + 1);
    for (size_t j = from; j < to; ++j) {
      if (used[j] || a[i] != b[j]) continue;
      used[j] = true;
      matched_a += a[i];
      break;
    }
  }
  if (matched_a.empty()) return 0;
  size_t out_of_place = 0;
  size_t k = 0;
  for (size_t j = 0; j < b.size(); ++j) {
    if (used[j]) out_of_place += b[j] != matched_a[k++];
  }
  const auto matches = static_cast<double>(matched_a.size());
  return (matches / static_cast<double>(a.size()) + matches / static_cast<double>(b.size()) +
          (matches - static_cast<double>(out_of_place / 2)) / matches) /
         3;
}

constexpr double kSimilar = 0.7;

StyledText begin_error() {
  StyledText out;
  out.add(TextRole::kError, "error:").plain(" ");
  return out;
}

void add_usage(StyledText& out, const StyledText& usage) {
  out.plain("\n\n").add(TextRole::kHeading, "Usage:").plain(" ").append(usage);
}

UsageError end_error(StyledText out, const Level& level) {
  if (!level.offers_help) {
    out.plain("\n");
    return {std::move(out)};
  }
  out.plain("\n\nFor more information, try '").literal("--help").plain("'.\n");
  return {std::move(out)};
}

UsageError end_error(StyledText out, const StyledText& usage, const Level& level) {
  add_usage(out, usage);
  return end_error(std::move(out), level);
}

void add_tip(StyledText& out, bool first, std::string_view words, std::string_view quoted) {
  out.plain(first ? "\n\n  " : "\n  ")
      .valid("tip:")
      .plain(fmt::format(" {}'", words))
      .valid(quoted)
      .plain("'");
}

void add_choices(StyledText& out, const std::vector<std::string_view>& choices) {
  if (choices.empty()) return;
  out.plain("\n  [possible values: ");
  for (size_t i = 0; i < choices.size(); ++i) out.plain(i > 0 ? ", " : "").valid(choices[i]);
  out.plain("]");
}

// A flag has values only in the environment.
std::vector<std::string_view> choices_of(const Argument& argument) {
  if (argument.takes_value()) {
    std::vector<std::string_view> listed = argument.choices;
    listed.resize(std::min(listed.size(), argument.choices_in_errors));
    return listed;
  }
  return {"true", "false"};
}

bool contains(const ArgumentList& list, const Argument* argument) {
  return std::find(list.begin(), list.end(), argument) != list.end();
}

void add_positionals(StyledText& out, const Level& level, const ArgumentList& given) {
  for (const Argument* positional : level.command->positionals()) {
    if (positional->is_hidden) continue;
    out.plain(" " + positional->text(positional->is_required || contains(given, positional)));
  }
  if (!level.subcommands.empty()) out.plain(" <COMMAND>");
}

// In bold the words to type, plain the places for values.
void add_option_text(StyledText& out, const Argument& option) {
  std::string text = option.text();
  size_t blank = text.find(' ');
  out.plain(" ").literal(text.substr(0, blank));
  if (blank != text.npos) out.plain(text.substr(blank));
}

// The first line says what is wrong; in the lines below it, which point at the place, that place is marked.
void add_reason(StyledText& out, std::string_view message) {
  size_t end = message.find('\n');
  out.plain(message.substr(0, end));
  const size_t bar = message.find("\n" + std::string(2, ' '), end == message.npos ? end : end + 1);
  const size_t column = bar == message.npos ? 0 : message.find_first_not_of(' ', bar + 1) - (bar + 1);
  while (end != message.npos) {
    const size_t begin = end + 1;
    end = message.find('\n', begin);
    const std::string_view line = message.substr(begin, end == message.npos ? end : end - begin);
    const size_t place = column > 0 ? std::min(column, line.size()) : line.size();
    out.plain("\n").plain(line.substr(0, place));
    if (place < line.size()) out.marked(line.substr(place));
  }
}

ArgumentList required_options(const Level& level) {
  ArgumentList out;
  for (const Argument& argument : level.command->arguments()) {
    if (argument.is_required && !argument.is_positional) out.push_back(&argument);
  }
  return out;
}

StyledText usage_without_options(const Level& level, const ArgumentList& given) {
  ArgumentList options = required_options(level);
  for (const Argument* argument : given) {
    if (!argument->is_positional && !argument->is_hidden && !contains(options, argument))
      options.push_back(argument);
  }
  StyledText out;
  out.literal(level.path);
  for (const Argument* option : options) add_option_text(out, *option);
  add_positionals(out, level, given);
  return out;
}

const Argument* meant_option(const Level& level, std::string_view name) {
  std::vector<std::string> names;
  for (const Argument& argument : level.command->arguments()) {
    if (!argument.name.empty() && !argument.is_hidden) names.push_back(argument.name);
  }
  std::vector<std::string> meant = similar(name, names);
  return meant.empty() ? nullptr : level.command->find(meant.back());
}

}  // namespace

std::vector<std::string> similar(std::string_view word, const std::vector<std::string>& candidates) {
  std::vector<std::pair<double, std::string>> found;
  for (const std::string& candidate : candidates) {
    if (double s = similarity(word, candidate); s > kSimilar) found.emplace_back(s, candidate);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (auto& [score, candidate] : found) out.push_back(std::move(candidate));
  return out;
}

StyledText usage_line(const Level& level) {
  StyledText out;
  if (!level.usage.empty()) return out.plain(level.usage), out;
  out.literal(level.path).plain(" [OPTIONS]");
  for (const Argument* option : required_options(level)) add_option_text(out, *option);
  add_positionals(out, level, {});
  return out;
}

StyledText usage_line(const Level& level, const ArgumentList& given) {
  if (given.empty() || !level.usage.empty()) return usage_line(level);
  return usage_without_options(level, given);
}

UsageError unknown_option(const Level& level, std::string_view word, const ArgumentList& given) {
  const bool is_long = word.starts_with("--") && word.size() > 2;
  word = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
  StyledText out = begin_error();
  out.plain("unexpected argument '").invalid(word).plain("' found");

  const Argument* meant = is_long ? meant_option(level, word.substr(2)) : nullptr;
  if (meant != nullptr) add_tip(out, true, "a similar argument exists: ", "--" + meant->name);
  const std::vector<const Argument*> positionals = level.command->positionals();
  const bool takes_any_word =
      std::any_of(positionals.begin(), positionals.end(), [](const Argument* a) { return a->is_trailing; });
  if (!positionals.empty() && (meant == nullptr || takes_any_word)) {
    add_tip(out, meant == nullptr, fmt::format("to pass '{}' as a value, use ", word),
            fmt::format("-- {}", word));
  }

  if (!is_long) return end_error(std::move(out), usage_line(level), level);
  ArgumentList used = given;
  if (meant != nullptr && !contains(used, meant)) used.push_back(meant);
  return end_error(std::move(out), usage_line(level, used), level);
}

UsageError unexpected_word(const Level& level, std::string_view word) {
  StyledText out = begin_error();
  out.plain("unexpected argument '").invalid(word).plain("' found");
  return end_error(std::move(out), usage_line(level), level);
}

UsageError unknown_subcommand(const Level& level, std::string_view word) {
  StyledText out = begin_error();
  out.plain("unrecognized subcommand '").invalid(word).plain("'");
  std::vector<std::string> names(level.subcommands.begin(), level.subcommands.end());
  std::vector<std::string> meant = similar(word, names);
  if (!meant.empty()) {
    out.plain("\n\n  ").valid("tip:");
    out.plain(meant.size() == 1 ? " a similar subcommand exists: " : " some similar subcommands exist: ");
    for (size_t i = 0; i < meant.size(); ++i) out.plain(i > 0 ? ", '" : "'").valid(meant[i]).plain("'");
  }
  return end_error(std::move(out), usage_line(level), level);
}

UsageError missing_subcommand(const Level& level) {
  StyledText out = begin_error();
  out.plain("'")
      .invalid(level.path)
      .plain("' requires a subcommand but one was not provided\n  [subcommands: ");
  for (size_t i = 0; i < level.subcommands.size(); ++i)
    out.plain(i > 0 ? ", " : "").valid(level.subcommands[i]);
  out.plain("]");
  return end_error(std::move(out), usage_line(level), level);
}

UsageError missing_value(const Level& level, const Argument& argument) {
  StyledText out = begin_error();
  out.plain("a value is required for '").literal(argument.text()).plain("' but none was supplied");
  add_choices(out, choices_of(argument));
  return end_error(std::move(out), level);
}

UsageError unwanted_value(const Level& level, const Argument& argument, std::string_view value,
                          const ArgumentList& given) {
  StyledText out = begin_error();
  out.plain("unexpected value '").invalid(value).plain("' for '").literal(argument.text());
  out.plain("' found; no more were expected");
  return end_error(std::move(out), usage_line(level, given), level);
}

UsageError given_twice(const Level& level, const Argument& argument) {
  StyledText out = begin_error();
  out.plain("the argument '").invalid(argument.text()).plain("' cannot be used multiple times");
  return end_error(std::move(out), usage_line(level), level);
}

UsageError conflicting(const Level& level, const Argument& argument, const ArgumentList& others,
                       const ArgumentList& given) {
  StyledText out = begin_error();
  out.plain("the argument '").invalid(argument.text()).plain("' cannot be used with");
  if (others.size() == 1) {
    out.plain(" '").invalid(others.front()->text()).plain("'");
  } else {
    out.plain(":");
    for (const Argument* other : others) out.plain("\n  ").invalid(other->text());
  }
  ArgumentList used;
  std::copy_if(given.begin(), given.end(), std::back_inserter(used),
               [&](const Argument* a) { return !contains(others, a); });
  return end_error(std::move(out), usage_line(level, used), level);
}

UsageError missing_arguments(const Level& level, const ArgumentList& missing, const ArgumentList& given) {
  StyledText out = begin_error();
  out.plain("the following required arguments were not provided:");
  for (const Argument* argument : missing) out.plain("\n  ").valid(argument->text());
  ArgumentList used = given;
  used.insert(used.end(), missing.begin(), missing.end());
  return end_error(std::move(out), usage_line(level, used), level);
}

UsageError bad_choice(const Level& level, const Argument& argument, std::string_view value) {
  if (value.empty()) return missing_value(level, argument);
  StyledText out = begin_error();
  out.plain("invalid value '").invalid(value).plain("' for '").literal(argument.text()).plain("'");
  const std::vector<std::string_view> choices = choices_of(argument);
  add_choices(out, choices);
  std::vector<std::string> meant = similar(value, {choices.begin(), choices.end()});
  if (!meant.empty()) add_tip(out, true, "a similar value exists: ", meant.back());
  return end_error(std::move(out), level);
}

UsageError bad_value(const Level& level, const Argument& argument, std::string_view value, const Error& why) {
  StyledText out = begin_error();
  switch (argument.error_form) {
    case ValueErrorForm::kInvalidValue:
      out.plain("invalid value '").invalid(value).plain("' for '").literal(argument.text()).plain("': ");
      add_reason(out, why.message);
      return end_error(std::move(out), level);
    case ValueErrorForm::kAlone:
      out.plain(why.message).plain("\n");
      return {std::move(out)};
    case ValueErrorForm::kAloneWithUsage:
      break;
  }
  return end_error(std::move(out.plain(why.message)), usage_line(level), level);
}

}  // namespace hq::cli
