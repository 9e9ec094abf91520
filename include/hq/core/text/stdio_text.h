// Where stdout and stderr of tasks go (--stdout, --stderr):
//
//   stdio := blank* ( "none" | [ PATH ] [ ":rm-if-finished" ] )     not both parts empty; PATH without ":"
//
// Without a PATH the default path is meant: `path` of the spec is empty then.
#pragma once

#include <string_view>

#include "hq/base/result.h"
#include "hq/core/task.h"

namespace hq {

[[nodiscard]] Result<StdioSpec> parse_stdio(std::string_view text);

}  // namespace hq
