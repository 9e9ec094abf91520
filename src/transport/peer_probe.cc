#include "transport/peer_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace hq {

namespace {

constexpr Duration kLimit = 1s;
// ZMTP 3 greeting: signature (10), version (2), mechanism (20), as-server (1), filler (31).
constexpr size_t kGreetingBytes = 64;
constexpr size_t kMechanismAt = 12;
constexpr size_t kMechanismBytes = 20;

}  // namespace

PeerProbe::PeerProbe(const Endpoint& endpoint, TimePoint now) : deadline_(now + kLimit) {
  fd_ = UniqueFd(::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) {
    outcome_ = fail(errno);
    return;
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  if (::connect(fd_.get(), address, endpoint.length) != 0 && errno != EINPROGRESS && errno != EINTR) {
    outcome_ = fail(errno);
  }
}

PeerProbe::Outcome PeerProbe::fail(int connect_error) {
  return {connect_error, ""};
}

// Signature and version are enough to get the peer's whole greeting. With our mechanism, a peer of another
// one would hang up before it has sent its own.
void PeerProbe::send_greeting() {
  std::array<char, kMechanismAt> greeting{};
  greeting[0] = static_cast<char>(0xff);
  greeting[9] = 0x7f;
  greeting[10] = 3;
  // Fits into any socket buffer; a peer that is gone shows in the read.
  (void)::send(fd_.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL);
}

std::optional<PeerProbe::Outcome> PeerProbe::poll(TimePoint now) {
  if (outcome_) return outcome_;
  if (!connected_) {
    pollfd entry{fd_.get(), POLLOUT, 0};
    if (::poll(&entry, 1, 0) > 0) {
      int failure = 0;
      socklen_t length = sizeof failure;
      (void)::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
      if (failure != 0) return outcome_ = fail(failure);
      connected_ = true;
      send_greeting();
    } else if (now >= deadline_) {
      return outcome_ = fail(ETIMEDOUT);
    } else {
      return std::nullopt;
    }
  }
  char buffer[kGreetingBytes];
  ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer - received_.size(), 0);
  if (count > 0) received_.append(buffer, static_cast<size_t>(count));
  bool whole = received_.size() >= kMechanismAt + kMechanismBytes;
  bool more_to_come = count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  if (!whole && more_to_come && now < deadline_) return std::nullopt;
  Outcome outcome;
  bool zmtp = whole && received_[0] == static_cast<char>(0xff) && received_[9] == 0x7f;
  if (zmtp) outcome.mechanism = received_.substr(kMechanismAt, kMechanismBytes).c_str();
  return outcome_ = outcome;
}

pollfd PeerProbe::wish() const {
  return {fd_.get(), static_cast<short>(connected_ ? POLLIN : POLLOUT), 0};
}

}  // namespace hq
