#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "transport/full_retry.h"
#include "transport/resolver.h"
#include "transport/zmq_attempt.h"

namespace hq {

// A session's connection. It tries the addresses of the host name and then the numeric ones of the access
// record, each a little later than the one before, and keeps the first whose server proves its key.
class ZmqDealer final : public DealerChannel, private Waitable {
 public:
  struct Settings {
    ChannelLimits limits;
    Duration stagger;
    Duration timeout;
  };
  // REQUIRES: `shared` outlives the channel.
  ZmqDealer(ZmqShared& shared, RoleAccess access, const std::vector<std::string>& addresses,
            const Settings& settings);
  ~ZmqDealer() override;

  State state() override;
  std::string failure() const override { return failure_; }
  std::optional<Bytes> receive() override;
  SendStatus send(BytesView frame) override;
  SendStatus send_away(Bytes& frame) override;
  void set_linger(Duration linger);

 private:
  enum class Phase { kConnecting, kOpen, kEnding, kClosed, kRefused };

  struct Try {
    Endpoint endpoint;
    bool of_host = false;
    std::unique_ptr<ZmqAttempt> attempt;  // none: waits for its second time
    std::optional<TimePoint> second_start;
    TimePoint begun{};  // the last time  // the server hung up the first time
  };

  bool prepare_wait(TimePoint now) override;
  void add_polls(std::vector<pollfd>& polls) const override;
  std::optional<TimePoint> wait_deadline() const override;

  std::optional<Bytes> receive_now();
  void drive(TimePoint now);
  void drive_connecting(TimePoint now);
  void time_out();
  void take_lookup();
  void poll_attempts(TimePoint now);
  void start_attempts(TimePoint now);
  void begin(Try& entry, TimePoint now);
  bool poll_try(Try& entry, TimePoint now);
  bool hurry(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> slow_from(const Try& entry) const;
  void give_up_slow(TimePoint now);
  void adopt(std::unique_ptr<ZmqAttempt> attempt);
  void note_failure(const std::string& text);
  void finish(Phase phase, std::string failure);
  bool flush_pending();
  int send_frame(Bytes& frame);
  [[nodiscard]] bool input_waits();

  ZmqShared& shared_;
  RoleAccess access_;
  Settings settings_;
  Phase phase_ = Phase::kConnecting;
  std::string failure_;
  std::string first_failure_;  // while connecting
  std::string refusal_;        // while connecting: one of the servers refused us
  TimePoint started_;
  TimePoint next_start_;
  std::optional<TimePoint> hurry_until_;  // set when no address of the host name is left
  std::optional<Lookup> lookup_;
  std::deque<Endpoint> host_endpoints_;   // not tried yet
  std::deque<Endpoint> other_endpoints_;  // not tried yet
  size_t host_attempts_ = 0;              // under way
  std::vector<Try> tries_;
  std::unique_ptr<ZmqAttempt> winner_;
  std::deque<Bytes> pending_;  // sent, not with the socket yet
  bool notice_ = true;
  FullRetry retry_;
};

class ZmqConnector final : public Connector {
 public:
  ZmqConnector(ZmqShared& shared, ConnectorOptions options) : shared_(shared), options_(std::move(options)) {}
  Result<std::unique_ptr<DealerChannel>> connect() override;

 private:
  ZmqShared& shared_;
  ConnectorOptions options_;
};

}  // namespace hq
