#include "cli/output/style.h"

#include <array>
#include <span>
#include <utility>

namespace hq::cli {
namespace {

using NamedColor = std::pair<std::string_view, Color>;

constexpr std::array<NamedColor, 7> kTaskStates = {{
    {"WAITING", Color::kCyan},
    {"OPENED", Color::kCyan},
    {"RUNNING", Color::kYellow},
    {"FINISHED", Color::kGreen},
    {"FAILED", Color::kRed},
    {"CANCELED", Color::kMagenta},
    {"ABORTED", Color::kBlue},
}};

constexpr std::array<NamedColor, 6> kWorkerStates = {{
    {"RUNNING", Color::kGreen},
    {"CONNECTION LOST", Color::kRed},
    {"HEARTBEAT LOST", Color::kRed},
    {"IDLE TIMEOUT", Color::kCyan},
    {"TIME LIMIT REACHED", Color::kCyan},
    {"STOPPED", Color::kMagenta},
}};

Color find_color(std::span<const NamedColor> table, std::string_view name) {
  for (const auto& [state, color] : table) {
    if (state == name) return color;
  }
  return Color::kNone;
}

}  // namespace

std::string_view escape_of(Color color) {
  switch (color) {
    case Color::kNone:
      return "";
    case Color::kRed:
      return "\x1b[31m";
    case Color::kGreen:
      return "\x1b[32m";
    case Color::kYellow:
      return "\x1b[33m";
    case Color::kBlue:
      return "\x1b[34m";
    case Color::kMagenta:
      return "\x1b[35m";
    case Color::kCyan:
      return "\x1b[36m";
    case Color::kBrightRed:
      return "\x1b[91m";
  }
  return "";
}

Style::Style(ColorChoice choice, const TerminalFacts& facts) {
  const bool wanted = facts.stdout_is_terminal && !facts.no_color;
  text_ = choice == ColorChoice::kAlways || (choice == ColorChoice::kAuto && wanted);
  tables_ = choice == ColorChoice::kAlways || (text_ && !facts.dumb);
}

std::string Style::paint(bool on, Color color, std::string_view words) {
  std::string out;
  if (on) out += escape_of(color);
  out += words;
  if (on && color != Color::kNone) out += kResetEscape;
  return out;
}

Color task_state_color(std::string_view name) {
  return find_color(kTaskStates, name);
}
Color worker_state_color(std::string_view name) {
  return find_color(kWorkerStates, name);
}

}  // namespace hq::cli
