// What only real sockets can show: keys, hostile peers, addresses, descriptors.
#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <zmq.hpp>

#include "support/channel_worlds.h"

using namespace hq;
using namespace hq::test;
using State = DealerChannel::State;

namespace {

TimePoint mono() {
  return SystemClock().now().mono;
}

// Waits for the end of connecting and returns the reason.
std::string failure_of(RealWorld& world, DealerChannel& dealer, State expected) {
  world.until([&] { return dealer.state() != State::kConnecting; });
  CHECK(dealer.state() == expected);
  return dealer.failure();
}

bool reaches_server(RealWorld& world, DealerChannel& dealer) {
  if (dealer.send("hello") != SendStatus::kSent) return false;
  auto received = world.next_at_router();
  return received && received->frame == "hello";
}

// Everything that a server tells about refused peers until `condition` holds.
std::vector<std::string> refusals_until(RealWorld& world, RouterChannel& router,
                                        const std::function<bool()>& condition) {
  std::vector<std::string> texts;
  world.until([&] {
    for (std::string& text : router.take_refusals()) texts.push_back(std::move(text));
    return condition();
  });
  return texts;
}

bool closed_by_peer(int fd) {
  char byte = 0;
  ssize_t count = ::recv(fd, &byte, 1, MSG_DONTWAIT);
  while (count > 0) count = ::recv(fd, &byte, 1, MSG_DONTWAIT);
  return count == 0 || (errno != EAGAIN && errno != EINTR);
}

// A port on which TCP connections are made but nobody ever speaks.
struct SilentPort {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port = 0;
  SilentPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(fd.get(), 10) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port = ntohs(address.sin_port);
  }
};

// Takes all descriptors but none of those in use.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit low{std::min<rlim_t>(before_.rlim_cur, 256), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.emplace_back(fd);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

Duration cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

TEST_CASE("10,000 frames each way between a server and four peers arrive whole and in order") {
  constexpr size_t kPeers = 4;
  constexpr size_t kFrames = 10'000;
  RealWorld world(true);
  struct Peer {
    std::unique_ptr<DealerChannel> dealer;
    size_t sent = 0;
    size_t received = 0;
  };
  std::vector<Peer> peers(kPeers);
  for (Peer& peer : peers) peer.dealer = world.connect();
  struct Seen {
    size_t received = 0;
    size_t sent = 0;
  };
  std::map<PeerId, Seen> seen;

  bool done = world.until([&] {
    size_t finished = 0;
    for (Peer& peer : peers) {
      while (peer.sent < kFrames && peer.dealer->send(std::to_string(peer.sent)) == SendStatus::kSent)
        ++peer.sent;
      while (auto frame = peer.dealer->receive()) REQUIRE(*frame == std::to_string(peer.received++));
      finished += peer.received == kFrames ? 1 : 0;
    }
    while (auto received = world.router().receive()) {
      REQUIRE(received->frame == std::to_string(seen[received->from].received++));
    }
    for (auto& [id, state] : seen) {
      while (state.sent < kFrames &&
             world.router().send(id, std::to_string(state.sent)) == SendStatus::kSent) {
        ++state.sent;
      }
      finished += state.received == kFrames ? 1 : 0;
    }
    return finished == 2 * kPeers;
  });

  CHECK(done);
}

TEST_CASE("large frames are taken instead of copied, and stay with the sender while there is no room") {
  constexpr size_t kFrames = 60;
  const auto nth = [](size_t n) { return Bytes(size_t{1} << 20, char('a' + n % 26)); };
  RealWorld world(true);
  auto dealer = world.connect();
  size_t sent = 0;
  size_t received = 0;

  bool done = world.until([&] {
    for (; sent < kFrames; ++sent) {  // some before the connection is there
      Bytes frame = nth(sent);
      if (dealer->send_away(frame) != SendStatus::kSent) {
        REQUIRE(frame == nth(sent));
        break;
      }
      REQUIRE(frame.empty());
    }
    while (auto frame = world.router().receive()) REQUIRE(frame->frame == nth(received++));
    return received == kFrames;
  });

  CHECK(done);
}

