#include "transport/zmq_attempt.h"

#include <cerrno>

namespace hq {

namespace {

constexpr int kEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_CLOSED |
                        ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// libzmq's own "never reconnect" also drops what has arrived but is unread. A pause of twelve days doesn't,
// and we close the socket long before.
constexpr int kNeverReconnect = 1 << 30;

// A little less than the limit that servers set.
constexpr Duration kSlowHandshake = kServerHandshakeLimit - 1s;

constexpr const char* kWrongKey = "Cannot verify challenge";
constexpr const char* kPeerWantsKey = "Authentication failed: Peer requests authentication";
constexpr const char* kPeerHasNoKey = "Authentication failed: Peer does not support authentication";
constexpr const char* kClosed = "Connection closed";

}  // namespace

ZmqAttempt::ZmqAttempt(ZmqShared& shared, const Endpoint& endpoint, const RoleAccess& access,
                       const ChannelLimits& limits, Duration timeout, TimePoint now)
    : endpoint_(endpoint),
      curve_(access.secret_key.has_value()),
      started_(now),
      timeout_(timeout),
      socket_(shared.context, zmq::socket_type::dealer),
      monitor_(shared.context, socket_, kEvents),
      fd_(socket_.get(zmq::sockopt::fd)) {
  set_common_options(socket_, limits, curve_);
  socket_.set(zmq::sockopt::ipv6, endpoint.address.ss_family == AF_INET6);
  socket_.set(zmq::sockopt::reconnect_ivl, kNeverReconnect);
  socket_.set(zmq::sockopt::connect_timeout, milliseconds_up(timeout));
  socket_.set(zmq::sockopt::handshake_ivl, milliseconds_up(timeout));
  if (curve_) {
    HQ_ASSERT(access.server_public_key.has_value());
    const auto& server = access.server_public_key->bytes;
    const auto& secret = access.secret_key->reveal_bytes();
    const PublicKey own = access.secret_key->public_key();
    socket_.set(zmq::sockopt::curve_serverkey, zmq::const_buffer(server.data(), server.size()));
    socket_.set(zmq::sockopt::curve_publickey, zmq::const_buffer(own.bytes.data(), own.bytes.size()));
    socket_.set(zmq::sockopt::curve_secretkey, zmq::const_buffer(secret.data(), secret.size()));
  }
  socket_.connect("tcp://" + endpoint.text);
}

ZmqAttempt::State ZmqAttempt::poll(TimePoint now) {
  while (std::optional<ZmqMonitor::Event> event = monitor_.next()) on_event(*event, now);
  if (state_ == State::kProbing) {
    if (std::optional<PeerProbe::Outcome> outcome = probe_->poll(now)) on_probed(*outcome);
  }
  return state_;
}

void ZmqAttempt::on_event(const ZmqMonitor::Event& event, TimePoint now) {
  bool trying = state_ == State::kConnecting || state_ == State::kHandshake;
  switch (event.kind) {
    case ZMQ_EVENT_CONNECTED:
      if (!trying) break;
      state_ = State::kHandshake;
      connected_ = now;
      break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      if (trying) state_ = State::kOpen;
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      final_ = trying;
      if (trying) end(State::kRefused, kWrongKey);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      if (!trying) break;
      if (event.value != ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
        on_broken(now);
      } else {
        end(State::kRefused, curve_ ? kPeerHasNoKey : kPeerWantsKey);
      }
      break;
    default:  // closed, disconnected, about to try again
      if (trying) on_broken(now);
      if (state_ == State::kOpen) end(State::kEnded, kClosed);
      break;
  }
}

void ZmqAttempt::on_broken(TimePoint now) {
  if (now - started_ >= timeout_) return end(State::kFailed, os_error_text(ETIMEDOUT));
  // An overloaded server hangs up when a handshake takes too long: no verdict on our key.
  if (state_ == State::kHandshake && now - connected_ >= kSlowHandshake) return end(State::kFailed, kClosed);
  probed_in_ = state_;
  state_ = State::kProbing;
  probe_.emplace(endpoint_, now);
}

void ZmqAttempt::on_probed(const PeerProbe::Outcome& outcome) {
  probe_.reset();
  if (outcome.connect_error != 0) return end(State::kFailed, os_error_text(outcome.connect_error));
  // Without a greeting it is no living server of ours: it may be starting, stopping or out of descriptors.
  if (probed_in_ != State::kHandshake || outcome.mechanism.empty()) return end(State::kFailed, kClosed);
  if (outcome.mechanism == (curve_ ? "CURVE" : "NULL")) {
    return curve_ ? end(State::kSuspect, kWrongKey) : end(State::kFailed, kClosed);
  }
  end(State::kRefused, curve_ ? kPeerHasNoKey : kPeerWantsKey);
}

void ZmqAttempt::end(State state, std::string failure) {
  state_ = state;
  failure_ = std::move(failure);
}

void ZmqAttempt::add_polls(std::vector<pollfd>& polls) const {
  polls.push_back({monitor_.fd(), POLLIN, 0});
  if (state_ == State::kOpen || state_ == State::kEnded) polls.push_back({fd_, POLLIN, 0});
  if (probe_) polls.push_back(probe_->wish());
}

std::optional<TimePoint> ZmqAttempt::deadline() const {
  if (probe_) return probe_->deadline();
  return std::nullopt;
}

}  // namespace hq
