#include <doctest/doctest.h>

#include <set>

#include "hq/base/random.h"
#include "hq/core/text/id_array_text.h"
#include "hq/core/text/selector.h"
#include "message.h"

using namespace hq;

namespace {

std::string again(std::string_view text) {
  const auto array = parse_id_array(text);
  return array ? array->text() : array.error().message;
}

}  // namespace

TEST_CASE("integer arrays are read as written") {
  CHECK(again("1-3,7,10-20:5") == "1-3,7,10-20:5");
  CHECK(again("1 , 2") == "1,2");
  CHECK(again(" 5 ") == "5");
  CHECK(again("1_000") == "1000");
  CHECK(again("1-1") == "1");
  CHECK(again("9,1-3") == "9,1-3");
  CHECK(again("0-9:2") == "0-9:2");
  CHECK(parse_id_array("0-9:2")->count() == 5);
  CHECK(again("0-8:2,1-9:2") == "0-8:2,1-9:2");
}

TEST_CASE("the largest ids are ids like others") {
  CHECK(parse_id_array("4294967295")->count() == 1);
  const auto all = parse_id_array("0-4294967295");
  REQUIRE(all);
  CHECK(all->count() == 4294967296);
  CHECK(all->contains(4294967295));
  CHECK(parse_id_array("4294967290-4294967295:2")->expand() ==
        std::vector<uint32_t>{4294967290, 4294967292, 4294967294});
}

TEST_CASE("a bad array is shown with the place and the reason") {
  CHECK(again("x") ==
        "Unexpected token found while attempting to parse number, expected something else:\n  x\n  |\n  --- "
        "Unexpected "
        "token `x`\n");
  CHECK(again("12-x") ==
        "Unexpected token found while attempting to parse number, expected something else:\n  12-x\n     |\n "
        "    --- "
        "Unexpected token `x`\n");
  CHECK(again("5-4") ==
        "Unexpected end of input found while attempting to parse Integer range, expected something else:\n  "
        "5-4\n  "
        "|\n  --- Invalid range\n");
  for (const std::string bad : {"1-1:1", "1-5:9", "1-2:3:4", "3:2-", "2-9:0"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_id_array(bad));
  }
  CHECK(again("1-2:3:4").ends_with("  1-2:3:4\n  |\n  --- Invalid range\n"));
  CHECK(again("1-3,3-4") ==
        "Unexpected end of input found, expected something else:\n  1-3,3-4\n  |\n  --- Ranges overlap\n");
  CHECK(again("1-") ==
        "Unexpected end of input found while attempting to parse number, expected something else:\n  1-\n    "
        "|\n    "
        "--- Unexpected end of input\n");
  CHECK(again("1,") ==
        "Unexpected end of input found while attempting to parse number, expected something else:\n  1,\n    "
        "|\n    "
        "--- Unexpected end of input\n");
  CHECK(again("1 - 2") ==
        "Unexpected token found, expected , or <end of input>:\n  1 - 2\n    |\n    --- Unexpected token "
        "`-`\n");
  CHECK(again("4294967296") ==
        "Unexpected end of input found while attempting to parse start, expected something else:\n  "
        "4294967296\n  "
        "|\n  --- Cannot parse as 4-byte unsigned integer\n");
  CHECK(again("") ==
        "Unexpected end of input found while attempting to parse number, expected something else:\n(the "
        "input was "
        "empty)");
  CHECK(again("1-9,µ").ends_with("  1-9,µ\n      |\n      --- Unexpected token `µ`\n"));
}

TEST_CASE("ranges may interleave but not meet") {
  CHECK(again("1,1").ends_with("Ranges overlap\n"));
  CHECK(again("0-10:2,5-9:4").starts_with("0-10"));
  CHECK(again("0-10:2,4").ends_with("Ranges overlap\n"));
  CHECK(again("0-4294967295:65536,1-4294967295:65535").ends_with("Ranges overlap\n"));
  CHECK(again("0-4294967294:2,1-4294967295:2").starts_with("0-"));
}

TEST_CASE("the overlap check agrees with counting members") {
  SeededRandom random(11);
  for (int round = 0; round < 3000; ++round) {
    IdArray array;
    for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i) {
      const auto first = uint32_t(random.below(40));
      const auto step = uint32_t(1 + random.below(9));
      const auto last = uint32_t(first + step * random.below(6));
      array.parts.push_back({{first, last, last == first ? 1 : step}, last});
    }
    const auto ids = array.expand();
    CAPTURE(array.text());
    REQUIRE(has_overlap(array) == (std::set<uint32_t>(ids.begin(), ids.end()).size() != ids.size()));
  }
}

TEST_CASE("selectors know the keywords that the command allows") {
  CHECK(parse_selector("last", {})->kind == Selector::Kind::kLast);
  CHECK(parse_selector("all", {})->kind == Selector::Kind::kAll);
  CHECK(parse_selector("1-3", {})->ids.text() == "1-3");
  CHECK(
      message(parse_selector("all", {.all = false})) ==
      "Unexpected token found while attempting to parse number, expected something else:\n  all\n  |\n  --- "
      "Unexpected token `a`\n");
  CHECK(message(parse_selector("LAST", {})).ends_with("Unexpected token `L`\n"));
  CHECK_FALSE(parse_selector("last,1", {}));
  CHECK_FALSE(parse_selector("last", {.last = false}));
}
