// Connected workers. A session is one connection of one worker; the durable worker (core/worker.h) outlives
// it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/ids.h"
#include "hq/core/worker_config.h"
#include "hq/protocol/worker_codec.h"
#include "hq/transport/channel.h"

namespace hq {

struct WorkerSession {
  PeerId peer;
  SessionId session;  // 0 until the hello is complete
  WorkerId worker;    // 0 until then
  WorkerUid uid;
  uint64_t hello_counter = 0;
  std::optional<msg::Hello> hello;  // while its pages come in
  TimePoint last_heard{};
  std::set<DefinitionId> definitions;  // it has been told these
  uint64_t last_report = 0;            // number of the newest report taken in
  bool ack_due = false;
  struct Retraction {
    uint64_t number = 0;
    uint32_t count = 0;
  };
  std::optional<Retraction> retraction;  // that is not answered yet
  // It gave back less than it was asked for, and is not asked again before.
  std::optional<TimePoint> ask_again;
  std::optional<TimePoint> gone_since;  // the connection is closed; a new hello may still come
  // Jobs of which it had tasks when it said hello; it was told their definitions in an earlier session.
  std::set<JobId> inherited;
  bool measures = false;   // it was told to, since a client looks on
  bool confirmed = false;  // it has said something since its welcome: that has arrived
};

// What the server knows of a worker beside the durable facts; gone with the worker.
struct WorkerLink {
  std::optional<PeerId> peer;  // of its live session
  TimePoint last_heard{};
  // Of its configuration, to be at hand for all workers twice a second: how long it may be silent, and idle.
  Duration most_silent{};
  std::optional<Duration> most_idle;
  // Of a worker that an earlier life of the server had and that is not back: until then it may come, and run
  // what is assigned to it.
  std::optional<TimePoint> doubt_until;
  std::optional<TimePoint> idle_since;  // as far as known, of a worker that may not be idle for ever
  struct Stopping {
    LossReason reason;
    TimePoint since;
  };
  std::optional<Stopping> stopping;
  std::string address;  // "10.0.0.1:4242", for log lines
  // What its tasks have said and nobody has taken yet.
  std::deque<msg::Notice> notices;
  uint64_t last_notice = 0;  // number of the newest that has arrived
};

class Sessions {
 public:
  WorkerSession* find(PeerId peer);
  WorkerSession& open(PeerId peer);
  void close(PeerId peer) { by_peer_.erase(peer); }
  WorkerLink* link(WorkerId worker);
  WorkerLink& add_link(WorkerId worker) { return links_[worker]; }
  void drop_link(WorkerId worker) { links_.erase(worker); }
  // The live session of a worker, nullptr when it has none now.
  WorkerSession* of(WorkerId worker);
  // False for a hello that is not newer than the newest of this worker so far: it comes from a connection
  // that was given up, and its inventory is none any more.
  bool note_hello(WorkerUid worker, uint64_t counter);
  [[nodiscard]] bool has_heard(WorkerUid worker) const { return hellos_.contains(worker); }
  [[nodiscard]] std::map<PeerId, WorkerSession>& all() { return by_peer_; }
  [[nodiscard]] std::map<WorkerId, WorkerLink>& links() { return links_; }

 private:
  std::map<PeerId, WorkerSession> by_peer_;
  std::map<WorkerId, WorkerLink> links_;
  std::map<WorkerUid, uint64_t> hellos_;  // the newest of each worker
};

}  // namespace hq
