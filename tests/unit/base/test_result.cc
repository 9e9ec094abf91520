#include <doctest/doctest.h>

#include "hq/base/result.h"

using namespace hq;

TEST_CASE("an error with one cause prints it unnumbered, several are numbered") {
  Error one = Error("root").with_context("top");
  CHECK(one.full_text() == "top\n\nCaused by:\n    root");

  Error two = std::move(one).with_context("higher");
  CHECK(two.full_text() == "higher\n\nCaused by:\n    0: top\n    1: root");
}
