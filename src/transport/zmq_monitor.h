// Events of one socket's connections, from libzmq's I/O thread.
#pragma once

#include <cstdint>
#include <optional>
#include <zmq.hpp>

namespace hq {

class ZmqMonitor {
 public:
  struct Event {
    uint16_t kind = 0;  // ZMQ_EVENT_...
    uint32_t value = 0;
  };
  // REQUIRES: `socket` outlives the monitor. Throws zmq::error_t.
  ZmqMonitor(zmq::context_t& context, zmq::socket_t& socket, int events);
  ZmqMonitor(const ZmqMonitor&) = delete;
  ZmqMonitor& operator=(const ZmqMonitor&) = delete;
  ~ZmqMonitor();
  std::optional<Event> next();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  zmq::socket_t& watched_;
  zmq::socket_t pair_;
  int fd_ = -1;
};

}  // namespace hq
