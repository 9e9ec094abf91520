// The server: one thread, one turn at a time, ports only. Everything it decides is a function of its state,
// what came in and `now`; so the whole cluster also runs in one process on a virtual clock (tests/sim).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hq/base/clock.h"
#include "hq/base/random.h"
#include "hq/base/result.h"
#include "hq/batch/batch_system.h"
#include "hq/core/alloc_policy.h"
#include "hq/core/alloc_script.h"
#include "hq/core/conditions.h"
#include "hq/core/state.h"
#include "hq/core/suspicion.h"
#include "hq/journal/journal.h"
#include "hq/protocol/client_messages.h"
#include "hq/protocol/limits.h"
#include "hq/stream/log_store.h"
#include "hq/stream/output_peek.h"
#include "hq/transport/channel.h"

namespace hq {

// How queues of allocations are run.
struct AllocOptions {
  AllocSite site;
  std::string temporary;  // where trials are made
  AllocLimits limits;
  Duration tick = 5s;            // between two decisions at least, when something has changed
  Duration longest_pause = 30s;  // and at most
  Duration refresh = 30min;      // between two questions to the batch system
};

struct ServerOptions {
  // As clients see it (server info). `info.server_uid` is the uid of this server.
  msg::ServerInfo info;
  // For workers that did not set their own.
  std::optional<Duration> idle_timeout;
  // How long a worker may go on without a server that can come back (journal only).
  Duration resume_window = 10min;
  SuspectPolicy suspects = SuspectPolicy::kReport;
  // Some of what the journal had is gone (docs/journal.md, Damage).
  bool after_damage = false;
  // Of the entries that a client sends ahead of a submit.
  size_t most_upload_bytes = limits::kMaxClientFrame;
  AllocOptions alloc;
};

struct ServerPorts {
  RouterChannel& clients;
  RouterChannel& workers;
  Journal& journal;
  Random& random;
  // Writes a whole file (debug dump).
  std::function<Result<void>(const std::string& path, const std::string& text)> write_file;
  LogStore& logs;
  OutputPeek& peek;
  BatchSystem& batch;
};

class Server {
 public:
  // The ports must outlive the server. `restored` is what the journal's replay gave; empty at a first start.
  Server(ServerOptions options, ServerPorts ports, Now start, State restored = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Handles what is ready, decides, sends. Returns when it wants the next turn at the latest.
  std::optional<TimePoint> turn(Now now);
  // An orderly end: workers are told; finished() is true once that has been sent.
  void stop(const std::string& log_text);
  // An end from which it comes back: what is decided is made safe, workers and clients are told nothing.
  // REQUIRES: resumable().
  void leave(const std::string& log_text);
  // It has a journal that another server can go on with.
  [[nodiscard]] bool resumable() const;
  [[nodiscard]] bool finished() const;
  // REQUIRES: finished(). It left, to come back.
  [[nodiscard]] bool left() const;
  // Of the last turn. Whoever runs the turns may let more of them come together before the next one.
  [[nodiscard]] bool heard_only_heartbeats() const;
  [[nodiscard]] const State& state() const;
  // A hello of this worker has been taken in since this server began.
  [[nodiscard]] bool has_heard(WorkerUid worker) const;
  // All that could be handed out has been: no pass is wanted or under way.
  [[nodiscard]] bool settled() const;
  // What `task explain` says of a task of this class that waits.
  [[nodiscard]] std::vector<WorkerConditions> explain(ClassId klass, int32_t priority) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hq
