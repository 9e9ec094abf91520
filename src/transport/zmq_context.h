// What the sockets of one Transport share.
#pragma once

#include <memory>
#include <zmq.hpp>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/transport/zmq.h"
#include "transport/zmq_reactor.h"

namespace hq {

class ZapHandler;

struct ZmqShared {
  zmq::context_t context;
  ZmqReactor reactor;
  size_t channels = 0;  // alive
};

[[nodiscard]] inline TimePoint mono_now() {
  return SystemClock().now().mono;
}

// How long a server waits for the end of a handshake.
inline constexpr Duration kServerHandshakeLimit = 5s;

// libzmq wants whole milliseconds; never rounds a positive time to 0, which it takes for "none".
[[nodiscard]] int milliseconds_up(Duration duration);

// "What (why)" of an exception of the library.
[[nodiscard]] Error zmq_failure(const char* what, const zmq::error_t& error);

// Options that all our sockets share.
void set_common_options(zmq::socket_t& socket, const ChannelLimits& limits, bool curve);

// zmq_msg_recv and zmq_send without waiting, repeated when interrupted by a signal.
// False: nothing there now.
[[nodiscard]] bool receive_part(zmq::socket_t& socket, zmq::message_t& part);
// 0 or errno.
[[nodiscard]] int send_part(zmq::socket_t& socket, const void* data, size_t size, bool more);
// Sends without a copy; `bytes` are kept if they could not be sent. REQUIRES: they are not few.
[[nodiscard]] int send_owned(zmq::socket_t& socket, Bytes& bytes);
[[nodiscard]] bool has_input(zmq::socket_t& socket);

}  // namespace hq
