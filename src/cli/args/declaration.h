// What a command understands, as a table: options, flags and positional words, each with the place its value
// is stored in. The table is everything the front knows: splitting of words (words.h), errors (usage.h), help
// (help.h) and the walk down the command tree (parse.h) work from it alone.
//
//   void declare_wait(Command& command, WorkerWaitOptions& o) {
//     command.positional("WORKER_COUNT", o.count, parse_u32, "Number of workers to wait for.").required();
//   }
//
// A Command holds references to the places; they must outlive it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hq/base/result.h"

namespace hq::cli {

// How the error of a value is shown: behind "invalid value 'x' for '--opt <OPT>': ", or by itself.
enum class ValueErrorForm { kInvalidValue, kAlone, kAloneWithUsage };

struct Argument {
  std::string name;        // of an option, without dashes; may be empty if there is a short name
  char short_name = '\0';  //
  std::string value_name;  // "SERVER_DIR"; empty for flags
  std::string help;        // one sentence
  std::string section;     // the heading of its group in the help
  std::string default_text;
  std::string env;
  std::vector<std::string_view> choices;
  size_t choices_in_errors = SIZE_MAX;      // so many of them
  std::vector<std::string> conflicts_with;  // names; enough on one side
  bool is_positional = false;
  bool is_required = false;
  bool is_repeatable = false;
  bool is_trailing = false;    // takes all words from its first one on
  bool takes_options = false;  // trailing: the first word may be an option that isn't ours
  bool is_list = false;        // values are separated by commas
  bool is_hidden = false;      // an older spelling: understood, not shown
  bool is_global = false;
  bool refuses_empty = false;
  ValueErrorForm error_form = ValueErrorForm::kInvalidValue;
  std::function<Result<void>(std::string_view)> store;

  [[nodiscard]] bool takes_value() const { return !value_name.empty(); }
  // "--cpus <CPUS>", "--wait", "-v...", "<SELECTOR>", "[STATES]..."
  [[nodiscard]] std::string text(bool as_required) const;
  [[nodiscard]] std::string text() const { return text(true); }

  Argument& required() { return is_required = true, *this; }
  Argument& hidden() { return is_hidden = true, *this; }
  Argument& list() { return is_list = true, *this; }
  Argument& not_empty() { return refuses_empty = true, *this; }
  Argument& short_as(char letter) { return short_name = letter, *this; }
  Argument& default_is(std::string words) { return default_text = std::move(words), *this; }
  Argument& from_env(std::string variable) { return env = std::move(variable), *this; }
  Argument& conflicts(std::string other) { return conflicts_with.push_back(std::move(other)), *this; }
  Argument& lists_in_errors(size_t count) { return choices_in_errors = count, *this; }
  Argument& errors_alone(ValueErrorForm form) { return error_form = form, *this; }
};

// The words of an option with a fixed set of values, and what they mean.
template <class T>
using Choices = std::span<const std::pair<std::string_view, T>>;

class Command {
 public:
  // Heading of the arguments declared from here on.
  void section(std::string heading) { section_ = std::move(heading); }

  Argument& flag(std::string name, bool& place, std::string help);
  // A flag given once or more, known by one letter.
  Argument& counter(char letter, uint32_t& place, std::string help);

  // `parse` maps a text to Result<T>. The place stays empty when the option is not given.
  template <class T, class Parse>
  Argument& option(std::string name, std::optional<T>& place, Parse parse, std::string help) {
    return add_option(std::move(name), std::move(help), storing(place, std::move(parse)));
  }
  template <class T, class Parse>
  Argument& repeatable(std::string name, std::vector<T>& place, Parse parse, std::string help) {
    Argument& argument = add_option(std::move(name), std::move(help), storing(place, std::move(parse)));
    argument.is_repeatable = true;
    return argument;
  }
  template <class T>
  Argument& choice(std::string name, std::optional<T>& place, Choices<T> choices, std::string help) {
    return with_choices(option(std::move(name), place, choice_parser(choices), std::move(help)), choices);
  }
  // Several of the choices, separated by commas or by repeating the option.
  template <class T>
  Argument& choice_list(std::string name, std::vector<T>& place, Choices<T> choices, std::string help) {
    return with_choices(repeatable(std::move(name), place, choice_parser(choices), std::move(help)), choices)
        .list();
  }

  template <class T, class Parse>
  Argument& positional(std::string value_name, T& place, Parse parse, std::string help) {
    return add_positional(std::move(value_name), std::move(help), [&place, parse](std::string_view text) {
      return assign(parse(text), [&](auto&& value) { place = std::move(value); });
    });
  }
  template <class T>
  Argument& positional_choice(std::string value_name, T& place, Choices<T> choices, std::string help) {
    return with_choices(positional(std::move(value_name), place, choice_parser(choices), std::move(help)),
                        choices);
  }
  template <class T>
  Argument& positional_choices(std::string value_name, std::vector<T>& place, Choices<T> choices,
                               std::string help) {
    Argument& argument =
        add_positional(std::move(value_name), std::move(help), storing(place, choice_parser(choices)));
    argument.is_repeatable = true;
    return with_choices(argument, choices);
  }
  // All words from the first one on that is no option of ours.
  Argument& trailing(std::string value_name, std::vector<std::string>& place, std::string help);

  [[nodiscard]] const std::deque<Argument>& arguments() const { return arguments_; }
  [[nodiscard]] const Argument* find(std::string_view name) const;
  [[nodiscard]] const Argument* find_short(char letter) const;
  [[nodiscard]] std::vector<const Argument*> positionals() const;

 private:
  using Store = std::function<Result<void>(std::string_view)>;

  template <class R, class Then>
  static Result<void> assign(R result, Then then) {
    if (!result) return std::move(result.error());
    then(std::move(*result));
    return {};
  }
  template <class T, class Parse>
  static Store storing(std::optional<T>& place, Parse parse) {
    return [&place, parse](std::string_view text) {
      return assign(parse(text), [&](auto&& value) { place = std::move(value); });
    };
  }
  template <class T, class Parse>
  static Store storing(std::vector<T>& place, Parse parse) {
    return [&place, parse](std::string_view text) {
      return assign(parse(text), [&](auto&& value) { place.push_back(std::move(value)); });
    };
  }
  template <class T>
  static auto choice_parser(Choices<T> choices) {
    return [choices](std::string_view text) -> Result<T> {
      for (const auto& [word, value] : choices) {
        if (word == text) return value;
      }
      return Error("not one of the possible values");
    };
  }
  template <class T>
  static Argument& with_choices(Argument& argument, Choices<T> choices) {
    for (const auto& choice : choices) argument.choices.push_back(choice.first);
    return argument;
  }
  Argument& add_option(std::string name, std::string help, Store store);
  Argument& add_positional(std::string value_name, std::string help, Store store);

  std::deque<Argument> arguments_;  // in order of declaration; references stay valid
  std::string section_;
};

// Values that are taken as they are.
[[nodiscard]] inline Result<std::string> parse_text(std::string_view text) {
  return std::string(text);
}

}  // namespace hq::cli
