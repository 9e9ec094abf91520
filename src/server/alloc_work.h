// What a server has to do with batch systems at the moment: none of it is durable.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hq/base/clock.h"
#include "hq/batch/batch_system.h"
#include "hq/core/alloc_policy.h"
#include "hq/journal/journal.h"
#include "hq/protocol/client_codec.h"
#include "hq/transport/channel.h"

namespace hq {

struct AllocWork {
  // What a request to a batch system is for.
  struct Submitting {
    AllocQueueId queue;
    uint32_t number = 0;
    ManagerKind manager;
    std::string directory;
  };
  struct Recalling {  // an allocation that was being submitted when the last server ended
    AllocQueueId queue;
    uint32_t number = 0;
  };
  struct Trying {  // for a client; `params` become a queue if it works
    PeerId client;
    RequestId request;
    std::shared_ptr<const AllocParams> params;
    std::string script;
  };
  struct Asking {
    ManagerKind manager;
    std::map<std::string, AllocationKey> allocations;
  };
  struct Canceling {
    std::string id;
  };
  struct Discarding {};
  using Purpose = std::variant<Submitting, Recalling, Trying, Asking, Canceling, Discarding>;

  std::map<BatchId, Purpose> pending;  // asked, or about to be
  struct Held {
    CommitNumber commit;  // what it rests on; kOpen until the turn's commit is known
    BatchId id;
    BatchRequest request;
  };
  static constexpr CommitNumber kOpen = ~CommitNumber{0};
  std::deque<Held> held;  // in order
  uint64_t last_request = 0;

  bool changed = true;  // something that a decision may rest on
  TimePoint next_tick{};
  TimePoint next_decision{};
  TimePoint next_refresh{};
  std::map<AllocationKey, WallTime> unneeded;
  // Workers of the allocations that are to be submitted next, one after the other.
  std::map<AllocQueueId, std::deque<uint32_t>> to_submit;
  std::map<AllocationKey, uint32_t> status_errors;  // since the last good answer
  std::deque<std::string> failed_directories;

  // Of this kind are under way.
  template <class P>
  [[nodiscard]] bool has() const {
    for (const auto& [id, purpose] : pending) {
      if (std::holds_alternative<P>(purpose)) return true;
    }
    return false;
  }
  [[nodiscard]] bool asks(ManagerKind manager) const;
};

// What the client is told of it.
[[nodiscard]] std::string failure_message(const BatchFailure& failure, const std::string& script);

}  // namespace hq
