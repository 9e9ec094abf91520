#include "cli/commands/live_line.h"

#include <string_view>

namespace hq::cli {
namespace {

constexpr Duration kFirst = 1s;
constexpr Duration kRedraw = 250ms;
constexpr std::string_view kErase = "\r\x1b[2K";
// What is wider than the terminal is cut there: a line that wraps could not be erased.
constexpr std::string_view kNoWrap = "\x1b[?7l";
constexpr std::string_view kWrap = "\x1b[?7h";

bool has_cursor(const Environment& environment) {
  const char* term = environment("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

LiveLine::LiveLine(const CommandContext& context, Output& output)
    : context_(context),
      output_(output),
      wanted_(context.stdout_is_terminal && output.cli() && has_cursor(context.environment)),
      next_(context.clock->now().mono + kFirst) {}

std::optional<TimePoint> LiveLine::due() const {
  return wanted_ ? std::optional(next_) : std::nullopt;
}

bool LiveLine::is_due() const {
  return wanted_ && context_.clock->now().mono >= next_;
}

void LiveLine::draw(const std::string& text) {
  std::string bytes(kErase);
  bytes.append(kNoWrap).append(text).append(kWrap);
  output_.print_raw(bytes);
  drawn_ = true;
  next_ = context_.clock->now().mono + kRedraw;
}

void LiveLine::erase() {
  if (drawn_) output_.print_raw(kErase);
  drawn_ = false;
}

}  // namespace hq::cli
