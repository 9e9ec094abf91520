// A server's channel and connections to it, real or fake, behind one face.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "hq/base/unique_fd.h"
#include "hq/transport/zmq.h"
#include "support/fake_channel.h"

namespace hq::test {

class ChannelWorld {
 public:
  virtual ~ChannelWorld() = default;
  virtual RouterChannel& router() = 0;
  virtual void kill_router() = 0;
  virtual std::unique_ptr<DealerChannel> connect() = 0;
  virtual std::unique_ptr<DealerChannel> connect_with_wrong_key() = 0;
  // Waits a little while something may happen; false when the patience of a test is at its end.
  virtual bool pass_time() = 0;

  bool until(const std::function<bool()>& condition) {
    while (!condition()) {
      if (!pass_time()) return false;
    }
    return true;
  }
  std::optional<RouterChannel::Received> next_at_router() {
    std::optional<RouterChannel::Received> received;
    until([&] { return (received = router().receive()).has_value(); });
    return received;
  }
  std::string next_at(DealerChannel& dealer) {
    std::optional<Bytes> received;
    until([&] { return (received = dealer.receive()).has_value(); });
    return received.value_or("(nothing)");
  }
};

inline UniqueFd connect_tcp(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}
inline bool accepts_connections(uint16_t port) {
  return connect_tcp(port).valid();
}

// Sockets on the loopback interface.
class RealWorld : public ChannelWorld {
 public:
  explicit RealWorld(bool curve, const std::string& host = "127.0.0.1", ChannelLimits limits = small_limits())
      : record_(generate_access({"test", ProtocolRange{1, 1}}, "testid", {host, 0, curve}, {host, 0, curve})),
        limits_(limits),
        transport_(std::move(*Transport::make())) {
    for (Role role : {Role::kClient, Role::kWorker}) {
      RouterOptions options = router_options(record_, role);
      options.limits = limits;
      Result<BoundRouter> bound = transport_->bind_router(options);
      HQ_ASSERT(bound.ok());
      record_.part(role)->port = bound->port;
      (role == Role::kClient ? router_ : worker_router_) = std::move(bound->channel);
    }
  }
  static ChannelLimits small_limits() { return {size_t{1} << 20, 128, 128}; }

  RouterChannel& router() override { return *router_; }
  RouterChannel& worker_router() { return *worker_router_; }
  // Returns when the port is closed: libzmq closes it from another thread.
  void kill_router() override {
    router_.reset();
    while (accepts_connections(record_.client->port)) std::this_thread::yield();
  }
  Transport& transport() { return *transport_; }
  // What connect() uses; may be changed.
  AccessRecord& record() { return record_; }
  std::unique_ptr<DealerChannel> connect() override { return connect_as(record_); }
  std::unique_ptr<DealerChannel> connect_with_wrong_key() override {
    AccessRecord wrong = record_;
    wrong.client->secret_key = SecretKey::generate();
    return connect_as(wrong);
  }
  std::unique_ptr<DealerChannel> connect_as(const AccessRecord& record, Role role = Role::kClient,
                                            Duration timeout = 15s) {
    ConnectorOptions options;
    options.role = role;
    options.load = [record] { return record; };
    options.limits = limits_;
    options.timeout = timeout;
    Result<std::unique_ptr<DealerChannel>> made = transport_->make_connector(options)->connect();
    HQ_ASSERT(made.ok());
    return std::move(*made);
  }
  bool pass_time() override {
    TimePoint now = SystemClock().now().mono;
    if (!patience_ || now - last_pass_ > 1s) patience_ = now + 20s;
    last_pass_ = now;
    transport_->reactor().wait(now + 20ms);
    return now < *patience_;
  }

 private:
  AccessRecord record_;
  ChannelLimits limits_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<RouterChannel> router_;
  std::unique_ptr<RouterChannel> worker_router_;
  std::optional<TimePoint> patience_;
  TimePoint last_pass_{};
};

class FakeWorld : public ChannelWorld {
 public:
  explicit FakeWorld(uint64_t seed = 1) : random_(seed), net_(random_), router_(net_.bind("server", "key")) {}
  RouterChannel& router() override { return *router_; }
  void kill_router() override { router_.reset(); }
  std::unique_ptr<DealerChannel> connect() override { return connect_with("key"); }
  std::unique_ptr<DealerChannel> connect_with_wrong_key() override { return connect_with("other"); }
  bool pass_time() override {
    std::optional<TimePoint> next = net_.next_event();
    if (!next) return false;
    net_.advance_to(*next);
    return true;
  }
  FakeNetwork& net() { return net_; }

 private:
  std::unique_ptr<DealerChannel> connect_with(const std::string& key) {
    return std::move(*net_.make_connector("node", "server", key)->connect());
  }
  SeededRandom random_;
  FakeNetwork net_;
  std::unique_ptr<RouterChannel> router_;
};

inline std::unique_ptr<ChannelWorld> make_world(const std::string& name) {
  if (name == "fake") return std::make_unique<FakeWorld>();
  return std::make_unique<RealWorld>(name == "real, CURVE");
}

}  // namespace hq::test
