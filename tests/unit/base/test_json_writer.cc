#include <doctest/doctest.h>

#include <limits>

#include "hq/base/json_writer.h"

using namespace hq;

namespace {

template <class Fill>
std::string written(JsonWriter::Layout layout, Fill fill) {
  std::string out;
  JsonWriter json(layout, [&](std::string_view part) { out += part; });
  fill(json);
  json.finish();
  return out;
}

template <class T>
std::string written_value(T value) {
  return written(JsonWriter::Layout::kPretty, [&](JsonWriter& json) { json.value(value); });
}

void fill_sample(JsonWriter& json) {
  json.begin_array();
  json.begin_object();
  json.member("a", std::optional<int64_t>());
  json.key("b");
  json.begin_array();
  json.end_array();
  json.key("c");
  json.begin_object();
  json.end_object();
  json.member("d", uint32_t{3});
  json.end_object();
  json.value(true);
  json.end_array();
}

}  // namespace

TEST_CASE("a pretty document has two blanks per level and nothing inside empty containers") {
  CHECK(written(JsonWriter::Layout::kPretty, fill_sample) ==
        "[\n  {\n    \"a\": null,\n    \"b\": [],\n    \"c\": {},\n    \"d\": 3\n  },\n  true\n]");
}

TEST_CASE("a compact document has no blanks") {
  CHECK(written(JsonWriter::Layout::kCompact, fill_sample) == R"([{"a":null,"b":[],"c":{},"d":3},true])");
}

TEST_CASE("text is escaped as far as JSON demands it and no further") {
  CHECK(written_value("a\"b\\c/\n\t\r\b\f\x01\x1f\x7f é") ==
        "\"a\\\"b\\\\c/\\n\\t\\r\\b\\f\\u0001\\u001f\x7f é\"");
}

TEST_CASE("bytes that are not UTF-8 become replacement characters") {
  CHECK(written_value("a\xff\xc3(\xed\xa0\x80") == "\"a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD\"");
  CHECK(written_value("\xe2\x82") == "\"\uFFFD\uFFFD\"");
}

TEST_CASE("floating point numbers have the shortest digits that read back the same") {
  CHECK(written_value(8.0) == "8.0");
  CHECK(written_value(0.5) == "0.5");
  CHECK(written_value(0.0) == "0.0");
  CHECK(written_value(-0.0) == "-0.0");
  CHECK(written_value(0.1 + 0.2) == "0.30000000000000004");
  CHECK(written_value(123456.789) == "123456.789");
  CHECK(written_value(1e15) == "1000000000000000.0");
  CHECK(written_value(1e16) == "1e16");
  CHECK(written_value(1.5e300) == "1.5e300");
  CHECK(written_value(0.00001) == "0.00001");
  CHECK(written_value(0.000001) == "1e-6");
  CHECK(written_value(-1.25e-9) == "-1.25e-9");
  CHECK(written_value(0.1F) == "0.1");
  CHECK(written_value(std::numeric_limits<double>::infinity()) == "null");
}

TEST_CASE("integers are written whole at both ends of their range") {
  CHECK(written_value(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(written_value(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("a long document leaves in pieces, so that memory stays small") {
  size_t largest = 0;
  size_t total = 0;
  JsonWriter json(JsonWriter::Layout::kPretty, [&](std::string_view part) {
    largest = std::max(largest, part.size());
    total += part.size();
  });
  json.begin_array();
  for (uint32_t i = 0; i < 200'000; ++i) {
    json.begin_object();
    json.member("id", i);
    json.member("state", "waiting");
    json.end_object();
  }
  json.end_array();
  json.finish();

  CHECK(total > 8'000'000);
  CHECK(largest < 100'000);
}
