// The script that is handed to sbatch or qsub, and where it is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hq/core/alloc_params.h"
#include "hq/core/ids.h"

namespace hq {

// What all allocations of a server have in common.
struct AllocSite {
  std::string server_dir;  // the numbered one: workers find their access file there
  std::string program;     // ourselves
  std::optional<std::string> rust_log;
};

struct AllocScriptInput {
  const AllocParams& params;
  AllocQueueId queue;
  uint32_t number = 0;
  uint32_t workers = 1;
  std::string directory;
  bool trial = false;
};

// "<server_dir>/autoalloc/<queue>[-<name>]/<number>"
[[nodiscard]] std::string allocation_directory(const std::string& server_dir, AllocQueueId queue,
                                               const AllocParams& params, uint32_t number);
// What one node runs.
[[nodiscard]] std::string allocation_worker_command(const AllocSite& site, const AllocParams& params);
[[nodiscard]] std::string allocation_script(const AllocSite& site, const AllocScriptInput& input);

}  // namespace hq
