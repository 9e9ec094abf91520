// Every grammar is fed with random texts made of what it is sensitive to: it must answer, whatever it gets.
#include <doctest/doctest.h>

#include <functional>

#include "hq/base/random.h"
#include "hq/core/text/directives.h"
#include "hq/core/text/display_text.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/failure_text.h"
#include "hq/core/text/id_array_text.h"
#include "hq/core/text/option_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/core/text/resource_definition_text.h"
#include "hq/core/text/resource_request_text.h"
#include "hq/core/text/selector.h"
#include "hq/core/text/stdio_text.h"
#include "support/thin.h"

using namespace hq;

namespace {

std::string random_text(SeededRandom& random) {
  static const std::vector<std::string> kPieces = {"0",
                                                   "1",
                                                   "9",
                                                   "4294967295",
                                                   "_",
                                                   "-",
                                                   ":",
                                                   ",",
                                                   ".",
                                                   " ",
                                                   "\t",
                                                   "\n",
                                                   "x",
                                                   "[",
                                                   "]",
                                                   "(",
                                                   ")",
                                                   "\"",
                                                   "\\",
                                                   "=",
                                                   "all",
                                                   "last",
                                                   "compact",
                                                   "compact!",
                                                   "tight",
                                                   "scatter",
                                                   "sum(",
                                                   "range(",
                                                   "cpus",
                                                   "mem",
                                                   "GiB",
                                                   "k",
                                                   "h",
                                                   "ms",
                                                   "µs",
                                                   "M",
                                                   "#HQ ",
                                                   "#!",
                                                   "%{",
                                                   "}",
                                                   "CWD",
                                                   "none",
                                                   ":rm-if-finished",
                                                   "日",
                                                   "\xFF",
                                                   "\xC3",
                                                   "é",
                                                   "e",
                                                   "inf",
                                                   "/",
                                                   "cpus[0]",
                                                   std::string(1, '\0')};
  std::string out;
  for (uint64_t i = 0, n = random.below(12); i < n; ++i) {
    if (random.below(5) == 0) {
      out += char(random.below(256));
    } else {
      out += kPieces[random.below(kPieces.size())];
    }
  }
  return out;
}

}  // namespace

TEST_CASE("no text makes a parser crash") {
  SeededRandom random(2026);
  const std::vector<ResourceItem> items = {{"cpus", ResourceGroups{{{"0"}, {"1"}}}}, {"mem", ResourceSum{}}};
  size_t accepted = 0;
  for (uint64_t i = 0; i < test::rounds(40'000); ++i) {
    const std::string text = random_text(random);
    accepted += parse_id_array(text).ok();
    accepted += parse_selector(text, {}).ok();
    accepted += parse_duration(text).ok();
    accepted += parse_human_duration(text).ok();
    accepted += parse_allocation("mem", text).ok();
    accepted += parse_resource_request(text).ok();
    accepted += parse_cpu_definition(text).ok();
    accepted += parse_resource_definition(text).ok();
    accepted += parse_coupling(text, items).ok();
    accepted += parse_detect_resources(text).ok();
    accepted += parse_stdio(text).ok();
    accepted += parse_env(text).ok();
    accepted += parse_crash_limit(text).ok();
    accepted += parse_weight(text).ok();
    accepted += parse_min_utilization(text).ok();
    accepted += parse_priority(text).ok();
    accepted += parse_directives(text).ok();
    CHECK(fill_placeholders(text, {}) == text);
    const auto width = size_t(1 + random.below(6));
    for (const auto& line : wrap_text(text, width)) CHECK(display_width(line) <= std::max<size_t>(width, 2));
    const std::string clean = replace_invalid_utf8(text);
    CHECK(replace_invalid_utf8(clean) == clean);
    CHECK(debug_text(text).size() >= 2);
    CHECK(shorten_name(text + text).size() <= 50);
    CHECK_FALSE(error_file_text(text).empty());
  }
  CHECK(accepted > 0);
}
