// What queues of allocations need to know of the place where the server runs.
#pragma once

#include <set>
#include <string>

#include "hq/server/server.h"

namespace hq::cli {

[[nodiscard]] AllocOptions alloc_options(const std::string& numbered_dir);
// Numbered directories of earlier servers where workers of allocations that wait or run look for an access
// file.
[[nodiscard]] std::set<std::string> earlier_server_dirs(const State& state, const std::string& numbered_dir);

}  // namespace hq::cli
