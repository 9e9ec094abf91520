#include <doctest/doctest.h>

#include "cli/output/progress_bar.h"
#include "golden.h"

using namespace hq::cli;

namespace {

StateCounts counts(uint64_t waiting, uint64_t running, uint64_t finished) {
  StateCounts c;
  c.waiting = waiting;
  c.running = running;
  c.finished = finished;
  return c;
}

}  // namespace

TEST_CASE("the progress line is redrawn over itself, with counts that are not zero") {
  Style plain;
  CHECK(progress_line(counts(1, 0, 0), 0, 1, plain) + progress_line(counts(0, 1, 0), 0, 1, plain) +
            progress_line(counts(0, 0, 1), 0, 1, plain) + progress_line(counts(0, 0, 1), 1, 1, plain) +
            "\n" ==
        golden("progress_line.txt"));
}

TEST_CASE("the progress line has a colour per segment and per state") {
  Style colored(ColorChoice::kAlways, {});
  CHECK(progress_line(counts(2, 0, 0), 0, 1, colored) + progress_line(counts(0, 1, 1), 0, 1, colored) +
            "\n" ==
        golden("progress_line_colors.txt"));
}

TEST_CASE("each segment is rounded up as long as there is room") {
  CHECK(progress_bar(counts(5, 3, 0), false) == "[###############.........................]");
  CHECK(progress_bar(counts(1'000'000, 1, 0), false) == "[#.......................................]");
  CHECK(progress_bar(counts(0, 1, 1'000'000), false) == "[########################################]");
  CHECK(progress_bar({}, false) == "[........................................]");
  StateCounts many;
  many.aborted = many.canceled = 1ULL << 62;
  CHECK(progress_bar(many, false) == "[########################################]");
}

TEST_CASE("aborted tasks are counted in bright red and cells of a dumb terminal are plain") {
  StateCounts c;
  c.aborted = 2;
  CHECK(progress_cell(c, Style(ColorChoice::kAlways, {})).ends_with("\n\x1b[91mABORTED (2)\x1b[0m"));
  TerminalFacts dumb{.stdout_is_terminal = true, .no_color = false, .dumb = true};
  Style style(ColorChoice::kAuto, dumb);
  CHECK(progress_cell(c, style).ends_with("]\nABORTED (2)"));
  CHECK(style.paint(Color::kGreen, "successfully") == "\x1b[32msuccessfully\x1b[0m");
}

TEST_CASE("colours are used on a terminal unless refused, and anywhere when demanded") {
  TerminalFacts terminal{.stdout_is_terminal = true, .no_color = false, .dumb = false};
  CHECK(Style(ColorChoice::kAuto, terminal).tables());
  CHECK_FALSE(Style(ColorChoice::kNever, terminal).text());
  CHECK_FALSE(Style(ColorChoice::kAuto, {}).text());
  CHECK(Style(ColorChoice::kAlways, {}).text());
  terminal.no_color = true;
  CHECK_FALSE(Style(ColorChoice::kAuto, terminal).text());
}
