#include "hq/core/text/shell_words.h"

#include <algorithm>
#include <utility>

namespace hq {

namespace {

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::optional<std::vector<std::string>> split() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n') {
        end_word();
        ++at_;
      } else if (c == '#' && !word_) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (!take_piece(c)) {
        return std::nullopt;
      }
    }
    end_word();
    return std::move(words_);
  }

 private:
  std::string& word() { return word_ ? *word_ : word_.emplace(); }
  void end_word() {
    if (word_) words_.push_back(std::move(*word_));
    word_.reset();
  }
  // One character or one quoted part. False if its end is missing.
  bool take_piece(char c) {
    ++at_;
    if (c == '\'') return take_single_quoted();
    if (c == '"') return take_double_quoted();
    if (c != '\\') {
      word() += c;
      return true;
    }
    if (at_ == text_.size()) return false;
    const char escaped = text_[at_++];
    if (escaped != '\n') word() += escaped;
    return true;
  }
  bool take_single_quoted() {
    const size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) return false;
    word() += text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }
  bool take_double_quoted() {
    word();
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\') {
        word() += c;
        continue;
      }
      if (at_ == text_.size()) return false;
      const char escaped = text_[at_++];
      if (escaped == '\n') continue;
      if (std::string_view("$`\"\\").find(escaped) == std::string_view::npos) word() += '\\';
      word() += escaped;
    }
    return false;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::optional<std::string> word_;  // the one under way
  std::vector<std::string> words_;
};

}  // namespace

std::optional<std::vector<std::string>> split_shell_words(std::string_view text) {
  return Splitter(text).split();
}

}  // namespace hq
