#include "transport/zmq_context.h"

#include <malloc.h>

#include <cerrno>

#include "hq/base/assert.h"
#include "transport/zap.h"
#include "transport/zmq_dealer.h"
#include "transport/zmq_router.h"

namespace hq {

namespace {

// What CURVE adds to a frame on the wire: command name, nonce, authentication code, flags.
constexpr size_t kCurveOverhead = 8 + 8 + 16 + 1;

// Frames of some 64 kB come and go by the thousand a second. As it is, malloc gives their pages back at once
// and takes new ones, which the kernel has to clear, for the next; this keeps a few of them.
void keep_freed_pages() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

class ZmqTransport final : public Transport {
 public:
  explicit ZmqTransport(const TransportOptions& options) {
    keep_freed_pages();
    shared_.context.set(zmq::ctxopt::io_threads, options.io_threads);
    shared_.context.set(zmq::ctxopt::max_sockets, options.max_sockets);
    shared_.context.set(zmq::ctxopt::blocky, 0);  // sockets don't linger unless told
  }
  ~ZmqTransport() override {
    HQ_ASSERT(shared_.channels == 0);
    shared_.context.shutdown();  // ends the ZAP thread
    zap_.reset();
    shared_.context.close();
  }
  Result<BoundRouter> bind_router(const RouterOptions& options) override;
  std::unique_ptr<Connector> make_connector(ConnectorOptions options) override {
    return std::make_unique<ZmqConnector>(shared_, std::move(options));
  }
  FdReactor& reactor() override { return shared_.reactor; }

 private:
  ZmqShared shared_;
  std::unique_ptr<ZapHandler> zap_;
  unsigned last_domain_ = 0;
};

Result<BoundRouter> ZmqTransport::bind_router(const RouterOptions& options) {
  // Before the bind: without a handler libzmq lets unknown keys in.
  if (options.curve && zap_ == nullptr) {
    Result<std::unique_ptr<ZapHandler>> zap = ZapHandler::start(shared_.context);
    if (!zap) return zap.error();
    zap_ = std::move(*zap);
  }
  std::string domain = std::string(role_name(options.role)) + "-" + std::to_string(++last_domain_);
  Result<std::unique_ptr<ZmqRouter>> router = ZmqRouter::bind(shared_, zap_.get(), options, domain);
  if (!router) return router.error();
  uint16_t port = (*router)->port();
  return BoundRouter{std::move(*router), port};
}

}  // namespace

Result<std::unique_ptr<Transport>> Transport::make(const TransportOptions& options) {
  try {
    return std::unique_ptr<Transport>(std::make_unique<ZmqTransport>(options));
  } catch (const zmq::error_t& error) {
    return zmq_failure("Cannot create a ZeroMQ context", error);
  }
}

RouterOptions router_options(const AccessRecord& full, Role role) {
  const std::optional<RoleAccess>& part = full.part(role);
  HQ_ASSERT(part.has_value());
  RouterOptions options;
  options.port = part->port;
  options.role = role;
  if (part->secret_key) {
    HQ_ASSERT(part->server_secret_key.has_value());
    options.curve = RouterOptions::Curve{*part->server_secret_key, part->secret_key->public_key()};
  }
  return options;
}

int milliseconds_up(Duration duration) {
  if (duration <= Duration::zero()) return 0;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

Error zmq_failure(const char* what, const zmq::error_t& error) {
  // Numbers of the system keep its texts; libzmq's own are above them.
  std::string why = error.num() < ZMQ_HAUSNUMERO ? os_error_text(error.num()) : std::string(error.what());
  return Error(what, {why});
}

void set_common_options(zmq::socket_t& socket, const ChannelLimits& limits, bool curve) {
  HQ_ASSERT(limits.send_queue > 0 && limits.receive_queue > 0);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::sndhwm, limits.send_queue);
  socket.set(zmq::sockopt::rcvhwm, limits.receive_queue);
  size_t most = limits.max_frame_bytes + (curve ? kCurveOverhead : 0);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(most));
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 60);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 15);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 4);
}

bool receive_part(zmq::socket_t& socket, zmq::message_t& part) {
  while (zmq_msg_recv(part.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) {
    if (zmq_errno() == EINTR) continue;
    HQ_ASSERT(zmq_errno() == EAGAIN);
    return false;
  }
  return true;
}

int send_part(zmq::socket_t& socket, const void* data, size_t size, bool more) {
  int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  while (zmq_send(socket.handle(), data, size, flags) < 0) {
    if (zmq_errno() != EINTR) return zmq_errno();
  }
  return 0;
}

int send_owned(zmq::socket_t& socket, Bytes& bytes) {
  auto owned = std::make_unique<Bytes>(std::move(bytes));
  const auto free_owned = [](void*, void* hint) { delete static_cast<Bytes*>(hint); };
  zmq::message_t message(owned->data(), owned->size(), free_owned, owned.get());
  Bytes* const held = owned.release();  // by the message
  while (zmq_msg_send(message.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) {
    const int failure = zmq_errno();
    if (failure == EINTR) continue;
    bytes = std::move(*held);
    return failure;
  }
  return 0;
}

bool has_input(zmq::socket_t& socket) {
  int events = 0;
  size_t length = sizeof events;
  while (zmq_getsockopt(socket.handle(), ZMQ_EVENTS, &events, &length) != 0) {
    HQ_ASSERT(zmq_errno() == EINTR);
  }
  return (events & ZMQ_POLLIN) != 0;
}

}  // namespace hq
