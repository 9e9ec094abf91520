// How many columns a text takes on a terminal, the same on every machine (no locale is asked): wide
// characters two, combining ones none, escape sequences for colours none.
#pragma once

#include <cstddef>
#include <string_view>

namespace hq::cli {

// REQUIRES: `line` has no line end. Bytes that are not UTF-8 count one each.
[[nodiscard]] size_t text_width(std::string_view line);

}  // namespace hq::cli
