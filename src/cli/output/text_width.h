// How many columns a text takes that may hold escape sequences for colours: these take none.
#pragma once

#include <cstddef>
#include <string_view>

namespace hq::cli {

// REQUIRES: `line` has no line end. Otherwise as display_width() of core.
[[nodiscard]] size_t text_width(std::string_view line);

}  // namespace hq::cli
