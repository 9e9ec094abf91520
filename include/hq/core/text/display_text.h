// Text in cells of tables: how wide it is on a terminal, where it is cut and wrapped. Bytes that are not
// UTF-8 count as one column each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hq {

// Columns of one line: wide characters 2, combining and control characters 0.
[[nodiscard]] size_t display_width(std::string_view line);

// Lines of at most `width` columns, broken at blanks (which disappear there), words that are too long inside;
// existing line ends stay. Never empty.
[[nodiscard]] std::vector<std::string> wrap_text(std::string_view text, size_t width);
inline constexpr size_t kArgumentWidth = 80;

// A name of more than 50 bytes: its first 24, "...", its last 23, or less where a character would be cut.
[[nodiscard]] std::string shorten_name(std::string_view name);

// The first `bytes` bytes, or less where a character would be cut.
[[nodiscard]] std::string_view cut_at_character(std::string_view text, size_t bytes);

// Invalid UTF-8 replaced by U+FFFD, one per maximal bad part.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text);

// In double quotes, with backslashes before quotes and for control characters, as debug output shows strings.
[[nodiscard]] std::string debug_text(std::string_view text);

}  // namespace hq
