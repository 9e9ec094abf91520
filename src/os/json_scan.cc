#include "hq/os/json_scan.h"

#include "hq/base/text_parts.h"

namespace hq {
namespace {

constexpr size_t kMostNesting = 64;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool whole_text() {
    skip_blanks();
    if (!next_is('{')) return false;
    return value() && (skip_blanks(), rest_.empty());
  }
  std::vector<JsonLeaf> take_leaves() { return std::move(leaves_); }

 private:
  bool next_is(char c) const { return !rest_.empty() && rest_[0] == c; }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
  bool accept(char c) {
    skip_blanks();
    if (!next_is(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool value() {
    if (path_.size() > kMostNesting) return false;
    skip_blanks();
    if (next_is('{')) return members(true, '}');
    if (next_is('[')) return members(false, ']');
    std::optional<std::string> text = next_is('"') ? string() : word();
    if (!text) return false;
    leaves_.push_back({path_, std::move(*text)});
    return true;
  }

  // The inside of an object or an array.
  bool members(bool keys, char end) {
    rest_.remove_prefix(1);
    if (accept(end)) return true;
    for (size_t index = 0;; ++index) {
      skip_blanks();
      std::optional<std::string> key = keys ? string() : std::to_string(index);
      if (!key || (keys && !accept(':'))) return false;
      path_.push_back(std::move(*key));
      if (!value()) return false;
      path_.pop_back();
      if (accept(end)) return true;
      if (!accept(',')) return false;
    }
  }

  std::optional<std::string> word() {
    const size_t length = std::min(rest_.find_first_of(" \t\r\n,]}:\"[{"), rest_.size());
    if (length == 0) return std::nullopt;
    std::string text(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return text;
  }

  std::optional<std::string> string() {
    if (!next_is('"')) return std::nullopt;
    std::string text;
    for (size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] != '\\') {
        text += rest_[i];
        continue;
      }
      if (++i == rest_.size()) break;
      const auto unit = rest_[i] == 'u' ? parse_number<uint32_t>(rest_.substr(i + 1, 4), 16) : std::nullopt;
      text += unit ? (*unit < 0x80 ? static_cast<char>(*unit) : '?') : unescaped(rest_[i]);
      if (unit) i += 4;
    }
    return std::nullopt;
  }

  static char unescaped(char c) {
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      default:
        return c;
    }
  }

  std::string_view rest_;
  std::vector<std::string> path_;
  std::vector<JsonLeaf> leaves_;
};

}  // namespace

std::optional<std::vector<JsonLeaf>> scan_json(std::string_view text) {
  Scanner scanner(text);
  if (!scanner.whole_text()) return std::nullopt;
  return scanner.take_leaves();
}

}  // namespace hq
