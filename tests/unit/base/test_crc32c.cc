#include <doctest/doctest.h>

#include <string>

#include "hq/base/crc32c.h"

using namespace hq;

TEST_CASE("CRC-32C gives the published values") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
}

TEST_CASE("tables and instruction agree, in one piece and in two") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) bytes += char(i * 7 + i / 11);

  for (size_t length = 0; length < bytes.size(); ++length) {
    const BytesView view = BytesView(bytes).substr(0, length);
    CHECK(crc32c(view) == crc32c_by_tables(view));
    CHECK(crc32c(view.substr(length / 3), crc32c(view.substr(0, length / 3))) == crc32c(view));
  }
}
