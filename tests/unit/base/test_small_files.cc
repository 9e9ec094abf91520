#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "hq/base/small_files.h"
#include "hq/base/unique_fd.h"

namespace hq {

TEST_CASE("a text that was written is read back, up to the size that is allowed") {
  std::string folder = std::filesystem::temp_directory_path() / "hq-small-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/text";
  const std::string text(10'000, 'x');
  REQUIRE(write_text(path, text + "and more that is gone then", 0600).ok());
  REQUIRE(write_text(path, text, 0600).ok());

  auto read = read_text(path, text.size());
  REQUIRE(read.ok());
  CHECK(*read == text);
  auto too_big = read_text(path, 4096);
  REQUIRE_FALSE(too_big.ok());
  CHECK(too_big.error().message == os_error_text(EFBIG));
  std::filesystem::remove_all(folder);
}

TEST_CASE("what can't be written or read says why") {
  UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full.valid());
  auto written = write_all(full.get(), "x");
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().message == os_error_text(ENOSPC));
  auto read = read_text("/nonexistent/file", 10);
  REQUIRE_FALSE(read.ok());
  CHECK(read.error().message == os_error_text(ENOENT));
}

}  // namespace hq
