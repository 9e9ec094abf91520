// Ports to the peers. Frames are opaque bytes; nothing here looks inside a message.
// docs/protocol.md says who speaks when; docs/security.md what CURVE and ZAP guarantee below this line.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/base/strong_id.h"

namespace hq {

// A connection as the server's socket names it. Never used again for another connection.
using PeerId = Id<struct PeerTag, uint64_t>;

enum class SendStatus {
  kSent,
  kFull,  // this peer takes no more now: keep the frame and try again next turn
  kGone,  // this peer is not connected (any more)
};

// How failure() of a dealer begins when the server's name leads nowhere.
inline constexpr std::string_view kLookupFailed = "failed to lookup address information";

// The server's side: one ROUTER socket, many peers of one role.
class RouterChannel {
 public:
  struct Received {
    PeerId from;
    Bytes frame;
  };
  virtual ~RouterChannel() = default;
  // Next frame, without waiting; nothing when there is none now. Frames above the size limit never arrive.
  virtual std::optional<Received> receive() = 0;
  // Never waits. An empty frame is a probe: kGone tells that the peer is gone, kSent that it is still there.
  virtual SendStatus send(PeerId to, BytesView frame) = 0;
  // Hints, without waiting, that a connection has closed: how many did since the last call. They do not say
  // whose; the caller probes.
  virtual size_t take_disconnects() = 0;
  // Peers refused by key or handshake since the last call, as log texts (bounded, at most a few).
  virtual std::vector<std::string> take_refusals() = 0;
  // Numeric address ("10.0.0.1:4242") of the peer as of its last message, "" when unknown.
  virtual std::string address_of(PeerId peer) = 0;
};

// A worker's or client's side: one fresh DEALER per session, never reconnecting by itself.
class DealerChannel {
 public:
  enum class State {
    kConnecting,
    kOpen,     // the handshake is done: the server has proved its key
    kRefused,  // the server does not accept our key, or has another one: final, see failure()
    kClosed,   // could not connect, or the connection ended: see failure()
  };
  virtual ~DealerChannel() = default;
  virtual State state() = 0;
  // Why it is kRefused or kClosed: "Connection refused (os error 111)", "Cannot verify challenge", ...
  virtual std::string failure() const = 0;
  virtual std::optional<Bytes> receive() = 0;
  // kFull and kGone as above; frames sent while kConnecting are kept by the socket.
  virtual SendStatus send(BytesView frame) = 0;
  // The same, of a frame that may be large: it is taken instead of copied, unless it has to be kept.
  virtual SendStatus send_away(Bytes& frame) { return send(frame); }
};

// Makes a new session's connection; reads the access file anew each time.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual Result<std::unique_ptr<DealerChannel>> connect() = 0;
};

// Waits for whatever the wiring has registered: sockets, pipes, the journal's commits, signals.
class Reactor {
 public:
  virtual ~Reactor() = default;
  // Returns when something may be ready or `deadline` has come; may return early for no reason.
  virtual void wait(std::optional<TimePoint> deadline) = 0;
};

}  // namespace hq
