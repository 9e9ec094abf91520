// A command in one text, split into words as a POSIX shell does it (--on-notify):
//
//   'quoted'      as it stands
//   "quoted"      \ counts before $ ` " \ and a line feed only, which it removes
//   \c            the character c; nothing for a line feed
//   # ...         at the beginning of a word: the rest of the line is left out
//
// There are no variables and no patterns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hq {

// Nothing when a quote is not closed or a backslash is the last character.
[[nodiscard]] std::optional<std::vector<std::string>> split_shell_words(std::string_view text);

}  // namespace hq
