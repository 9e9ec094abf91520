#include "transport/zmq_monitor.h"

#include <atomic>
#include <cstring>
#include <string>

#include "transport/zmq_context.h"

namespace hq {

ZmqMonitor::ZmqMonitor(zmq::context_t& context, zmq::socket_t& socket, int events)
    : watched_(socket), pair_(context, zmq::socket_type::pair) {
  static std::atomic<uint64_t> last_name{0};
  const std::string address = "inproc://hq-monitor-" + std::to_string(++last_name);
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  // With a limit the I/O thread would wait for us at the mark, and all connections with it.
  pair_.set(zmq::sockopt::rcvhwm, 0);
  pair_.set(zmq::sockopt::linger, 0);
  pair_.connect(address);
  fd_ = pair_.get(zmq::sockopt::fd);
}

ZmqMonitor::~ZmqMonitor() {
  zmq_socket_monitor(watched_.handle(), nullptr, 0);
}

std::optional<ZmqMonitor::Event> ZmqMonitor::next() {
  zmq::message_t event;
  if (!receive_part(pair_, event)) return std::nullopt;
  Event out;
  if (event.size() >= 6) {
    std::memcpy(&out.kind, event.data(), sizeof out.kind);
    std::memcpy(&out.value, static_cast<const char*>(event.data()) + 2, sizeof out.value);
  }
  zmq::message_t address;
  while (event.more() && receive_part(pair_, address) && address.more()) {
  }
  return out;
}

}  // namespace hq
