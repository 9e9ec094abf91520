// The listening TCP socket of a router. It is ours and libzmq gets a duplicate: so errors of bind(2) are
// exact, and when descriptors run out (libzmq would then spin in accept) the duplicate can be withdrawn for a
// while without giving up the port or the connections that wait in its backlog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/base/unique_fd.h"

namespace hq {

class ZmqListener {
 public:
  static Result<ZmqListener> open(uint16_t port, bool ipv6, int backlog);
  [[nodiscard]] uint16_t port() const { return port_; }
  // Lets `socket` accept connections.
  Result<void> attach(zmq::socket_t& socket);
  // accept(2) failed: stops accepting for a moment. Repeated calls do nothing.
  void pause(zmq::socket_t& socket, TimePoint now);
  // Accepts again when the pause is over and there are descriptors.
  void resume_if_due(zmq::socket_t& socket, TimePoint now);
  [[nodiscard]] std::optional<TimePoint> resume_at() const { return resume_at_; }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
  bool ipv6_ = false;
  std::string endpoint_;
  std::optional<TimePoint> resume_at_;
};

}  // namespace hq
