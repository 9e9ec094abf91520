// Splits the words of one command level into occurrences of its options and the rest. The only place that
// knows CLI11: it recognises long and short options, attached values and clusters of letters.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/args/declaration.h"

namespace hq::cli {

struct Occurrence {
  const Argument* argument = nullptr;
  std::string value;
  bool attached = false;  // "--name=value": may begin with a dash, may be empty
};

struct SplitWords {
  std::vector<Occurrence> found;  // in the order given
  // From the first positional word (or "--") on, nothing is looked at; options that the command doesn't know
  // stand before it.
  std::vector<std::string> rest;
  const Argument* lacks_value = nullptr;  // the last word is an option without its value
};

class WordSplitter {
 public:
  // `command` must outlive it.
  explicit WordSplitter(const Command& command);
  ~WordSplitter();
  WordSplitter(const WordSplitter&) = delete;
  WordSplitter& operator=(const WordSplitter&) = delete;

  [[nodiscard]] SplitWords split(std::span<const std::string> words);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace hq::cli
