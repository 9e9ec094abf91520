// The file of `worker deploy-ssh`: one machine per line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"

namespace hq::cli {

struct SshHost {
  std::string name;
  std::optional<uint16_t> port;

  // "h1", "h1:22": as in the file.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const SshHost&, const SshHost&) = default;
};

// `host` or `host:port` per line, blanks around it trimmed; empty lines are passed over. A name with several
// colons is an IPv6 address; "[::1]:22" gives it a port. A file without hosts is an error.
[[nodiscard]] Result<std::vector<SshHost>> parse_hostfile(std::string_view text);

// The local command that starts a worker there: `program` is the path of hq on all machines.
[[nodiscard]] std::vector<std::string> ssh_command(const SshHost& host, const std::string& program,
                                                   const std::vector<std::string>& worker_args);

}  // namespace hq::cli
