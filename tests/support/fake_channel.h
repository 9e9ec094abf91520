// The ports of transport/channel.h in one process, on a virtual clock and one source of chance, with the
// faults that real connections were seen to have. tests/unit/transport/test_conformance.cc holds it to the
// same contract as the real adapter.
//
// What may happen to a connection that ends, on purpose or by a fault: any suffix of the frames on their way
// is lost, in both directions and although send() said kSent; what is left of them comes late, perhaps after
// the next connection's first frame. Each side learns of the end in its own time; the hint to the router may
// come before or after a probe says kGone, and twice. Until then sends are accepted and lost.
//
// Same seed and same calls, same behaviour.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/assert.h"
#include "hq/base/random.h"
#include "hq/transport/channel.h"

namespace hq::test {

struct ChannelFaults {
  Duration min_delay = 50us;  // of a frame, and of each step of connecting
  Duration max_delay = 500us;
  Duration max_notice = 3ms;  // until a side learns of the end of a connection
  Duration max_late = 0ns;    // more delay for frames that outlive their connection
  double lose_on_end = 0;     // chance that the end of a connection loses frames on their way
  double full = 0;            // chance of kFull at any send
  double cut = 0;             // chance at any send that the connection breaks
  double doubled_notice = 0;  // chance of a second hint for one disconnect
  size_t queue = 256;         // frames on their way or unread in one direction before kFull
  size_t max_frame = size_t{1} << 20;
};

class FakeNetwork {
 public:
  // REQUIRES: `random` outlives the network, and that all channels and connectors.
  explicit FakeNetwork(Random& random, ChannelFaults faults = {}) : random_(random), faults_(faults) {}
  FakeNetwork(const FakeNetwork&) = delete;
  FakeNetwork& operator=(const FakeNetwork&) = delete;

  [[nodiscard]] TimePoint now() const { return now_; }
  // When advance_to() has something to do; nothing when all is quiet.
  [[nodiscard]] std::optional<TimePoint> next_event() const {
    if (events_.empty()) return std::nullopt;
    return events_.begin()->first.first;
  }
  void advance_to(TimePoint time) {
    while (!events_.empty() && events_.begin()->first.first <= time) {
      auto event = events_.extract(events_.begin());
      now_ = std::max(now_, event.key().first);
      event.mapped()();
    }
    now_ = std::max(now_, time);
  }

  // A server at `address` that admits peers with `key`. Destroying the channel is the death of the server.
  std::unique_ptr<RouterChannel> bind(const std::string& address, const std::string& key = "");
  // Peers on the machine `node`.
  std::unique_ptr<Connector> make_connector(const std::string& node, const std::string& address,
                                            const std::string& key = "");

  void set_faults(const ChannelFaults& faults) { faults_ = faults; }
  // Nothing passes between `node` and any server, and nobody is told. What was on its way comes after the
  // end.
  void set_partition(const std::string& node, bool on);
  // Breaks all connections of `node`.
  void cut(const std::string& node) {
    for (auto& [id, link] : links_) {
      if (link->node == node) end(link);
    }
  }

 private:
  class Router;
  class Dealer;
  class NodeConnector;

  struct Lane {  // one direction of a connection
    std::deque<Bytes> on_way;
    TimePoint last{};    // frames stay in order
    uint64_t epoch = 0;  // deliveries planned in an earlier one are void
    size_t unread = 0;
  };
  struct Link {
    PeerId id;
    std::string node;
    std::string address;
    uint64_t router = 0;  // incarnation it is connected to; 0: none (yet)
    bool ended = false;
    bool router_knows = false;
    Lane up;
    Lane down;
    DealerChannel::State state = DealerChannel::State::kConnecting;
    std::string failure;
    std::deque<Bytes> inbox;    // of the dealer
    std::deque<Bytes> pending;  // sent while connecting
  };
  using LinkPtr = std::shared_ptr<Link>;
  struct Server {
    uint64_t incarnation;
    std::string key;
    std::deque<RouterChannel::Received> inbox;
    size_t disconnects = 0;
    std::vector<std::string> refusals;
    std::set<PeerId> peers;
  };

