// One line at the bottom of a terminal that says how far something is while a command waits. It comes after a
// second, is drawn over itself and leaves nothing behind; without a terminal there is none.
#pragma once

#include <optional>
#include <string>

#include "cli/commands/context.h"
#include "cli/output/formatter.h"

namespace hq::cli {

class LiveLine {
 public:
  // Both outlive it.
  LiveLine(const CommandContext& context, Output& output);
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;
  ~LiveLine() { erase(); }

  // Somebody may see it.
  [[nodiscard]] bool wanted() const { return wanted_; }
  // When it wants to be drawn; nothing when it never does.
  [[nodiscard]] std::optional<TimePoint> due() const;
  [[nodiscard]] bool is_due() const;
  // REQUIRES: wanted().
  void draw(const std::string& text);
  // Before anything else is printed.
  void erase();

 private:
  const CommandContext& context_;
  Output& output_;
  bool wanted_;
  TimePoint next_;
  bool drawn_ = false;
};

}  // namespace hq::cli
