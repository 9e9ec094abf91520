// The faults of the fake network: that they happen, and that a seed decides them.
#include <doctest/doctest.h>

#include "support/fake_channel.h"

using namespace hq;
using namespace hq::test;
using State = DealerChannel::State;

namespace {

void settle(FakeNetwork& net) {
  while (auto next = net.next_event()) net.advance_to(*next);
}

ChannelFaults harsh() {
  ChannelFaults faults;
  faults.max_notice = 20ms;
  faults.max_late = 50ms;
  faults.lose_on_end = 0.7;
  faults.full = 0.05;
  faults.cut = 0.01;
  faults.doubled_notice = 0.5;
  return faults;
}

// Three nodes that reconnect whenever they are cut, and a server that answers; everything seen, as text.
std::string story(uint64_t seed) {
  SeededRandom random(seed);
  FakeNetwork net(random, harsh());
  auto server = net.bind("server", "key");
  std::vector<std::unique_ptr<Connector>> connectors;
  std::vector<std::unique_ptr<DealerChannel>> dealers(3);
  for (int i = 0; i < 3; ++i)
    connectors.push_back(net.make_connector("n" + std::to_string(i), "server", "key"));
  std::string out;
  for (int turn = 0; turn < 300; ++turn) {
    net.advance_to(net.now() + 1ms);
    for (size_t i = 0; i < dealers.size(); ++i) {
      if (!dealers[i] || dealers[i]->state() == State::kClosed)
        dealers[i] = std::move(*connectors[i]->connect());
      out += std::to_string(static_cast<int>(dealers[i]->send("t" + std::to_string(turn))));
      while (auto frame = dealers[i]->receive()) out += "<" + *frame;
    }
    while (auto received = server->receive()) {
      out += " " + received->from.text() + ":" + received->frame;
      out += std::to_string(static_cast<int>(server->send(received->from, received->frame)));
    }
    out += "/" + std::to_string(server->take_disconnects()) + "\n";
    if (turn % 50 == 20) net.set_partition("n1", true);
    if (turn % 50 == 40) net.set_partition("n1", false);
  }
  return out;
}

}  // namespace

TEST_CASE("the same seed gives the same story, another seed another one") {
  CHECK(story(1) == story(1));
  CHECK(story(1) != story(2));
}

TEST_CASE(
    "what outlives its connection is a prefix, in order, and may come after the next connection's first "
    "frame") {
  bool some_lost = false;
  bool some_late = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SeededRandom random(seed);
    ChannelFaults faults = harsh();
    faults.full = faults.cut = 0;
    FakeNetwork net(random, faults);
    auto server = net.bind("server");
    auto connector = net.make_connector("node", "server");
    auto first = std::move(*connector->connect());
    while (first->state() != State::kOpen) net.advance_to(*net.next_event());
    for (int i = 0; i < 10; ++i) REQUIRE(first->send(std::to_string(i)) == SendStatus::kSent);
    net.cut("node");
    auto second = std::move(*connector->connect());
    second->send("hello again");
    settle(net);

    int next = 0;
    bool hello_seen = false;
    while (auto received = server->receive()) {
      if (received->frame == "hello again") {
        hello_seen = true;
      } else {
        CHECK(received->frame == std::to_string(next++));
        some_late = some_late || hello_seen;
      }
    }
    CHECK(hello_seen);
    some_lost = some_lost || next < 10;
  }
  CHECK(some_lost);
  CHECK(some_late);
}

TEST_CASE("disconnects are hinted at once or twice, and a probe may lag behind the hint") {
  bool doubled = false;
  bool lagging = false;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SeededRandom random(seed);
    FakeNetwork net(random, harsh());
    auto server = net.bind("server");
    auto dealer = std::move(*net.make_connector("node", "server")->connect());
    dealer->send("hello");
    settle(net);
    auto hello = server->receive();
    if (!hello) continue;  // the connection was cut at once
    net.cut("node");
    size_t hints = 0;
    while (net.next_event()) {
      net.advance_to(*net.next_event());
      size_t more = server->take_disconnects();
      hints += more;
      lagging = lagging || (more > 0 && server->send(hello->from, "") == SendStatus::kSent);
    }
    CHECK((hints == 1 || hints == 2));
    doubled = doubled || hints == 2;
    CHECK(server->send(hello->from, "") == SendStatus::kGone);
  }
  CHECK(doubled);
  CHECK(lagging);
}

TEST_CASE("a partition holds everything, tells nobody, and lets it through in order when it is over") {
  SeededRandom random(3);
  FakeNetwork net(random);
  auto server = net.bind("server");
  auto dealer = std::move(*net.make_connector("node", "server")->connect());
  settle(net);
  net.set_partition("node", true);

  for (int i = 0; i < 5; ++i) REQUIRE(dealer->send(std::to_string(i)) == SendStatus::kSent);
  net.advance_to(net.now() + 1h);
  CHECK_FALSE(server->receive());
  CHECK(dealer->state() == State::kOpen);
  net.set_partition("node", false);
  REQUIRE(dealer->send("5") == SendStatus::kSent);
  settle(net);

  for (int i = 0; i <= 5; ++i) CHECK(server->receive()->frame == std::to_string(i));
}

TEST_CASE("a server that starts again at the same address does not get what was sent to the one before") {
  SeededRandom random(3);
  FakeNetwork net(random);
  auto server = net.bind("server");
  auto dealer = std::move(*net.make_connector("node", "server")->connect());
  settle(net);
  REQUIRE(dealer->send("old") == SendStatus::kSent);

  server.reset();
  server = net.bind("server");
  settle(net);

  CHECK_FALSE(server->receive());
  CHECK(dealer->state() == State::kClosed);
}
