#include "cli/args/styled_text.h"

namespace hq::cli {
namespace {

std::string_view escape_of(TextRole role) {
  switch (role) {
    case TextRole::kPlain:
      return "";
    case TextRole::kError:
      return "\x1b[1m\x1b[31m";
    case TextRole::kHeading:
      return "\x1b[1m\x1b[4m";
    case TextRole::kLiteral:
      return "\x1b[1m";
    case TextRole::kInvalid:
      return "\x1b[33m";
    case TextRole::kValid:
      return "\x1b[32m";
    case TextRole::kMarked:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string StyledText::text(bool colors) const {
  std::string out;
  for (const auto& [role, words] : parts_) {
    const bool painted = colors && role != TextRole::kPlain;
    if (painted) out += escape_of(role);
    out += words;
    if (painted) out += "\x1b[0m";
  }
  return out;
}

}  // namespace hq::cli
