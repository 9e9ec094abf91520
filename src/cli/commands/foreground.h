// A program of the user in the foreground: on our terminal, with our standard streams.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hq/base/result.h"

namespace hq::cli {

// Waits for its end. Our environment with `added` on top is the program's. Returns how it ended ("exit
// status: 3", "signal: 9 (SIGKILL)"), "" if well; an error if it can't be started.
[[nodiscard]] Result<std::string> run_in_foreground(
    const std::vector<std::string>& argv, const std::vector<std::pair<std::string, std::string>>& added);

}  // namespace hq::cli
