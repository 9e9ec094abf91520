#include <doctest/doctest.h>

#include "hq/core/text/size_text.h"

using namespace hq;

TEST_CASE("sizes have binary units, in any case and with or without a blank") {
  CHECK(*parse_size("2GiB") == uint64_t{2} << 30);
  CHECK(*parse_size("500MiB") == uint64_t{500} << 20);
  CHECK(*parse_size("500mb") == uint64_t{500} << 20);
  CHECK(*parse_size("1.5 G") == uint64_t{3} << 29);
  CHECK(*parse_size(" 1k ") == 1024);
  CHECK(*parse_size("0.0001KiB") == 1);
  CHECK(*parse_size("1T") == uint64_t{1} << 40);
}

TEST_CASE("what has no unit, or is none, is refused") {
  for (const char* text : {"", "100", "GiB", "1.2.3G", "2 GiBs", "2Gb/s", "-1G", "2X", ".", "1 0G", "0x10G"})
    CHECK_FALSE(parse_size(text));
  CHECK(parse_size("100").error().message == "expected a size with its unit, like 2GiB or 500MiB");
  CHECK(parse_size("0G").error().message == "the size is 0");
  CHECK(parse_size("99999999999T").error().message == "the size is too large");
}

TEST_CASE("a size is written in the largest unit of which there is one") {
  CHECK(memory_size_text(uint64_t{2} << 30) == "2 GiB");
  CHECK(memory_size_text((uint64_t{2} << 30) + (uint64_t{300} << 20)) == "2.29 GiB");
  CHECK(memory_size_text(1536) == "1.5 KiB");
  CHECK(memory_size_text(512) == "512 B");
  CHECK(memory_size_text(0) == "0 B");
  CHECK(memory_size_text(uint64_t{5000} << 40) == "5000 TiB");
}
