#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <zmq.hpp>

#include "transport/full_retry.h"
#include "transport/zap.h"
#include "transport/zmq_context.h"
#include "transport/zmq_listener.h"
#include "transport/zmq_monitor.h"

namespace hq {

// A PeerId is the routing id that libzmq gave the connection: a counter, so none is used twice before 2^32
// connections and no table is needed. The one table, of addresses, is swept after disconnects.
class ZmqRouter final : public RouterChannel, private Waitable {
 public:
  // `zap` may be null when options.curve is not set. REQUIRES: `shared` and `zap` outlive the router.
  static Result<std::unique_ptr<ZmqRouter>> bind(ZmqShared& shared, ZapHandler* zap,
                                                 const RouterOptions& options, const std::string& domain);
  ~ZmqRouter() override;
  [[nodiscard]] uint16_t port() const { return listener_.port(); }

  std::optional<Received> receive() override;
  SendStatus send(PeerId to, BytesView frame) override;
  size_t take_disconnects() override;
  std::vector<std::string> take_refusals() override;
  std::string address_of(PeerId peer) override;

 private:
  ZmqRouter(ZmqShared& shared, ZapHandler* zap, const RouterOptions& options, std::string domain,
            ZmqListener listener);
  bool prepare_wait(TimePoint now) override;
  void add_polls(std::vector<pollfd>& polls) const override;
  std::optional<TimePoint> wait_deadline() const override;

  void read_monitor(TimePoint now);
  void drop_rest(const zmq::message_t& part);
  void note_address(PeerId peer, const zmq::message_t& frame);
  void sweep_addresses();

  ZmqShared& shared_;
  ZapHandler* zap_;
  std::string domain_;
  size_t max_frame_bytes_;
  ZmqListener listener_;
  zmq::socket_t socket_;
  ZmqMonitor monitor_;
  int fd_;
  size_t disconnects_ = 0;      // not taken yet
  size_t stale_addresses_ = 0;  // connections that ended since the last sweep
  std::unordered_map<PeerId, std::string> addresses_;
  RefusalLog refusals_;
  bool notice_ = false;  // something for take_disconnects or take_refusals since the last wait
  FullRetry retry_;
};

}  // namespace hq
