// Scanner: a place in a text that is being parsed, and the few steps that all value grammars share.
// Characters have a meaning only in ASCII; everything above is a character without one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"

namespace hq::text {

[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string_view trim_front(std::string_view text);

// digit (digit | "_")*
struct Number {
  size_t at = 0;
  size_t digits = 0;              // without underscores
  std::optional<uint32_t> value;  // nothing when it does not fit
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
  [[nodiscard]] size_t position() const { return at_; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  void skip(size_t bytes) { at_ += bytes; }

  bool take(char c);
  // True if there was a blank.
  bool skip_blanks();
  // Nothing, and no step, when there is no digit here.
  std::optional<Number> number();
  // letter or "_", then letters, digits, "_"; without stepping over it.
  [[nodiscard]] std::string_view identifier() const;

  // What stands here is wrong: a single character, `token` when given, or the end of the input.
  [[nodiscard]] Error unexpected(std::string_view label, std::vector<std::string> expected,
                                 std::string_view token = {}) const;
  // What was read from `at` on is well formed, but refused.
  [[nodiscard]] Error refused(size_t at, std::string_view label, std::string note) const;

 private:
  std::string_view text_;
  size_t at_ = 0;
};

inline constexpr const char* kNotU32 = "Cannot parse as 4-byte unsigned integer";

}  // namespace hq::text
