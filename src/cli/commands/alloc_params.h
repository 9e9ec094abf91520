// The options of `hq alloc add` as what the server is asked for.
#pragma once

#include <functional>
#include <string>

#include "cli/commands/options.h"
#include "hq/base/result.h"
#include "hq/core/alloc_params.h"

namespace hq::cli {

// The warnings are given to `warn` as they are found: what comes after them may be an error.
[[nodiscard]] Result<AllocParams> make_alloc_params(const AllocQueueOptions& options,
                                                    const std::function<void(const std::string&)>& warn);

}  // namespace hq::cli
