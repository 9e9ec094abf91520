#include <doctest/doctest.h>

#include "hq/core/text/display_text.h"

using namespace hq;

using Lines = std::vector<std::string>;

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("žluť") == 4);
  CHECK(display_width("日本") == 4);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("…") == 1);
  CHECK(display_width("🚀") == 2);
  CHECK(display_width("\x1b") == 0);
  CHECK(display_width("\xFF\xC3") == 2);
  CHECK(display_width("") == 0);
}

TEST_CASE("long arguments are wrapped at blanks") {
  CHECK(wrap_text(
            "sleep 0.05; [ $HQ_TASK_ID != 2 ] || exit 7; : long argument of more than eighty columns so that "
            "the table has to wrap it somewhere here",
            kArgumentWidth) ==
        Lines{"sleep 0.05; [ $HQ_TASK_ID != 2 ] || exit 7; : long argument of more than eighty",
              "columns so that the table has to wrap it somewhere here"});
  CHECK(wrap_text("case $HQ_TASK_ID in [0-6]) echo err; exit $HQ_TASK_ID;; 7) exit 0;; *) sleep 100;; esac",
                  kArgumentWidth) ==
        Lines{"case $HQ_TASK_ID in [0-6]) echo err; exit $HQ_TASK_ID;; 7) exit 0;; *) sleep", "100;; esac"});
  CHECK(wrap_text("", 80) == Lines{""});
  CHECK(wrap_text(" ", 80) == Lines{""});
  CHECK(wrap_text("  a  b", 80) == Lines{"  a  b"});
  CHECK(wrap_text("a\nb\n", 80) == Lines{"a", "b", ""});
  CHECK(wrap_text("aaaa bb", 4) == Lines{"aaaa", "bb"});
  CHECK(wrap_text("aaaaaaaaa b", 4) == Lines{"aaaa", "aaaa", "a b"});
  CHECK(wrap_text("日本語", 4) == Lines{"日本", "語"});
  CHECK(wrap_text("日本語", 1) == Lines{"日", "本", "語"});
}

TEST_CASE("long names keep their ends and whole characters") {
  CHECK(shorten_name("a-long-name-of-more-than-fifty-characters-for-the-table") ==
        "a-long-name-of-more-than...haracters-for-the-table");
  CHECK(shorten_name(std::string(50, 'x')) == std::string(50, 'x'));
  const std::string wide = shorten_name("x" + std::string("日本日本日本日本日本日本日本日本日本日本"));
  CHECK(wide == replace_invalid_utf8(wide));
  CHECK(wide.size() <= 50);
  CHECK(shorten_name(std::string(60, '\x80')).size() <= 50);
  CHECK(cut_at_character("日本", 4) == "日");
  CHECK(cut_at_character("日本", 2).empty());
  CHECK(cut_at_character("ab", 5) == "ab");
}

TEST_CASE("strings are quoted for debug output") {
  CHECK(debug_text("a b") == "\"a b\"");
  CHECK(debug_text("\"\\\n\x01é") == "\"\\\"\\\\\\n\\u{1}é\"");
  CHECK(debug_text("\xFF") == "\"\\xFF\"");
}
