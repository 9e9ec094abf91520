// `submit --on-notify`: a program of the user that is run for each message of a task, one at a time.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/context.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

class NotifyCallback {
 public:
  // `context` outlives it.
  NotifyCallback(const std::string& command, const CommandContext& context);
  // Returns when the program has ended. That it fails is logged, and no more.
  void run(const msg::TaskNotice& notice) const;

 private:
  std::vector<std::string> words_;
  const CommandContext& context_;
};

}  // namespace hq::cli
