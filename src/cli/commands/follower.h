// For commands that wait: a server with a journal may go away and come back, at another place too.
#pragma once

#include <optional>

#include "cli/commands/context.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

class Follower {
 public:
  // Asks the server whether it would come back, but does not wait for the answer. `context` outlives the
  // follower.
  Follower(const CommandContext& context, Client client);

  [[nodiscard]] Client& client() { return *client_; }
  // After an error of client(): waits for the same server, for as long as it promised to be waited for. True
  // if it is there again: client() talks to it, and whoever asked something has to ask once more.
  [[nodiscard]] bool come_back();

 private:
  [[nodiscard]] bool would_come_back();
  [[nodiscard]] bool try_to_reach();

  const CommandContext& context_;
  std::optional<Client> client_;
  RequestId info_request_;
  std::optional<msg::ServerInfo> server_;
};

}  // namespace hq::cli
