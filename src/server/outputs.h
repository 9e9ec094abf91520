// The workers' output connections: who speaks on which, what has arrived of each worker, and how much may be
// under way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "hq/core/ids.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/worker_codec.h"
#include "hq/stream/log_store.h"
#include "hq/transport/channel.h"

namespace hq {

struct OutputLink {
  std::optional<PeerId> peer;
  SessionId session;     // of the worker, named in all messages
  uint64_t counter = 0;  // of its newest hello
  uint64_t last = 0;     // number of the newest OutputData that has arrived
  // Told over a connection that may not have delivered it; told again after the next hello.
  std::map<uint64_t, std::vector<msg::OutputFailure>> failures;
};

struct Outputs {
  std::map<PeerId, WorkerUid> by_peer;
  std::map<WorkerUid, OutputLink> links;
  struct Batch {
    WorkerUid worker;
    uint64_t number = 0;
  };
  std::map<LogBatchId, Batch> batches;  // handed to the store
  uint64_t last_batch = 0;

  // All connections share one pool; one alone gets no more than it can use.
  [[nodiscard]] uint64_t window() const {
    const uint64_t share = limits::kOutputPool / std::max<uint64_t>(by_peer.size(), 1);
    return std::clamp<uint64_t>(share, limits::kLeastOutputWindow, limits::kMostOutputWindow);
  }
};

}  // namespace hq