TEST_CASE("a role's key does not open the socket of the other role, and its refusal is told once") {
  RealWorld world(true);
  AccessRecord crossed = world.record();
  crossed.worker->secret_key = crossed.client->secret_key;
  std::vector<std::string> refusals;

  for (int i = 0; i < 3; ++i) {
    auto dealer = world.connect_as(crossed, Role::kWorker);
    auto more =
        refusals_until(world, world.worker_router(), [&] { return dealer->state() != State::kConnecting; });
    refusals.insert(refusals.end(), more.begin(), more.end());
    CHECK(failure_of(world, *dealer, State::kRefused) == "Cannot verify challenge");
  }

  REQUIRE(refusals.size() == 1);
  CHECK(refusals[0].find("127.0.0.1") != std::string::npos);
  CHECK(refusals[0].find(crossed.client->secret_key->reveal_hex().substr(0, 8)) == std::string::npos);
  CHECK_FALSE(world.worker_router().receive());
}

TEST_CASE("a server with another key than the record says is refused by the peer") {
  RealWorld world(true);
  AccessRecord swapped = world.record();
  std::swap(swapped.client->port, swapped.worker->port);

  auto dealer = world.connect_as(swapped);

  CHECK(failure_of(world, *dealer, State::kRefused) == "Cannot verify challenge");
}

TEST_CASE("a peer without a key is told that the server wants one") {
  RealWorld world(true);
  AccessRecord keyless = world.record();
  keyless.client->secret_key.reset();

  auto dealer = world.connect_as(keyless);
  (void)dealer->send("plain text");  // kGone if the refusal is quick

  CHECK(failure_of(world, *dealer, State::kRefused) == "Authentication failed: Peer requests authentication");
  CHECK_FALSE(world.router().receive());
}

TEST_CASE("a peer with a key does not speak to a server without one") {
  RealWorld world(false);
  AccessRecord keyed =
      generate_access({"test", {}}, "testid", {"127.0.0.1", 0, true}, {"127.0.0.1", 0, true});
  keyed.client->port = world.record().client->port;

  auto dealer = world.connect_as(keyed);

  CHECK(failure_of(world, *dealer, State::kRefused) ==
        "Authentication failed: Peer does not support authentication");
}

TEST_CASE("a key of the wrong length fails each try to connect") {
  RealWorld world(true);
  AccessRecord record = world.record();
  record.client->secret_key.reset();
  record.client->secret_key_unusable = true;

  auto dealer = world.connect_as(record);

  CHECK(failure_of(world, *dealer, State::kClosed) == "Creating sealer failed");
}

TEST_CASE("what the loader of the record says is the error of connect") {
  RealWorld world(true);
  ConnectorOptions options;
  options.load = []() -> Result<AccessRecord> { return Error("no such file"); };

  auto made = world.transport().make_connector(options)->connect();

  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message == "no such file");
}

TEST_CASE("garbage on the port and connections that hang up disturb nobody") {
  RealWorld world(true);
  auto dealer = world.connect();
  REQUIRE(reaches_server(world, *dealer));
  SeededRandom random(7);

  for (int i = 0; i < 20; ++i) {
    UniqueFd fd = connect_tcp(world.record().client->port);
    REQUIRE(fd.valid());
    std::string garbage = i % 4 == 0 ? "GET / HTTP/1.1\r\n\r\n" : "";
    // A proper greeting, then nonsense.
    if (i % 4 == 1) garbage = std::string("\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE", 17) + std::string(47, '\0');
    for (uint64_t n = random.below(2000); n > 0 && i % 4 != 2; --n)
      garbage += static_cast<char>(random.below(256));
    (void)::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  }

  auto other = world.connect();
  CHECK(reaches_server(world, *other));
  CHECK(reaches_server(world, *dealer));
}

TEST_CASE("connections that stay silent are closed by the server after a while") {
  RealWorld world(true);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(connect_tcp(world.record().client->port));

  auto dealer = world.connect();
  CHECK(reaches_server(world, *dealer));

  CHECK(world.until([&] {
    return std::all_of(silent.begin(), silent.end(),
                       [](const UniqueFd& fd) { return closed_by_peer(fd.get()); });
  }));
}

TEST_CASE("a frame above the limit never arrives and costs its sender the connection") {
  RealWorld world(true, "127.0.0.1", {1000, 128, 128});
  auto good = world.connect();
  ConnectorOptions options;
  options.load = [&]() -> Result<AccessRecord> { return world.record(); };
  options.limits.max_frame_bytes = 100'000;
  auto bad = std::move(*world.transport().make_connector(options)->connect());
  REQUIRE(reaches_server(world, *bad));
  REQUIRE(reaches_server(world, *good));

  CHECK(good->send(std::string(1000, 'x')) == SendStatus::kSent);
  CHECK(world.next_at_router()->frame.size() == 1000);
  CHECK(bad->send(std::string(1001, 'x')) == SendStatus::kSent);

  CHECK(world.until([&] { return bad->state() == State::kClosed; }));
  CHECK(reaches_server(world, *good));
}

