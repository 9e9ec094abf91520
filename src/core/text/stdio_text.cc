#include "hq/core/text/stdio_text.h"

#include "core/text/scanner.h"
#include "hq/core/text/parse_error.h"

namespace hq {

namespace {

constexpr std::string_view kMode = "rm-if-finished";

Result<StdioSpec> stdio(std::string_view text) {
  text::Scanner in(text);
  in.skip_blanks();
  if (in.rest() == "none") return StdioSpec{StdioSpec::Kind::kNull, "", false};
  if (in.rest() == ":") return in.refused(in.position(), "", "Input cannot be empty");
  StdioSpec out;
  out.path = in.rest().substr(0, in.rest().find(':'));
  in.skip(out.path.size());
  if (in.at_end()) {
    if (out.path.empty()) return in.unexpected("", {});
    return out;
  }
  in.skip(1);
  for (char c : kMode) {
    if (!in.take(c)) return in.unexpected(kMode, {std::string(1, c)});
  }
  if (!in.at_end()) return in.unexpected("", {std::string(kEndOfInput)});
  out.remove_if_finished = true;
  return out;
}

}  // namespace

Result<StdioSpec> parse_stdio(std::string_view text) {
  auto parsed = stdio(text);
  if (!parsed) return Error("Cannot parse stream: " + parsed.error().message);
  return parsed;
}

}  // namespace hq
