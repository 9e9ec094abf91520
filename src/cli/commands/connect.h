// The world that commands run in: the machine's clock and files, and connections to the server that the
// server directory names.
#pragma once

#include <memory>
#include <vector>

#include "cli/commands/context.h"
#include "hq/transport/zmq.h"

namespace hq::cli {

// What becomes of a connection that failed, as users see it.
[[nodiscard]] Error connection_error(const ServerDir& dir, const RoleAccess& server,
                                     const Client::ConnectionFailure& failure);

class StandardContext {
 public:
  StandardContext(ServerDir dir, RunningVersion running);
  StandardContext(const StandardContext&) = delete;
  StandardContext& operator=(const StandardContext&) = delete;

  // Lives as long as this object.
  [[nodiscard]] const CommandContext& context() const { return context_; }

 private:
  Result<Client> connect();

  CommandContext context_;
  SystemClock clock_;
  SystemFiles files_;
  // Made for the first connection: most of what a command costs is here.
  std::unique_ptr<Transport> transport_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  bool warned_ = false;
};

}  // namespace hq::cli
