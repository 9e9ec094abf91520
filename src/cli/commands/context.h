// What a command gets from main besides its options: the world it runs in. Whatever is outside of the program
// comes in here, so that commands are tested without a server, a terminal or files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/args/parse.h"
#include "cli/commands/local_files.h"
#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/client/client.h"
#include "hq/transport/server_dir.h"

namespace hq::cli {

struct CommandContext {
  std::string working_directory;  // absolute: relative paths of options and the submit directory
  Environment environment;
  // A new conversation with the server; each call makes one. What it stands on outlives the command. The
  // errors are what users see.
  std::function<Result<Client>()> connect;
  ServerDir server_dir;    // for messages, and for what needs no server
  RunningVersion running;  // of this program
  Clock* clock = nullptr;
  std::function<void(TimePoint)> sleep_until;
  // Standard input up to its end.
  std::function<Result<std::string>()> read_stdin;
  LocalFiles* files = nullptr;
  // In the foreground, to its end; see run_in_foreground().
  std::function<Result<std::string>(const std::vector<std::string>& argv,
                                    const std::vector<std::pair<std::string, std::string>>& environment)>
      run_program;
  bool stdout_is_terminal = false;
};

}  // namespace hq::cli
