// Messages on their way out, in order per peer. A message leaves once the commit it rests on is safe; what
// the peer's socket does not take now waits for the next turn.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/journal/journal.h"
#include "hq/transport/channel.h"

namespace hq {

class Outbox {
 public:
  explicit Outbox(RouterChannel& channel) : channel_(channel) {}

  // Rests on everything recorded up to now, the running turn included.
  void send(PeerId to, Bytes frame);
  // The same, for an answer that only looks: release_answers() lets it go.
  void send_answer(PeerId to, Bytes frame);
  // Rests on no commit; leaves before all that does.
  void send_free(PeerId to, Bytes frame);
  // Answers that wait for a commit rest on it no longer, and leave with the next flush.
  void release_answers();
  // Passes by the queue (refusals): leaves at once or, when the peer takes nothing now, never.
  void send_now(PeerId to, BytesView frame);
  // Rests on no commit (answers to heartbeats, retractions): leaves at once or, when the peer takes nothing
  // now, before all else that waits for it. Of those that wait only the newest few are kept.
  void send_ahead(PeerId to, Bytes frame);
  // What was sent this turn rests on this commit.
  void close_turn(CommitNumber commit);
  // Sends what is safe. Returns the peers that turned out to be gone; what was queued for them is dropped.
  std::vector<PeerId> flush(CommitNumber committed);
  // Something is safe but its peer's socket was full.
  [[nodiscard]] bool stuck() const { return stuck_; }
  [[nodiscard]] bool empty() const { return queues_.empty(); }
  // Messages waiting for this peer.
  [[nodiscard]] size_t waiting(PeerId peer) const;
  void drop(PeerId peer) { queues_.erase(peer); }

 private:
  struct Item {
    CommitNumber commit;  // kOpen until the turn is closed
    Bytes frame;
    bool answer = false;
  };
  static constexpr CommitNumber kOpen = ~CommitNumber{0};
  static constexpr CommitNumber kAhead = 0;  // safe from the start
  static constexpr size_t kMostAhead = 16;
  RouterChannel& channel_;
  std::map<PeerId, std::deque<Item>> queues_;
  std::vector<PeerId> touched_;  // got something this turn
  bool stuck_ = false;
};

}  // namespace hq
