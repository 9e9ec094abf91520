#include "transport/zmq_router.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "hq/base/assert.h"

namespace hq {

namespace {

constexpr size_t kRoutingIdBytes = 5;  // 0, then the counter in network order

std::optional<PeerId> peer_of(const zmq::message_t& routing_id) {
  const auto* bytes = static_cast<const uint8_t*>(routing_id.data());
  if (routing_id.size() != kRoutingIdBytes || bytes[0] != 0) return std::nullopt;
  uint32_t counter = 0;
  std::memcpy(&counter, bytes + 1, sizeof counter);
  return PeerId(ntohl(counter));
}

struct RoutingId {
  uint8_t bytes[kRoutingIdBytes];
  explicit RoutingId(PeerId peer) : bytes{0} {
    uint32_t counter = htonl(static_cast<uint32_t>(peer.value));
    std::memcpy(bytes + 1, &counter, sizeof counter);
  }
};

struct NumericAddress {
  std::string host;
  uint16_t port = 0;
};

std::optional<NumericAddress> remote_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return NumericAddress{text, ntohs(in.sin_port)};
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
  inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return NumericAddress{text, ntohs(in6.sin6_port)};
}

// An IPv4 peer of a dual-stack socket is shown as what it is.
std::string without_mapping(const std::string& host) {
  return host.starts_with("::ffff:") && host.find('.') != std::string::npos ? host.substr(7) : host;
}

// ZMQ_ZAP_ENFORCE_DOMAIN, which every libzmq from 4.3.0 on knows and headers without the draft API hide: a
// handshake fails when no ZAP handler answers, instead of letting the peer in.
constexpr int kZapEnforceDomain = 93;

constexpr int kMonitorEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPT_FAILED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

Result<std::unique_ptr<ZmqRouter>> ZmqRouter::bind(ZmqShared& shared, ZapHandler* zap,
                                                   const RouterOptions& options, const std::string& domain) {
  HQ_ASSERT(!options.curve || zap != nullptr);
  Result<ZmqListener> listener = ZmqListener::open(options.port, options.ipv6, options.backlog);
  if (!listener) return listener.error();
  try {
    std::unique_ptr<ZmqRouter> router(new ZmqRouter(shared, zap, options, domain, std::move(*listener)));
    if (Result<void> attached = router->listener_.attach(router->socket_); !attached) return attached.error();
    return router;
  } catch (const zmq::error_t& error) {
    return zmq_failure("Cannot create a server socket", error);
  }
}

ZmqRouter::ZmqRouter(ZmqShared& shared, ZapHandler* zap, const RouterOptions& options, std::string domain,
                     ZmqListener listener)
    : shared_(shared),
      zap_(options.curve ? zap : nullptr),
      domain_(std::move(domain)),
      max_frame_bytes_(options.limits.max_frame_bytes),
      listener_(std::move(listener)),
      socket_(shared.context, zmq::socket_type::router),
      monitor_(shared.context, socket_, kMonitorEvents),
      fd_(socket_.get(zmq::sockopt::fd)) {
  set_common_options(socket_, options.limits, options.curve.has_value());
  socket_.set(zmq::sockopt::router_mandatory, true);
  socket_.set(zmq::sockopt::handshake_ivl, milliseconds_up(kServerHandshakeLimit));
  socket_.set(zmq::sockopt::backlog, options.backlog);
  if (options.curve) {
    socket_.set(zmq::sockopt::curve_server, true);
    const auto& key = options.curve->server_key.reveal_bytes();
    socket_.set(zmq::sockopt::curve_secretkey, zmq::const_buffer(key.data(), key.size()));
    socket_.set(zmq::sockopt::zap_domain, domain_);
    const int on = 1;
    if (zmq_setsockopt(socket_.handle(), kZapEnforceDomain, &on, sizeof on) != 0) throw zmq::error_t();
    zap_->admit(domain_, options.curve->admitted);
  }
  shared_.reactor.add(*this);
  ++shared_.channels;
}

ZmqRouter::~ZmqRouter() {
  shared_.reactor.remove(*this);
  if (zap_ != nullptr) zap_->remove(domain_);
  --shared_.channels;
}

std::optional<RouterChannel::Received> ZmqRouter::receive() {
  // A peer could send frames that are dropped without end; the next turn goes on with them.
  for (int tries = 0; tries < 64; ++tries) {
    zmq::message_t id;
    zmq::message_t frame;
    if (!receive_part(socket_, id)) return std::nullopt;
    if (!id.more() || !receive_part(socket_, frame)) continue;
    std::optional<PeerId> peer = peer_of(id);
    if (frame.more()) {
      drop_rest(frame);
      continue;
    }
    if (!peer) {
      refusals_.note("A peer was ignored because it has a routing id of its own", mono_now());
      notice_ = true;
      continue;
    }
    if (frame.size() == 0 || frame.size() > max_frame_bytes_) continue;
    if (!addresses_.contains(*peer)) note_address(*peer, frame);
    return Received{*peer, Bytes(static_cast<const char*>(frame.data()), frame.size())};
  }
  return std::nullopt;
}

void ZmqRouter::drop_rest(const zmq::message_t& part) {
  zmq::message_t rest;
  if (!part.more()) return;
  while (receive_part(socket_, rest) && rest.more()) {
  }
}

SendStatus ZmqRouter::send(PeerId to, BytesView frame) {
  HQ_ASSERT(frame.size() <= max_frame_bytes_);
  const RoutingId id(to);
  int failure = send_part(socket_, id.bytes, sizeof id.bytes, true);
  // The mandatory mode decides with the first part; the second can't be refused any more.
  if (failure == 0) failure = send_part(socket_, frame.data(), frame.size(), false);
  if (failure == 0) {
    retry_.note_sent();
    return SendStatus::kSent;
  }
  if (failure == EAGAIN) {
    retry_.note_full();
    return SendStatus::kFull;
  }
  HQ_ASSERT(failure == EHOSTUNREACH);
  addresses_.erase(to);
  return SendStatus::kGone;
}

size_t ZmqRouter::take_disconnects() {
  read_monitor(mono_now());
  // Half of the table may be of peers that are gone; each sweep pays for the disconnects before it.
  if (stale_addresses_ > 64 + addresses_.size() / 2) sweep_addresses();
  return std::exchange(disconnects_, 0);
}

std::vector<std::string> ZmqRouter::take_refusals() {
  read_monitor(mono_now());
  std::vector<std::string> texts = refusals_.take();
  if (zap_ != nullptr) {
    for (std::string& text : zap_->take_refusals(domain_)) texts.push_back(std::move(text));
  }
  return texts;
}

std::string ZmqRouter::address_of(PeerId peer) {
  auto it = addresses_.find(peer);
  return it == addresses_.end() ? "" : it->second;
}

void ZmqRouter::read_monitor(TimePoint now) {
  const std::string port = std::to_string(listener_.port());
  while (std::optional<ZmqMonitor::Event> event = monitor_.next()) {
    switch (event->kind) {
      case ZMQ_EVENT_DISCONNECTED:
        ++disconnects_;
        ++stale_addresses_;
        break;
      case ZMQ_EVENT_ACCEPT_FAILED:
        // A peer that has left again is no reason to pause.
        if (event->value != EAGAIN && event->value != ECONNABORTED && event->value != EINTR) {
          listener_.pause(socket_, now);
          refusals_.note("Cannot accept connections on port " + port + ": " +
                             os_error_text(static_cast<int>(event->value)),
                         now);
        }
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        refusals_.note(event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                           ? "Authentication failed: Peer does not support authentication (port " + port + ")"
                           : "A connection to port " + port + " was refused in its handshake",
                       now);
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        refusals_.note("A connection to port " + port + " ended before its handshake", now);
        break;
      default:  // refused by key: the ZAP handler has the text
        break;
    }
    notice_ = true;
  }
}

void ZmqRouter::note_address(PeerId peer, const zmq::message_t& frame) {
  const char* host = zmq_msg_gets(const_cast<zmq_msg_t*>(frame.handle()), "Peer-Address");
  if (host == nullptr) return;
  std::string text = without_mapping(host);
  // The descriptor may be another connection's by now; then the port is unknown.
  std::optional<NumericAddress> remote = remote_of(zmq_msg_get(frame.handle(), ZMQ_SRCFD));
  if (text.find(':') != std::string::npos) text = "[" + text + "]";
  if (remote && remote->host == host) text += ":" + std::to_string(remote->port);
  addresses_.emplace(peer, std::move(text));
}

void ZmqRouter::sweep_addresses() {
  stale_addresses_ = 0;
  std::vector<PeerId> peers;
  peers.reserve(addresses_.size());
  for (const auto& [peer, address] : addresses_) peers.push_back(peer);
  for (PeerId peer : peers) (void)send(peer, {});  // kGone removes it
}

bool ZmqRouter::prepare_wait(TimePoint now) {
  read_monitor(now);
  listener_.resume_if_due(socket_, now);
  if (retry_.due(now)) return true;
  return has_input(socket_) || std::exchange(notice_, false);
}

void ZmqRouter::add_polls(std::vector<pollfd>& polls) const {
  polls.push_back({fd_, POLLIN, 0});
  polls.push_back({monitor_.fd(), POLLIN, 0});
}

std::optional<TimePoint> ZmqRouter::wait_deadline() const {
  std::optional<TimePoint> at = listener_.resume_at();
  std::optional<TimePoint> retry = retry_.deadline();
  return retry && (!at || *retry < *at) ? retry : at;
}

}  // namespace hq
