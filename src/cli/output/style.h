// Colours on stdout: when they are used, and which colour a state has. Log lines and usage errors decide for
// themselves, by stderr.
#pragma once

#include <string>
#include <string_view>

namespace hq::cli {

enum class Color { kNone, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan, kBrightRed };
enum class ColorChoice { kAuto, kAlways, kNever };

// The escape sequence that begins a colour; empty for kNone.
[[nodiscard]] std::string_view escape_of(Color color);
constexpr std::string_view kResetEscape = "\x1b[0m";
constexpr std::string_view kBoldEscape = "\x1b[1m";

// What a terminal said about itself, read once by main.
struct TerminalFacts {
  bool stdout_is_terminal = false;
  bool no_color = false;  // NO_COLOR is set
  bool dumb = false;      // TERM=dumb
};

// Where colours are on. A dumb terminal loses them in tables only, as in the original.
class Style {
 public:
  Style() = default;
  Style(ColorChoice choice, const TerminalFacts& facts);
  [[nodiscard]] bool text() const { return text_; }
  [[nodiscard]] bool tables() const { return tables_; }
  // `words` in that colour, if text has colours.
  [[nodiscard]] std::string paint(Color color, std::string_view words) const {
    return paint(text_, color, words);
  }
  // The same for a part of a table's cell.
  [[nodiscard]] std::string paint_cell(Color color, std::string_view words) const {
    return paint(tables_, color, words);
  }

 private:
  [[nodiscard]] static std::string paint(bool on, Color color, std::string_view words);
  bool text_ = false;
  bool tables_ = false;
};

// The colour of a job, task or worker state by its upper-case name ("RUNNING", "CONNECTION LOST"): kNone for
// other words. A task state and a worker state of one name have one colour, except RUNNING.
[[nodiscard]] Color task_state_color(std::string_view name);
[[nodiscard]] Color worker_state_color(std::string_view name);

}  // namespace hq::cli