TEST_CASE("messages of several parts and peers with a routing id of their own are ignored") {
  RealWorld world(false);
  zmq::context_t context;
  zmq::socket_t foreign(context, zmq::socket_type::dealer);
  zmq::socket_t named(context, zmq::socket_type::dealer);
  foreign.set(zmq::sockopt::linger, 0);
  named.set(zmq::sockopt::linger, 0);
  named.set(zmq::sockopt::routing_id, "me");
  const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(world.record().client->port);
  foreign.connect(endpoint);
  named.connect(endpoint);

  named.send(zmq::buffer("named", 5));
  foreign.send(zmq::buffer("a", 1), zmq::send_flags::sndmore);
  foreign.send(zmq::buffer("b", 1), zmq::send_flags::sndmore);
  foreign.send(zmq::buffer("c", 1));
  foreign.send(zmq::buffer("whole", 5));

  CHECK(world.next_at_router()->frame == "whole");
  std::vector<std::string> refusals;
  world.until([&] {
    (void)world.router().receive();
    for (std::string& text : world.router().take_refusals()) refusals.push_back(std::move(text));
    return !refusals.empty();
  });
  CHECK(refusals.at(0) == "A peer was ignored because it has a routing id of its own");
}

TEST_CASE("peers connect by IPv4, by IPv6 and by name") {
  RealWorld world(true);
  for (const char* host : {"127.0.0.1", "::1", "localhost"}) {
    CAPTURE(host);
    world.record().client->host = host;

    auto dealer = world.connect();

    CHECK(dealer->send("hello") == SendStatus::kSent);
    auto received = world.next_at_router();
    REQUIRE(received);
    std::string address = world.router().address_of(received->from);
    CHECK((address.starts_with("127.0.0.1:") || address.starts_with("[::1]:")));
  }
}

TEST_CASE("a server without IPv6 serves IPv4") {
  auto transport = std::move(*Transport::make());
  RouterOptions options;
  options.ipv6 = false;
  auto bound = transport->bind_router(options);
  REQUIRE(bound.ok());

  CHECK(accepts_connections(bound->port));
}

TEST_CASE("a taken port is an error, never another port") {
  RealWorld world(true);
  RouterOptions options;
  options.port = world.record().client->port;

  auto second = world.transport().bind_router(options);

  REQUIRE_FALSE(second.ok());
  CHECK(second.error().full_text() == "Address already in use (os error 98)");
}

TEST_CASE("a name that does not exist is an error of the lookup unless another address leads there") {
  RealWorld world(true);
  world.record().client->host = "nosuchhost.invalid";

  auto lost = world.connect();
  CHECK(failure_of(world, *lost, State::kClosed).starts_with("failed to lookup address information: "));

  world.record().addresses = {"127.0.0.1"};
  auto found = world.connect();
  CHECK(reaches_server(world, *found));
}

TEST_CASE("an address that waits for its second try is not given up with the slow ones") {
  RealWorld world(true);
  world.record().client->host = "nosuchhost.invalid";
  world.record().addresses = {"127.0.0.1"};
  const TimePoint begin = mono();

  auto dealer = world.connect_as(world.record(), Role::kClient, 20s);
  {
    NoDescriptorsLeft none;
    // Slow addresses are given up two seconds after the host's name has failed.
    CHECK(world.until([&] { return mono() - begin > 2500ms || dealer->state() != State::kConnecting; }));
  }

  CHECK(reaches_server(world, *dealer));
}

TEST_CASE("an address that does not answer delays the next one only a little") {
  RealWorld world(true);
  world.record().client->host = "192.0.2.1";  // reserved for documentation: no server of ours is there
  world.record().addresses = {"::1"};
  TimePoint begin = mono();

  auto dealer = world.connect();

  CHECK(reaches_server(world, *dealer));
  CHECK(mono() - begin < 4s);
}

TEST_CASE("a port that accepts and says nothing ends in a time-out") {
  SilentPort silent;
  RealWorld world(true);
  world.record().client->port = silent.port;

  auto dealer = world.connect_as(world.record(), Role::kClient, 300ms);

  CHECK(failure_of(world, *dealer, State::kClosed) == "Connection timed out (os error 110)");
}

