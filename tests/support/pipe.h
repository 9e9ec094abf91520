// A pipe whose ends close themselves.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "hq/base/bytes.h"
#include "hq/base/unique_fd.h"

namespace hq::test {

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reading = UniqueFd(ends[0]);
    writing = UniqueFd(ends[1]);
  }
  void write(BytesView bytes) const {
    while (!bytes.empty()) {
      const ssize_t put = ::write(writing.get(), bytes.data(), bytes.size());
      REQUIRE(put > 0);
      bytes.remove_prefix(size_t(put));
    }
  }
};

}  // namespace hq::test
