#include "core/text/scanner.h"

#include <algorithm>

#include "hq/core/text/parse_error.h"

namespace hq::text {

std::string_view trim_front(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view trim(std::string_view text) {
  text = trim_front(text);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool Scanner::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool Scanner::skip_blanks() {
  const size_t begin = at_;
  while (!at_end() && is_blank(text_[at_])) ++at_;
  return at_ != begin;
}

std::optional<Number> Scanner::number() {
  if (!is_digit(peek())) return std::nullopt;
  Number out;
  out.at = at_;
  uint64_t value = 0;
  for (; is_digit(peek()) || peek() == '_'; ++at_) {
    if (peek() == '_') continue;
    ++out.digits;
    value = std::min<uint64_t>(value * 10 + uint64_t(peek() - '0'), uint64_t{1} << 32);
  }
  if (value <= UINT32_MAX) out.value = uint32_t(value);
  return out;
}

std::string_view Scanner::identifier() const {
  const std::string_view here = rest();
  if (here.empty() || is_digit(here.front())) return {};
  size_t n = 0;
  while (n < here.size() && (is_letter(here[n]) || is_digit(here[n]) || here[n] == '_')) ++n;
  return here.substr(0, n);
}

Error Scanner::unexpected(std::string_view label, std::vector<std::string> expected,
                          std::string_view token) const {
  if (token.empty() && !at_end()) {
    size_t n = 1;  // one character of UTF-8
    while (at_ + n < text_.size() && (text_[at_ + n] & 0xC0) == 0x80) ++n;
    token = text_.substr(at_, n);
  }
  return parse_error({.input = text_,
                      .position = at_,
                      .label = label,
                      .expected = std::move(expected),
                      .token = std::string(token),
                      .note = {}});
}

Error Scanner::refused(size_t at, std::string_view label, std::string note) const {
  return parse_error(
      {.input = text_, .position = at, .label = label, .expected = {}, .token = {}, .note = std::move(note)});
}

}  // namespace hq::text
