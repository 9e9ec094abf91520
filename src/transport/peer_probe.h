// Finds out over a plain TCP connection why a ZeroMQ connection failed: libzmq tells neither the errno of
// connect(2) nor whether a peer that hung up in the handshake speaks ZMTP at all. Used after a failure only.
#pragma once

#include <poll.h>

#include <optional>
#include <string>

#include "hq/base/clock.h"
#include "hq/base/unique_fd.h"
#include "transport/endpoint.h"

namespace hq {

class PeerProbe {
 public:
  struct Outcome {
    int connect_error = 0;  // errno, 0: connected
    std::string mechanism;  // of the peer's ZMTP greeting: "CURVE", "NULL"; "" if none came
  };
  PeerProbe(const Endpoint& endpoint, TimePoint now);
  std::optional<Outcome> poll(TimePoint now);
  [[nodiscard]] pollfd wish() const;
  [[nodiscard]] TimePoint deadline() const { return deadline_; }

 private:
  Outcome fail(int connect_error);
  void send_greeting();

  UniqueFd fd_;
  TimePoint deadline_;
  bool connected_ = false;
  std::string received_;
  std::optional<Outcome> outcome_;
};

}  // namespace hq
