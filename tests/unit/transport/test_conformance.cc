// The contract of channel.h, kept by the real adapter and by the fake that the simulation uses.
#include <doctest/doctest.h>

#include <functional>
#include <memory>

#include "support/channel_worlds.h"

using namespace hq;
using namespace hq::test;

namespace {

// Runs `body` in each world.
void in_each_world(const std::function<void(ChannelWorld&)>& body) {
  for (const char* name : {"real, CURVE", "real, plain", "fake"}) {
    CAPTURE(name);
    std::unique_ptr<ChannelWorld> world = make_world(name);
    body(*world);
  }
}

PeerId greet(ChannelWorld& world, DealerChannel& dealer, const std::string& text = "hello") {
  CHECK(dealer.send(text) == SendStatus::kSent);
  std::optional<RouterChannel::Received> received = world.next_at_router();
  REQUIRE(received);
  CHECK(received->frame == text);
  return received->from;
}

}  // namespace

TEST_CASE("a frame sent while connecting arrives, and the answer finds its way back") {
  in_each_world([](ChannelWorld& world) {
    auto dealer = world.connect();

    PeerId peer = greet(world, *dealer);
    CHECK(dealer->state() == DealerChannel::State::kOpen);
    CHECK(world.router().send(peer, "welcome") == SendStatus::kSent);

    CHECK(world.next_at(*dealer) == "welcome");
    CHECK(world.router().address_of(peer) != "");
  });
}

TEST_CASE("frames of one connection arrive whole and in order, whatever bytes they hold") {
  in_each_world([](ChannelWorld& world) {
    auto dealer = world.connect();
    PeerId peer = greet(world, *dealer);

    for (int i = 0; i < 100; ++i) {
      REQUIRE(dealer->send(std::string("\0up", 3) + std::to_string(i)) == SendStatus::kSent);
      REQUIRE(world.router().send(peer, std::string("\xff\0down", 6) + std::to_string(i)) ==
              SendStatus::kSent);
    }

    for (int i = 0; i < 100; ++i) {
      CHECK(world.next_at_router()->frame == std::string("\0up", 3) + std::to_string(i));
      CHECK(world.next_at(*dealer) == std::string("\xff\0down", 6) + std::to_string(i));
    }
  });
}

TEST_CASE("an empty frame is a probe: it is accepted while the peer is there and never arrives") {
  in_each_world([](ChannelWorld& world) {
    auto dealer = world.connect();
    PeerId peer = greet(world, *dealer);

    CHECK(world.router().send(peer, "") == SendStatus::kSent);
    CHECK(world.router().send(peer, "after the probe") == SendStatus::kSent);
    CHECK(dealer->send("") == SendStatus::kSent);
    CHECK(dealer->send("after ours") == SendStatus::kSent);

    CHECK(world.next_at(*dealer) == "after the probe");
    CHECK(world.next_at_router()->frame == "after ours");
  });
}

TEST_CASE("the end of a peer is hinted at, and then a probe tells that it is gone") {
  in_each_world([](ChannelWorld& world) {
    auto stays = world.connect();
    auto leaves = world.connect();
    PeerId staying = greet(world, *stays);
    PeerId leaving = greet(world, *leaves);
    (void)world.router().take_disconnects();

    leaves.reset();

    CHECK(world.until([&] { return world.router().take_disconnects() > 0; }));
    CHECK(world.until([&] { return world.router().send(leaving, "") == SendStatus::kGone; }));
    CHECK(world.router().send(leaving, "x") == SendStatus::kGone);
    CHECK(world.router().send(staying, "") == SendStatus::kSent);
  });
}

TEST_CASE("a peer id is never given to a second connection") {
  in_each_world([](ChannelWorld& world) {
    std::vector<PeerId> seen;
    for (int i = 0; i < 5; ++i) {
      auto dealer = world.connect();
      PeerId peer = greet(world, *dealer);
      CHECK(std::find(seen.begin(), seen.end(), peer) == seen.end());
      seen.push_back(peer);
    }
  });
}

TEST_CASE("a peer id that was never given is gone") {
  in_each_world([](ChannelWorld& world) { CHECK(world.router().send(PeerId(1), "x") == SendStatus::kGone); });
}

TEST_CASE("a dealer learns that its server has ended, after what the server had sent") {
  in_each_world([](ChannelWorld& world) {
    auto dealer = world.connect();
    PeerId peer = greet(world, *dealer);
    CHECK(world.router().send(peer, "goodbye") == SendStatus::kSent);
    CHECK(world.next_at(*dealer) == "goodbye");

    world.kill_router();

    CHECK(world.until([&] { return dealer->state() == DealerChannel::State::kClosed; }));
    CHECK(dealer->failure() == "Connection closed");
    CHECK(dealer->send("x") == SendStatus::kGone);
    CHECK_FALSE(dealer->receive());
  });
}

TEST_CASE("nobody listening is 'Connection refused'") {
  in_each_world([](ChannelWorld& world) {
    world.kill_router();
    auto dealer = world.connect();

    CHECK(world.until([&] { return dealer->state() == DealerChannel::State::kClosed; }));
    CHECK(dealer->failure() == "Connection refused (os error 111)");
    CHECK(dealer->send("x") == SendStatus::kGone);
  });
}

TEST_CASE("a wrong key is refused for good and told to the server") {
  for (const char* name : {"real, CURVE", "fake"}) {
    CAPTURE(name);
    std::unique_ptr<ChannelWorld> world = make_world(name);
    auto dealer = world->connect_with_wrong_key();
    (void)dealer->send("let me in");  // kGone if the refusal is quick

    CHECK(world->until([&] { return dealer->state() == DealerChannel::State::kRefused; }));
    CHECK(dealer->failure() == "Cannot verify challenge");
    CHECK(dealer->send("x") == SendStatus::kGone);

    std::vector<std::string> refusals;
    CHECK(world->until([&] {
      for (std::string& text : world->router().take_refusals()) refusals.push_back(std::move(text));
      return !refusals.empty();
    }));
    CHECK(refusals[0].starts_with("Cannot verify challenge"));
    CHECK_FALSE(world->router().receive());
  }
}

TEST_CASE("a peer that does not read is full in the end, alone, and has room again when it reads") {
  in_each_world([](ChannelWorld& world) {
    auto slow = world.connect();
    auto quick = world.connect();
    PeerId to_slow = greet(world, *slow);
    PeerId to_quick = greet(world, *quick);
    const std::string frame(50'000, 'x');
    size_t sent = 0;

    CHECK(world.until([&] {
      for (int i = 0; i < 1000; ++i) {
        if (world.router().send(to_slow, frame) == SendStatus::kFull) return true;
        ++sent;
      }
      return false;
    }));

    CHECK(world.router().send(to_quick, "still here") == SendStatus::kSent);
    CHECK(world.next_at(*quick) == "still here");
    for (size_t i = 0; i < sent; ++i) REQUIRE(world.next_at(*slow) == frame);
    CHECK(world.until([&] { return world.router().send(to_slow, frame) == SendStatus::kSent; }));
  });
}

TEST_CASE("a dealer that the server does not read is full in the end") {
  in_each_world([](ChannelWorld& world) {
    auto dealer = world.connect();
    greet(world, *dealer);
    const std::string frame(50'000, 'x');

    CHECK(world.until([&] {
      for (int i = 0; i < 1000; ++i) {
        if (dealer->send(frame) == SendStatus::kFull) return true;
      }
      return false;
    }));
  });
}
