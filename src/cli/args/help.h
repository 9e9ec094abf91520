// The manual of a command, made from its declaration.
#pragma once

#include "cli/args/parse.h"

namespace hq::cli {

// The long form (--help) explains at length and shows the global options; the short one (-h) is a summary.
[[nodiscard]] StyledText help_text(const CommandNode& node, const Level& level, bool long_form);

}  // namespace hq::cli
