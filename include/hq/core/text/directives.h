// Options for submit inside a script:
//
//   #!/bin/bash -l                 line 1 only: the shebang
//   #HQ --cpus="2 compact"         "#HQ" and a blank: options
//   # anything                     skipped, as empty lines are
//   echo                           the first other line ends the search
//
// Only the first 32 KiB are read; a line that is cut by this limit is left out. Blanks before "#" and a CR at
// the end of a line are ignored.
//
//   words := blank* ( word blank+ )*      word := ( character | '"' quoted '"' )+
//
// Quotes may stand anywhere in a word and keep blanks together. `\"` and `\ ` stand for themselves, with the
// backslash. There are no single quotes and no variables. Shebang words are separated by blanks alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"

namespace hq {

inline constexpr size_t kDirectiveBytes = 32 * 1024;

struct Directives {
  std::vector<std::string> options;  // of all #HQ lines, as one command line
  std::vector<std::string> shebang;  // what is put before the command
  friend bool operator==(const Directives&, const Directives&) = default;
};

[[nodiscard]] Result<Directives> parse_directives(std::string_view script);
[[nodiscard]] Result<std::vector<std::string>> split_directive(std::string_view line);

}  // namespace hq
