// The words of one level of the command line, against one declaration: stores values, finds mistakes, and
// stops at the name of a subcommand.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/args/usage.h"
#include "cli/args/words.h"

namespace hq::cli {

class LevelParser {
 public:
  // `level` must outlive it. `stop` is asked after each option: true ends the parsing (help was asked for).
  LevelParser(const Level& level, std::function<bool()> stop);

  // The first mistake, if any. Values before it are stored.
  [[nodiscard]] std::optional<UsageError> take(std::vector<std::string> words);
  // Conflicts and missing arguments; after take().
  [[nodiscard]] std::optional<UsageError> check() const;

  // What take() stopped at: the name of a subcommand and what follows; empty if there was none.
  [[nodiscard]] const std::vector<std::string>& rest() const { return rest_; }
  // In order of their first appearance.
  [[nodiscard]] const ArgumentList& given() const { return given_; }

 private:
  std::optional<UsageError> take_option(const Occurrence& occurrence);
  std::optional<UsageError> take_positional(const Argument& argument, const std::string& word);
  std::optional<UsageError> take_all_positionals(std::span<const std::string> words);
  const Argument* next_positional() const;
  size_t our_part(const std::vector<std::string>& words) const;
  void note_given(const Argument& argument);
  bool was_given(const Argument* argument) const;
  bool is_option(std::string_view word) const;

  const Level& level_;
  std::function<bool()> stop_;
  ArgumentList positionals_;
  ArgumentList given_;
  std::vector<std::string> rest_;
};

// One value of `argument`, from wherever it comes: checks emptiness and choices, splits lists, stores.
[[nodiscard]] std::optional<UsageError> store_value(const Level& level, const Argument& argument,
                                                    std::string_view value);

}  // namespace hq::cli