TEST_CASE("a goodbye that lingers arrives although the channel is closed at once") {
  RealWorld world(true);
  auto dealer = world.connect();
  REQUIRE(reaches_server(world, *dealer));

  for (int i = 0; i < 100; ++i) REQUIRE(dealer->send(std::to_string(i)) == SendStatus::kSent);
  close_with_linger(std::move(dealer), 5s);

  for (int i = 0; i < 100; ++i) CHECK(world.next_at_router()->frame == std::to_string(i));
}

TEST_CASE("a program that ends waits for its lingering goodbye") {
  RealWorld world(true);
  auto transport = std::move(*Transport::make());
  ConnectorOptions options;
  options.load = [&]() -> Result<AccessRecord> { return world.record(); };
  auto dealer = std::move(*transport->make_connector(options)->connect());
  REQUIRE(world.until([&] { return dealer->state() == State::kOpen; }));

  REQUIRE(dealer->send("goodbye") == SendStatus::kSent);
  close_with_linger(std::move(dealer), 5s);
  transport.reset();

  CHECK(world.next_at_router()->frame == "goodbye");
}

TEST_CASE(
    "without descriptors the server neither spins nor loses the port, and goes on when there are some") {
  RealWorld world(true);
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 5; ++i)
    waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(world.record().client->port);
  {
    NoDescriptorsLeft exhausted;
    for (UniqueFd& fd : waiting)
      (void)::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    std::vector<std::string> texts;
    CHECK(world.until([&] {
      for (std::string& text : world.router().take_refusals()) texts.push_back(std::move(text));
      return !texts.empty();
    }));
    REQUIRE(!texts.empty());
    CHECK(texts[0].find("Too many open files (os error 24)") != std::string::npos);

    Duration cpu = cpu_time();
    TimePoint begin = mono();
    while (mono() - begin < 500ms) world.transport().reactor().wait(begin + 500ms);
    CHECK(cpu_time() - cpu < 150ms);
  }

  auto dealer = world.connect();
  CHECK(reaches_server(world, *dealer));
}

TEST_CASE("the reactor wakes for a descriptor, for a frame and at its deadline") {
  RealWorld world(true);
  FdReactor& reactor = world.transport().reactor();
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  reactor.add_fd(event.get());
  auto dealer = world.connect();
  REQUIRE(reaches_server(world, *dealer));
  for (TimePoint quiet = mono() + 50ms; mono() < quiet;) reactor.wait(quiet);

  TimePoint begin = mono();
  reactor.wait(begin + 30ms);
  CHECK(mono() >= begin + 30ms);
  CHECK_FALSE(reactor.fd_ready(event.get()));

  REQUIRE(::eventfd_write(event.get(), 1) == 0);
  reactor.wait(mono() + 10s);
  CHECK(reactor.fd_ready(event.get()));
  reactor.remove_fd(event.get());

  begin = mono();
  REQUIRE(dealer->send("x") == SendStatus::kSent);
  while (!world.router().receive() && mono() - begin < 10s) reactor.wait(begin + 10s);
  CHECK(mono() - begin < 5s);
}

TEST_CASE("no wake-up is missed after one's own sends and partial reads") {
  RealWorld world(true);
  auto dealer = world.connect();
  dealer->send("hello");
  PeerId peer = world.next_at_router()->from;
  TimePoint begin = mono();

  for (int i = 0; i < 300; ++i) {
    REQUIRE(dealer->send("a") == SendStatus::kSent);
    REQUIRE(dealer->send("b") == SendStatus::kSent);
    REQUIRE(world.router().send(peer, "c") == SendStatus::kSent);
    // One frame per turn, though there may be two.
    for (int left = 2; left > 0 && mono() - begin < 20s;) {
      world.transport().reactor().wait(begin + 20s);
      left -= world.router().receive().has_value() ? 1 : 0;
    }
    while (!dealer->receive() && mono() - begin < 20s) world.transport().reactor().wait(begin + 20s);
  }

  CHECK(mono() - begin < 10s);
}

TEST_CASE("the owner of a full peer is woken when that reads again") {
  RealWorld world(true);
  auto dealer = world.connect();
  dealer->send("hello");
  PeerId peer = world.next_at_router()->from;
  const std::string frame(50'000, 'x');
  REQUIRE(world.until([&] {
    for (int i = 0; i < 1000; ++i) {
      if (world.router().send(peer, frame) == SendStatus::kFull) return true;
    }
    return false;
  }));
  while (dealer->receive()) {
  }

  TimePoint begin = mono();
  while (world.router().send(peer, "again") != SendStatus::kSent && mono() - begin < 20s) {
    world.transport().reactor().wait(begin + 20s);
    while (dealer->receive()) {
    }
  }

  CHECK(mono() - begin < 5s);
}
