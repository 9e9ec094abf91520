// What `server start` and `server info` print about a server.
#pragma once

#include <optional>
#include <string>

#include "cli/output/formatter.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

// `server_dir` is told by the one that started it; without it nothing is printed in quiet mode.
void print_server_info(const msg::ServerInfo& info, const std::optional<std::string>& server_dir,
                       Output& output);

}  // namespace hq::cli