  void at(TimePoint time, std::function<void()> action) {
    events_.emplace(std::pair(time, ++sequence_), std::move(action));
  }
  // Like at(), but a partition around `node` holds it until that is over.
  void at_node(const std::string& node, TimePoint time, std::function<void()> action) {
    at(time, [this, node, action = std::move(action)] {
      if (partitioned_.contains(node)) {
        held_[node].push_back(action);
      } else {
        action();
      }
    });
  }
  void at_link(const LinkPtr& link, TimePoint time, std::function<void()> action) {
    at_node(link->node, time, std::move(action));
  }
  Duration between(Duration least, Duration most) {
    if (most <= least) return least;
    return least +
           Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>((most - least).count()))));
  }
  Duration delay() { return between(faults_.min_delay, faults_.max_delay); }

  Server* server_of(const Link& link) {
    auto it = servers_.find(link.address);
    return it != servers_.end() && it->second.incarnation == link.router ? &it->second : nullptr;
  }

  LinkPtr connect(const std::string& node, const std::string& address, const std::string& key);
  void arrive(const LinkPtr& link, const std::string& key);
  void close_dealer(const LinkPtr& link, DealerChannel::State state, const std::string& failure) {
    if (link->state == DealerChannel::State::kConnecting || link->state == DealerChannel::State::kOpen) {
      link->state = state;
      link->failure = failure;
    }
  }
  SendStatus post(const LinkPtr& link, bool up, BytesView frame);
  void plan_delivery(const LinkPtr& link, bool up, Duration more);
  void deliver(const LinkPtr& link, bool up, uint64_t epoch);
  void end(const LinkPtr& link);
  void lose_some(const LinkPtr& link, bool up);

  Random& random_;
  ChannelFaults faults_;
  TimePoint now_{};
  uint64_t sequence_ = 0;
  uint64_t last_peer_ = 0;
  uint64_t last_incarnation_ = 0;
  std::map<std::pair<TimePoint, uint64_t>, std::function<void()>> events_;
  std::map<PeerId, LinkPtr> links_;  // not ended
  std::map<std::string, Server> servers_;
  std::set<std::string> partitioned_;
  std::map<std::string, std::vector<std::function<void()>>> held_;  // by a partition
};

class FakeNetwork::Router final : public RouterChannel {
 public:
  Router(FakeNetwork& net, std::string address, uint64_t incarnation)
      : net_(net), address_(std::move(address)), incarnation_(incarnation) {}
  ~Router() override {
    std::vector<LinkPtr> mine;
    for (auto& [id, link] : net_.links_) {
      if (link->router == incarnation_) mine.push_back(link);
    }
    for (const LinkPtr& link : mine) net_.end(link);
    net_.servers_.erase(address_);
  }
  std::optional<Received> receive() override {
    Server& server = self();
    if (server.inbox.empty()) return std::nullopt;
    Received received = std::move(server.inbox.front());
    server.inbox.pop_front();
    if (auto it = net_.links_.find(received.from); it != net_.links_.end()) --it->second->up.unread;
    return received;
  }
  SendStatus send(PeerId to, BytesView frame) override {
    if (!self().peers.contains(to)) return SendStatus::kGone;
    auto it = net_.links_.find(to);
    if (it == net_.links_.end()) return SendStatus::kSent;  // gone, but we don't know it yet
    return net_.post(it->second, false, frame);
  }
  size_t take_disconnects() override { return std::exchange(self().disconnects, 0); }
  std::vector<std::string> take_refusals() override { return std::exchange(self().refusals, {}); }
  std::string address_of(PeerId peer) override {
    auto it = net_.links_.find(peer);
    return it == net_.links_.end() ? "" : it->second->node + ":" + peer.text();
  }

 private:
  Server& self() { return net_.servers_.at(address_); }
  FakeNetwork& net_;
  std::string address_;
  uint64_t incarnation_;
};

class FakeNetwork::Dealer final : public DealerChannel {
 public:
  Dealer(FakeNetwork& net, LinkPtr link) : net_(net), link_(std::move(link)) {}
  ~Dealer() override {
    net_.end(link_);
    link_->state = State::kClosed;
  }
  State state() override {
    // What came before the end is read first.
    return link_->state == State::kClosed && !link_->inbox.empty() ? State::kOpen : link_->state;
  }
  std::string failure() const override { return link_->failure; }
  std::optional<Bytes> receive() override {
    if (link_->inbox.empty()) return std::nullopt;
    Bytes frame = std::move(link_->inbox.front());
    link_->inbox.pop_front();
    --link_->down.unread;
    return frame;
  }
  SendStatus send(BytesView frame) override {
    HQ_ASSERT(frame.size() <= net_.faults_.max_frame);
    if (link_->state == State::kConnecting) {
      if (link_->pending.size() >= net_.faults_.queue) return SendStatus::kFull;
      link_->pending.emplace_back(frame);
      return SendStatus::kSent;
    }
    if (link_->state != State::kOpen) return SendStatus::kGone;
    return net_.post(link_, true, frame);
  }

 private:
  FakeNetwork& net_;
  LinkPtr link_;
};

class FakeNetwork::NodeConnector final : public Connector {
 public:
  NodeConnector(FakeNetwork& net, std::string node, std::string address, std::string key)
      : net_(net), node_(std::move(node)), address_(std::move(address)), key_(std::move(key)) {}
  Result<std::unique_ptr<DealerChannel>> connect() override {
    return std::unique_ptr<DealerChannel>(
        std::make_unique<Dealer>(net_, net_.connect(node_, address_, key_)));
  }

 private:
  FakeNetwork& net_;
  std::string node_;
  std::string address_;
  std::string key_;
};

inline std::unique_ptr<RouterChannel> FakeNetwork::bind(const std::string& address, const std::string& key) {
  bool fresh = servers_.emplace(address, Server{++last_incarnation_, key, {}, 0, {}, {}}).second;
  HQ_ASSERT(fresh);
  return std::make_unique<Router>(*this, address, last_incarnation_);
}

