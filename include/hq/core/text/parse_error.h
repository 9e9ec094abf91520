// How a value that does not parse is shown to the user:
//
//   Unexpected token found while attempting to parse number, expected _ or x:
//     1 2
//      |
//      --- Unexpected token ` `
//   (newline)
//
// Line 1 says what was found, what was being read (the label; left out when unknown) and what could have
// stood there instead, in alphabetical order ("something else" when nothing is known). Then the input, a bar
// below the place, and a note: the token, or why a well-formed value is refused. For an empty input the last
// lines are
// "(the input was empty)", without a newline at the end. Scripts show these texts to people: they are kept
// character by character.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"

namespace hq {

inline constexpr std::string_view kEndOfInput = "<end of input>";

struct ParseFailure {
  std::string_view input;
  size_t position = 0;                // in bytes; the bar stands below this character
  std::string_view label;             // what was being read; may be empty
  std::vector<std::string> expected;  // in any order, may hold kEndOfInput
  std::string token;                  // what was found; empty = the end of the input
  std::string note;                   // why a well-formed value is refused; empty = the token is the problem
};

[[nodiscard]] Error parse_error(const ParseFailure& failure);

}  // namespace hq
