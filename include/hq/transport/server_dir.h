// The server directory: numbered subdirectories, one per life of a server, and the link `hq-current` to the
// one in use. The texts that users see when something is wrong with it are made here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/transport/access.h"

namespace hq {

struct ServerDir {
  std::string path;         // absolute
  bool is_default = false;  // then the advice in messages does not repeat it
};

[[nodiscard]] std::string access_file_of(const std::string& directory);

// --- server -------------------------------------------------------------------

// Makes the next numbered subdirectory (mode 0700, like all directories made on the way) and returns its
// path.
Result<std::string> create_numbered_dir(const ServerDir& dir);
// Lets hq-current name `numbered`, in one step.
Result<void> set_current(const ServerDir& dir, const std::string& numbered);
// Removes hq-current if it still names `numbered`; a missing link is fine.
Result<void> clear_current(const ServerDir& dir, const std::string& numbered);
// `Server at D is already online, ...`
[[nodiscard]] Error already_online_error(const ServerDir& dir);
// The full record of `server start --access-file`.
Result<AccessRecord> load_server_access(const std::string& file, const RunningVersion& running);

// --- clients and workers --------------------------------------------------------

// hq-current if that is a directory, else the directory itself. Fails if `dir` is none.
Result<std::string> active_dir(const ServerDir& dir);
// The record of a client, with all errors as clients print them.
Result<AccessRecord> load_client_access(const ServerDir& dir, const RunningVersion& running);
Result<AccessRecord> load_worker_access(const ServerDir& dir, const RunningVersion& running);
// `Access token found but HQ server H:P is unreachable. ...`
[[nodiscard]] Error unreachable_error(const ServerDir& dir, const RoleAccess& server,
                                      std::vector<std::string> causes);
// The causes for a connection that was refused by key or handshake, from the channel's failure().
[[nodiscard]] std::vector<std::string> refusal_causes(const std::string& failure);

}  // namespace hq
