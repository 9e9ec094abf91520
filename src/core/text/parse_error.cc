#include "hq/core/text/parse_error.h"

#include <algorithm>

namespace hq {

namespace {

std::string expectation(std::vector<std::string> expected) {
  if (expected.empty()) return "something else";
  std::sort(expected.begin(), expected.end());
  expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
  std::string out;
  for (const auto& item : expected) {
    if (!out.empty()) out += " or ";
    out += item;
  }
  return out;
}

size_t characters(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Error parse_error(const ParseFailure& failure) {
  std::string out = failure.token.empty() ? "Unexpected end of input found" : "Unexpected token found";
  if (!failure.label.empty()) out.append(" while attempting to parse ").append(failure.label);
  out += ", expected " + expectation(failure.expected) + ":\n";
  if (failure.input.empty()) return Error(out + "(the input was empty)");

  const std::string indent(2 + characters(failure.input.substr(0, failure.position)), ' ');
  out.append("  ").append(failure.input).append("\n");
  out += indent + "|\n" + indent + "--- ";
  if (!failure.note.empty()) {
    out += failure.note;
  } else if (!failure.token.empty()) {
    out += "Unexpected token `" + failure.token + "`";
  } else {
    out += "Unexpected end of input";
  }
  return Error(out + "\n");
}

}  // namespace hq
