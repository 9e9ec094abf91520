// What queues of allocations need to know of the place where the server runs.
#pragma once

#include <string>

#include "hq/server/server.h"

namespace hq::cli {

[[nodiscard]] AllocOptions alloc_options(const std::string& numbered_dir);

}  // namespace hq::cli
