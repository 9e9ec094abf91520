#include "cli/output/text_width.h"

#include "hq/core/text/display_text.h"

namespace hq::cli {
namespace {

// Length of the escape sequence "ESC [ ... letter" at the beginning of `text`, 0 if there is none.
size_t escape_length(std::string_view text) {
  if (text.size() < 3 || text[1] != '[') return 0;
  size_t i = text.find_first_not_of("0123456789;", 2);
  return i == text.npos ? 0 : i + 1;
}

}  // namespace

size_t text_width(std::string_view line) {
  size_t width = 0;
  while (true) {
    const size_t escape = line.find('\x1b');
    width += display_width(line.substr(0, escape));
    if (escape == line.npos) return width;
    line.remove_prefix(escape);
    const size_t length = escape_length(line);
    line.remove_prefix(length > 0 ? length : 1);
  }
}

}  // namespace hq::cli
