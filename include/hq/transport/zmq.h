// The ports of channel.h over ZeroMQ with CURVE. One Transport is one ZeroMQ context; it, its channels, its
// connectors and its reactor belong to one thread. Channels and connectors must be gone before the Transport
// is.
//
// Peers are DEALER sockets that leave their routing id to the server and send messages of one part; messages
// of others are dropped. Empty frames are probes: channels swallow them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/transport/access.h"
#include "hq/transport/channel.h"

namespace hq {

struct TransportOptions {
  int io_threads = 1;
  // Sockets of the context: a bound router takes 2, a connection 2 for each address being tried.
  int max_sockets = 1023;
};

// Limits of one socket. Both sides must agree on max_frame_bytes: a peer that sends more is disconnected.
struct ChannelLimits {
  size_t max_frame_bytes = size_t{1} << 20;
  int send_queue = 256;     // messages per peer before kFull; never 0
  int receive_queue = 256;  // messages per peer that we hold unread
};

struct RouterOptions {
  uint16_t port = 0;  // 0: any free one
  Role role = Role::kClient;
  struct Curve {
    SecretKey server_key;
    PublicKey admitted;  // the only key that peers may have
  };
  std::optional<Curve> curve;  // nothing: neither authenticated nor encrypted
  ChannelLimits limits;
  int backlog = 4096;
  bool ipv6 = true;
};

// What a part of a full access record says about its router.
[[nodiscard]] RouterOptions router_options(const AccessRecord& full, Role role);

struct BoundRouter {
  std::unique_ptr<RouterChannel> channel;
  uint16_t port = 0;
};

struct ConnectorOptions {
  Role role = Role::kClient;
  // Called for each connection anew.
  std::function<Result<AccessRecord>()> load;
  ChannelLimits limits;
  // Between the first tries of two addresses.
  Duration stagger = 250ms;
  // For the whole of connecting and handshake; then the channel is kClosed, "Connection timed out (os error
  // 110)".
  Duration timeout = 15s;
};

// The Reactor of all channels of a Transport and of the descriptors given to it.
class FdReactor : public Reactor {
 public:
  // `fd` stays the caller's, who must remove it before closing it.
  virtual void add_fd(int fd, bool for_writing = false) = 0;
  virtual void remove_fd(int fd) = 0;
  // Whether the last wait() saw it ready. After a wait that returned early this may miss what has come since;
  // the next wait() sees it.
  [[nodiscard]] virtual bool fd_ready(int fd) const = 0;
};

class Transport {
 public:
  static Result<std::unique_ptr<Transport>> make(const TransportOptions& options = {});
  virtual ~Transport() = default;  // waits for lingering goodbyes
  // A taken port is the error "Address already in use (os error 98)".
  virtual Result<BoundRouter> bind_router(const RouterOptions& options) = 0;
  virtual std::unique_ptr<Connector> make_connector(ConnectorOptions options) = 0;
  virtual FdReactor& reactor() = 0;
};

// Ends a connection, giving frames already sent up to `linger` to leave (the Transport's destructor waits for
// that). Destroying the channel instead drops them. REQUIRES: a channel of a Transport's connector.
void close_with_linger(std::unique_ptr<DealerChannel> channel, Duration linger);

}  // namespace hq
