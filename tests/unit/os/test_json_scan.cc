#include <doctest/doctest.h>

#include <string>

#include "hq/os/json_scan.h"

namespace hq {
namespace {

using Path = std::vector<std::string>;

TEST_CASE("scalars are listed with the way to them") {
  const auto leaves = scan_json(R"( {"a": {"b": "x", "c": [1.5, {"d": null}]}, "e": {}, "f": []} )");

  REQUIRE(leaves.has_value());
  REQUIRE(leaves->size() == 3);
  CHECK((*leaves)[0].path == Path{"a", "b"});
  CHECK((*leaves)[0].text == "x");
  CHECK((*leaves)[1].path == Path{"a", "c", "0"});
  CHECK((*leaves)[1].text == "1.5");
  CHECK((*leaves)[2].path == Path{"a", "c", "1", "d"});
}

TEST_CASE("escapes are undone, and raw control characters and foreign bytes are let through") {
  const auto leaves = scan_json("{\"a\\u0041\": \"q\\\"\\\\\\n\", \"b\": \"two\nlines\xff\"}");

  REQUIRE(leaves.has_value());
  CHECK((*leaves)[0].path == Path{"aA"});
  CHECK((*leaves)[0].text == "q\"\\\n");
  CHECK((*leaves)[1].text == "two\nlines\xff");
}

TEST_CASE("what is no single whole object is refused") {
  const char* whole = R"({"a": {"b": ["x\"", 1]}, "c": true})";
  const std::string text(whole);
  REQUIRE(scan_json(text).has_value());
  for (size_t i = 0; i < text.size(); ++i) CHECK_FALSE(scan_json(text.substr(0, i)).has_value());
  for (const char* bad : {"", "[1]", "\"a\"", "{} {}", "{a:1}", R"({"a":})", R"({"a":1,})", R"({"a" 1})"}) {
    CHECK_FALSE(scan_json(bad).has_value());
  }
}

TEST_CASE("deep nesting is refused") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "{\"a\":";

  CHECK_FALSE(scan_json(text).has_value());
}

}  // namespace
}  // namespace hq
