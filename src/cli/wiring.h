// Puts the program together: the only place that builds real ports and hands them over.
#pragma once

#include <string>

#include "cli/commands/options.h"
#include "cli/output/formatter.h"
#include "hq/base/result.h"
#include "hq/os/launcher.h"
#include "hq/transport/access.h"
#include "hq/transport/server_dir.h"

namespace hq::cli {

// What this program is, for the checks of access files.
[[nodiscard]] RunningVersion running_version();
// --server-dir (or HQ_SERVER_DIR, which the front has read), made absolute; $HOME/.hq-server by default.
[[nodiscard]] ServerDir server_dir_of(const GlobalOptions& global);

// `hq server start` and `hq worker start`: run until their end, return the exit code; what stops them from
// starting is an error.
Result<int> serve(const ServerStartOptions& options, const GlobalOptions& global, Output& output);
Result<int> work(const WorkerStartOptions& options, const GlobalOptions& global,
                 ProcessStartState start_state, Output& output);

}  // namespace hq::cli