inline std::unique_ptr<Connector> FakeNetwork::make_connector(const std::string& node,
                                                              const std::string& address,
                                                              const std::string& key) {
  return std::make_unique<NodeConnector>(*this, node, address, key);
}

inline FakeNetwork::LinkPtr FakeNetwork::connect(const std::string& node, const std::string& address,
                                                 const std::string& key) {
  auto link = std::make_shared<Link>();
  link->id = PeerId(++last_peer_);
  link->node = node;
  link->address = address;
  links_.emplace(link->id, link);
  at_link(link, now_ + delay(), [this, link, key] { arrive(link, key); });
  return link;
}

inline void FakeNetwork::arrive(const LinkPtr& link, const std::string& key) {
  if (link->ended) return;
  auto it = servers_.find(link->address);
  bool refused = it != servers_.end() && it->second.key != key;
  if (it == servers_.end() || refused) {
    link->ended = true;
    links_.erase(link->id);
    if (refused) it->second.refusals.push_back("Cannot verify challenge: " + link->node + " has another key");
    return close_dealer(link, refused ? DealerChannel::State::kRefused : DealerChannel::State::kClosed,
                        refused ? "Cannot verify challenge" : "Connection refused (os error 111)");
  }
  link->router = it->second.incarnation;
  it->second.peers.insert(link->id);
  link->state = DealerChannel::State::kOpen;
  for (Bytes& frame : link->pending) {
    link->up.on_way.push_back(std::move(frame));
    plan_delivery(link, true, 0ns);
  }
  link->pending.clear();
}

inline SendStatus FakeNetwork::post(const LinkPtr& link, bool up, BytesView frame) {
  Lane& lane = up ? link->up : link->down;
  if (faults_.cut > 0 && random_.chance(faults_.cut)) end(link);
  if (faults_.full > 0 && random_.chance(faults_.full)) return SendStatus::kFull;
  if (link->ended) return SendStatus::kSent;  // nobody knows yet; it is lost
  if (lane.on_way.size() + lane.unread >= faults_.queue) return SendStatus::kFull;
  if (frame.empty()) return SendStatus::kSent;  // a probe: the other side swallows it
  lane.on_way.emplace_back(frame);
  plan_delivery(link, up, 0ns);
  return SendStatus::kSent;
}

inline void FakeNetwork::plan_delivery(const LinkPtr& link, bool up, Duration more) {
  Lane& lane = up ? link->up : link->down;
  lane.last = std::max(lane.last + 1ns, now_ + delay() + more);
  at_link(link, lane.last, [this, link, up, epoch = lane.epoch] { deliver(link, up, epoch); });
}

inline void FakeNetwork::deliver(const LinkPtr& link, bool up, uint64_t epoch) {
  Lane& lane = up ? link->up : link->down;
  if (lane.epoch != epoch || lane.on_way.empty()) return;
  Bytes frame = std::move(lane.on_way.front());
  lane.on_way.pop_front();
  if (up) {
    Server* server = server_of(*link);
    if (server == nullptr) return;
    server->inbox.push_back({link->id, std::move(frame)});
    ++lane.unread;
  } else if (link->state == DealerChannel::State::kOpen) {
    link->inbox.push_back(std::move(frame));
    ++lane.unread;
  }
}

inline void FakeNetwork::end(const LinkPtr& link) {
  if (link->ended) return;
  link->ended = true;
  lose_some(link, true);
  lose_some(link, false);
  at_link(link, now_ + between(0ns, faults_.max_notice),
          [this, link] { close_dealer(link, DealerChannel::State::kClosed, "Connection closed"); });
  if (link->router != 0) {
    at_link(link, now_ + between(0ns, faults_.max_notice), [this, link] {
      if (Server* server = server_of(*link)) server->peers.erase(link->id);
    });
    int hints = faults_.doubled_notice > 0 && random_.chance(faults_.doubled_notice) ? 2 : 1;
    for (int i = 0; i < hints; ++i) {
      at_link(link, now_ + between(0ns, faults_.max_notice), [this, link] {
        if (Server* server = server_of(*link)) ++server->disconnects;
      });
    }
  }
  // The entry goes when the current call is over: callers walk the map.
  at(now_, [this, link] { links_.erase(link->id); });
}

inline void FakeNetwork::lose_some(const LinkPtr& link, bool up) {
  Lane& lane = up ? link->up : link->down;
  if (faults_.lose_on_end > 0 && random_.chance(faults_.lose_on_end)) {
    lane.on_way.resize(random_.below(lane.on_way.size() + 1));
  }
  if (faults_.max_late <= 0ns) return;
  ++lane.epoch;
  for (size_t i = 0; i < lane.on_way.size(); ++i) plan_delivery(link, up, between(0ns, faults_.max_late));
}

inline void FakeNetwork::set_partition(const std::string& node, bool on) {
  if (on) {
    partitioned_.insert(node);
    return;
  }
  partitioned_.erase(node);
  // At once and in order, so that no later frame overtakes them.
  for (auto& action : std::exchange(held_[node], {})) at_node(node, now_, std::move(action));
}

}  // namespace hq::test
