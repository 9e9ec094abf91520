// Text for stderr or for help whose parts have roles; printed with or without the colours of those roles.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hq::cli {

enum class TextRole { kPlain, kError, kHeading, kLiteral, kInvalid, kValid, kMarked };

class StyledText {
 public:
  StyledText& plain(std::string_view words) { return add(TextRole::kPlain, words); }
  StyledText& literal(std::string_view words) { return add(TextRole::kLiteral, words); }
  StyledText& invalid(std::string_view words) { return add(TextRole::kInvalid, words); }
  StyledText& valid(std::string_view words) { return add(TextRole::kValid, words); }
  StyledText& marked(std::string_view words) { return add(TextRole::kMarked, words); }
  StyledText& add(TextRole role, std::string_view words) {
    parts_.emplace_back(role, words);
    return *this;
  }
  StyledText& append(const StyledText& other) {
    parts_.insert(parts_.end(), other.parts_.begin(), other.parts_.end());
    return *this;
  }
  [[nodiscard]] std::string text(bool colors) const;

 private:
  std::vector<std::pair<TextRole, std::string>> parts_;
};

}  // namespace hq::cli
