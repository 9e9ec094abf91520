// The conversation with the server below its content: connecting, the hello, session numbers, heartbeats, and
// when to try again.
//
//   idle ──time──▶ connecting ──open──▶ greeting ──Welcome──▶ welcomed
//     ▲                │ closed             │ closed, silent     │ closed, silent,
//     │                │                    │                    │ HelloPlease
//     └────────────────┴────────────────────┴────────────────────┘
//
// (from welcomed only when retry() asks for it)
//
// A session is one fresh connection; nothing of an earlier one is heard any more. Until the first welcome
// tries follow the pace of a registration and end in kGaveUp; later they go on, with jitter, until somebody
// closes it.
//
// The lease: the server starts our tasks elsewhere no sooner than the window after it has *received* our last
// heartbeat, so we may run them until the window after we *sent* the last one that was answered.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/random.h"
#include "hq/base/result.h"
#include "hq/protocol/worker_codec.h"
#include "hq/protocol/worker_messages.h"
#include "hq/transport/channel.h"

namespace hq {

class Session {
 public:
  // `patient`: an access file that can't be read may be there in a minute.
  Session(Connector& connector, Random& random, Duration heartbeat, bool patient, TimePoint start);

  struct Opened {};  // the caller answers with greet()
  struct Lost {      // a welcomed session has ended; the caller answers with retry() or close()
    std::string why;
    bool server_is_there = false;  // it asked for a new hello
  };
  struct GaveUp {
    Error error;
  };
  using Notice = std::variant<Opened, msg::ToWorker, Lost, GaveUp>;
  // What happened, one at a time; nothing when nothing did.
  std::optional<Notice> next(Now now);

  // A number for the next hello.
  uint64_t next_hello() { return ++hellos_; }
  void greet(const std::vector<msg::Hello>& pages, Now now);
  // REQUIRES: welcomed().
  void send(const msg::FromWorker& message);
  void retry(Now now);
  void close();
  // Says and hears nothing more, but keeps the connection until close(): its end is for the server the proof
  // that our tasks have ended.
  void fall_silent();
  // Ends the session because the server broke the rules; next() will tell.
  void break_off(std::string why);

  void on_timer(Now now);
  void flush();
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  // 0 while not welcomed.
  [[nodiscard]] SessionId number() const { return welcomed() ? number_ : SessionId{}; }
  [[nodiscard]] bool welcomed() const { return stage_ == Stage::kWelcomed; }
  [[nodiscard]] bool backed_up() const { return !outbox_.empty(); }  // the socket takes no more now
  [[nodiscard]] bool resumable() const { return resumable_; }
  // Until when our tasks may run; nothing before the first welcome.
  [[nodiscard]] std::optional<TimePoint> lease() const { return lease_; }

 private:
  enum class Stage { kIdle, kConnecting, kGreeting, kWelcomed, kClosed };
  struct SentBeat {
    uint64_t counter;
    TimePoint at;
  };

  std::optional<Notice> connect(Now now);
  std::optional<Notice> look_at_channel(Now now);
  std::optional<Notice> receive(Now now);
  std::optional<Notice> on_message(SessionId session, msg::ToWorker message);
  std::optional<Notice> ended(const std::string& why, Now now, bool server_is_there = false);
  std::optional<Notice> registration_failed(const std::string& why, Now now);
  void drop_channel();
  void try_later(Now now);
  void extend_lease(TimePoint sent);
  [[nodiscard]] bool silent_too_long(Now now) const;

  Connector& connector_;
  Random& random_;
  const Duration heartbeat_;
  const bool patient_;
  const TimePoint start_;

  Stage stage_ = Stage::kIdle;
  std::unique_ptr<DealerChannel> channel_;
  TimePoint stage_since_;
  TimePoint next_try_;
  std::optional<std::string> broken_;  // why the session has to end with the next look
  std::deque<Bytes> outbox_;

  bool registered_ = false;  // welcomed at least once
  int registrations_ = 0;    // failed ones
  int connects_ = 0;         // failed ones of this registration
  int retries_ = 0;          // since the last welcome
  uint64_t hellos_ = 0;
  SessionId number_;
  bool resumable_ = false;
  Duration window_{0};
  std::optional<TimePoint> lease_;
  uint64_t beats_ = 0;
  std::deque<SentBeat> unanswered_;
  TimePoint next_beat_;
};

}  // namespace hq
