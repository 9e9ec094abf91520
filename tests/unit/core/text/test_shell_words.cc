#include <doctest/doctest.h>

#include "hq/core/text/shell_words.h"

using namespace hq;

namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a command is split at blanks, and quotes keep them") {
  CHECK(split_shell_words("echo got") == Words{"echo", "got"});
  CHECK(split_shell_words("  a\t'b c'  \"d e\" f\\ g\n") == Words{"a", "b c", "d e", "f g"});
  CHECK(split_shell_words("a'b c'd") == Words{"ab cd"});
  CHECK(split_shell_words("'' \"\"") == Words{"", ""});
  CHECK(split_shell_words("") == Words{});
}

TEST_CASE("a backslash in double quotes counts before few characters only") {
  CHECK(split_shell_words(R"("a\"b" "c\n" "\$x" "\\")") == Words{"a\"b", "c\\n", "$x", "\\"});
  CHECK(split_shell_words(R"('a\b')") == Words{"a\\b"});
  CHECK(split_shell_words("a\\\nb \"c\\\nd\"") == Words{"ab", "cd"});
}

TEST_CASE("a word that begins with a hash ends the line") {
  CHECK(split_shell_words("a # b\nc d#e") == Words{"a", "c", "d#e"});
}

TEST_CASE("what is not closed is no command") {
  for (const char* text : {"a 'b", "a \"b", "a\\", "\"a\\"}) CHECK_FALSE(split_shell_words(text));
}
