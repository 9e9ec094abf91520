#include "hq/core/text/display_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "core/text/width_tables.h"

namespace hq {

namespace {

constexpr uint32_t kInvalid = 0xFFFD;

struct Character {
  uint32_t code = kInvalid;
  size_t bytes = 1;
  bool valid = false;
};

bool is_continuation(char c) {
  return (c & 0xC0) == 0x80;
}

// The character `text` begins with; for bad bytes as many as could have begun one. REQUIRES: text not empty.
Character first_character(std::string_view text) {
  const auto lead = uint8_t(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || !is_continuation(text[i])) return {kInvalid, i, false};
    const auto byte = uint8_t(text[i]);
    // The second byte also tells overlong forms, surrogates and what is above U+10FFFF.
    if (i == 1 && ((lead == 0xE0 && byte < 0xA0) || (lead == 0xED && byte > 0x9F) ||
                   (lead == 0xF0 && byte < 0x90) || (lead == 0xF4 && byte > 0x8F))) {
      return {};
    }
    code = (code << 6) | (byte & 0x3F);
  }
  return {code, length, true};
}

template <size_t N>
bool in_table(const text::CodeRange (&table)[N], uint32_t code) {
  const auto* const after =
      std::upper_bound(std::begin(table), std::end(table), code,
                       [](uint32_t c, const text::CodeRange& r) { return c < r.first; });
  return after != std::begin(table) && code <= std::prev(after)->last;
}

size_t columns(const Character& character) {
  if (!character.valid) return character.bytes;
  if (character.code < 0x80) return character.code >= 0x20 && character.code != 0x7F ? 1 : 0;
  if (in_table(text::kZeroWidth, character.code)) return 0;
  return in_table(text::kWide, character.code) ? 2 : 1;
}

// Bytes of the longest front of `text` that is at most `width` wide; at least one character.
size_t front_of_width(std::string_view text, size_t width) {
  size_t bytes = 0;
  size_t used = 0;
  while (bytes < text.size()) {
    const Character next = first_character(text.substr(bytes));
    used += columns(next);
    if (used > width && bytes > 0) break;
    bytes += next.bytes;
  }
  return bytes;
}

void trim_end(std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
}

// One line of the original text.
void wrap_line(std::string_view text, size_t width, std::vector<std::string>& out) {
  std::string line;
  size_t used = 0;
  const auto finish = [&] {
    trim_end(line);
    out.push_back(std::move(line));
    line.clear();
    used = 0;
  };
  while (!text.empty()) {
    // A word with the blanks behind it; the blanks may hang over the edge.
    const size_t word_end = std::min(text.find(' '), text.size());
    const size_t next = std::min(text.find_first_not_of(' ', word_end), text.size());
    std::string_view word = text.substr(0, word_end);
    if (used > 0 && used + display_width(word) > width) finish();
    while (display_width(word) > width) {
      const size_t n = front_of_width(word, width);
      if (n == word.size()) break;  // one character, wider than the line
      line += word.substr(0, n);
      word.remove_prefix(n);
      finish();
    }
    line.append(word).append(next - word_end, ' ');
    used += display_width(word) + (next - word_end);
    text.remove_prefix(next);
  }
  finish();
}

}  // namespace

size_t display_width(std::string_view line) {
  size_t width = 0;
  while (!line.empty()) {
    const Character next = first_character(line);
    width += columns(next);
    line.remove_prefix(next.bytes);
  }
  return width;
}

std::vector<std::string> wrap_text(std::string_view text, size_t width) {
  std::vector<std::string> out;
  for (bool more = true; more;) {
    const size_t end = text.find('\n');
    wrap_line(text.substr(0, end), std::max<size_t>(width, 1), out);
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
  }
  return out;
}

std::string_view cut_at_character(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  // A run of continuation bytes longer than a character has is no UTF-8: it is cut where asked.
  for (size_t n = bytes; n + 4 > bytes; --n) {
    if (!is_continuation(text[n])) return text.substr(0, n);
    if (n == 0) break;
  }
  return text.substr(0, bytes);
}

std::string shorten_name(std::string_view name) {
  constexpr size_t kLongest = 50, kFront = 24, kBack = 23;
  if (name.size() <= kLongest) return std::string(name);
  std::string_view back = name.substr(name.size() - kBack);
  for (int i = 0; i < 3 && is_continuation(back.front()); ++i) back.remove_prefix(1);
  return std::string(cut_at_character(name, kFront)) + "..." + std::string(back);
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character next = first_character(text);
    if (next.valid) {
      out += text.substr(0, next.bytes);
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::string debug_text(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Character next = first_character(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
    if (!next.valid) {
      for (char c : bytes) out += fmt::format("\\x{:02X}", uint8_t(c));
    } else if (next.code == '"' || next.code == '\\') {
      out.append("\\").append(bytes);
    } else if (next.code == '\n' || next.code == '\t' || next.code == '\r' || next.code == 0) {
      out += next.code == '\n' ? "\\n" : next.code == '\t' ? "\\t" : next.code == '\r' ? "\\r" : "\\0";
    } else if (next.code < 0x20 || (next.code >= 0x7F && next.code < 0xA0)) {
      out += fmt::format("\\u{{{:x}}}", next.code);
    } else {
      out += bytes;
    }
  }
  return out + "\"";
}

}  // namespace hq
