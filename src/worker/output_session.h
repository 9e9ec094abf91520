// The worker's second connection, for output that the server keeps: so that output never delays a heartbeat
// or the end of a task. It is opened with the first packet and lives while the first connection does; packets
// that were not confirmed are sent again over the next one.
//
//   closed ──packets──▶ connecting ──open──▶ greeting ──OutputWelcome──▶ open
//     ▲                     │ closed              │ closed, HelloPlease     │ closed, HelloPlease
//     └─────────────────────┴─────────────────────┴─────────────────────────┘
#pragma once

#include <memory>
#include <optional>

#include "hq/base/clock.h"
#include "hq/base/random.h"
#include "hq/protocol/worker_codec.h"
#include "hq/stream/task_output.h"
#include "hq/transport/channel.h"

namespace hq {

class OutputSession {
 public:
  // All outlive it.
  OutputSession(Connector& connector, Random& random, TaskOutput& output)
      : connector_(connector), random_(random), output_(output) {}

  // `session`: the number of the worker's session; 0 while it has none. True if more may be waiting.
  bool turn(SessionId session, WorkerUid worker, Now now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

 private:
  enum class Stage : uint8_t { kClosed, kConnecting, kGreeting, kOpen };
  void connect(Now now);
  bool receive(Now now);
  void on_message(const msg::ToWorker& message, Now now);
  bool send_packets(Now now);
  void send(const msg::FromWorker& message, Now now);
  void flush(Now now);
  void drop(Now now);

  Connector& connector_;
  Random& random_;
  TaskOutput& output_;
  Stage stage_ = Stage::kClosed;
  std::unique_ptr<DealerChannel> channel_;
  SessionId session_;  // it belongs to
  std::optional<Bytes> unsent_;
  uint64_t hellos_ = 0;
  int failures_ = 0;  // since it was open last
  std::optional<TimePoint> next_try_;
};

}  // namespace hq
