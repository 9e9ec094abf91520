// The commands about files that hold the output of many tasks.
#pragma once

#include "cli/commands/options.h"
#include "cli/output/formatter.h"

namespace hq::cli {

int run_output_log(const OutputLogOptions& options, Output& output);

}  // namespace hq::cli
