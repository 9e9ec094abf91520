// One try of one address: a fresh DEALER that never reconnects.
#pragma once

#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "transport/endpoint.h"
#include "transport/peer_probe.h"
#include "transport/zmq_context.h"
#include "transport/zmq_monitor.h"

namespace hq {

class ZmqAttempt {
 public:
  enum class State {
    kConnecting,
    kHandshake,  // TCP is connected
    kOpen,
    kProbing,  // failed; why is being found out
    kRefused,
    kSuspect,  // the server hung up in the handshake: another key, or it was just about to end
    kFailed,
    kEnded,  // was open; what had arrived can still be received
  };
  // Throws zmq::error_t.
  ZmqAttempt(ZmqShared& shared, const Endpoint& endpoint, const RoleAccess& access,
             const ChannelLimits& limits, Duration timeout, TimePoint now);

  State poll(TimePoint now);
  [[nodiscard]] State state() const { return state_; }
  // Of kRefused, kSuspect and kFailed.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // The server has proved its key and does not know ours: no other address will do better.
  [[nodiscard]] bool final() const { return final_; }
  [[nodiscard]] zmq::socket_t& socket() { return socket_; }
  void add_polls(std::vector<pollfd>& polls) const;
  [[nodiscard]] std::optional<TimePoint> deadline() const;

 private:
  void on_event(const ZmqMonitor::Event& event, TimePoint now);
  void on_broken(TimePoint now);
  void on_probed(const PeerProbe::Outcome& outcome);
  void end(State state, std::string failure);

  Endpoint endpoint_;
  bool curve_;
  TimePoint started_;
  TimePoint connected_{};
  Duration timeout_;
  zmq::socket_t socket_;
  ZmqMonitor monitor_;
  int fd_;
  State state_ = State::kConnecting;
  State probed_in_ = State::kConnecting;  // how far it had come
  std::optional<PeerProbe> probe_;
  std::string failure_;
  bool final_ = false;
};

}  // namespace hq
