#include <doctest/doctest.h>

#include "hq/core/text/stdio_text.h"
#include "message.h"

using namespace hq;

TEST_CASE("a channel goes to a file, to a file for failures only, or nowhere") {
  using Kind = StdioSpec::Kind;
  CHECK(*parse_stdio("none") == StdioSpec{Kind::kNull, "", false});
  CHECK(*parse_stdio("a/b") == StdioSpec{Kind::kFile, "a/b", false});
  CHECK(*parse_stdio("  a ") == StdioSpec{Kind::kFile, "a ", false});
  CHECK(*parse_stdio("k:rm-if-finished") == StdioSpec{Kind::kFile, "k", true});
  CHECK(*parse_stdio(":rm-if-finished") == StdioSpec{Kind::kFile, "", true});
  CHECK(*parse_stdio("./none") == StdioSpec{Kind::kFile, "./none", false});
  CHECK(*parse_stdio("none:rm-if-finished") == StdioSpec{Kind::kFile, "none", true});
}

TEST_CASE("a bad channel is shown with the place and the reason") {
  CHECK(
      message(parse_stdio("")) ==
      "Cannot parse stream: Unexpected end of input found, expected something else:\n(the input was empty)");
  CHECK(message(parse_stdio(":")) ==
        "Cannot parse stream: Unexpected end of input found, expected something else:\n  :\n  |\n  --- Input "
        "cannot "
        "be empty\n");
  CHECK(message(parse_stdio("a:b")) ==
        "Cannot parse stream: Unexpected token found while attempting to parse rm-if-finished, expected r:\n "
        " a:b\n  "
        "  |\n    --- Unexpected token `b`\n");
  CHECK(message(parse_stdio("a:rm-if-finished:x")) ==
        "Cannot parse stream: Unexpected token found, expected <end of input>:\n  a:rm-if-finished:x\n       "
        "      "
        "     |\n                  --- Unexpected token `:`\n");
  CHECK_FALSE(parse_stdio("a:"));
  CHECK_FALSE(parse_stdio("  "));
}
