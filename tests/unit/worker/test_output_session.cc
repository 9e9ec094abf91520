// The worker's second connection.
#include "world.h"

using namespace hq;

namespace {

// The link of index 0 is the first connection.
struct Outputs : World {
  Outputs() { register_worker(true); }
  void add_packet(uint64_t number) {
    OutputPacket packet;
    packet.number = number;
    packet.place.log_path = "/home/u/log";
    packet.place.job = JobId(1);
    packet.place.job_uid = JobUid(77);
    packet.records = "records " + std::to_string(number);
    output.packets.push_back(packet);
  }
  FakeLink& second() { return *network.links.back(); }
  template <class M>
  M heard_second() {
    auto& queue = second().from_worker;
    REQUIRE(!queue.empty());
    CHECK(queue.front().session == SessionId(sessions));
    REQUIRE(std::holds_alternative<M>(queue.front().message));
    M message = std::get<M>(std::move(queue.front().message));
    queue.pop_front();
    return message;
  }
  void say_second(const msg::ToWorker& message) {
    second().to_worker.push_back(encode(SessionId(sessions), message));
    turn();
  }
};

}  // namespace

TEST_CASE("the second connection is opened with the first packet") {
  Outputs w;
  CHECK(w.network.links.size() == 1);
  w.add_packet(1);
  w.turn();

  REQUIRE(w.network.links.size() == 2);
  (void)w.heard_second<msg::OutputHello>();
  CHECK(w.second().from_worker.empty());
  w.say_second(msg::OutputWelcome{0, 1000, {}});
  CHECK(w.output.window == 1000);
  const auto data = w.heard_second<msg::OutputData>();
  CHECK(data == msg::OutputData{1, JobId(1), JobUid(77), "/home/u/log", "records 1"});
}

// next_event() takes back what was to wake us, for packets as well.
TEST_CASE("a packet that comes while the worker looks for events is not overlooked") {
  Outputs w;
  w.output.on_no_event = [&] { w.add_packet(1); };
  w.turn();

  CHECK(w.network.links.size() == 2);
}

TEST_CASE("confirmations reach whoever has sent") {
  Outputs w;
  w.add_packet(1);
  w.turn();
  w.say_second(msg::OutputWelcome{0, 1000, {}});
  w.say_second(msg::OutputKept{1, 500, {{TaskId(4), InstanceId(2), "no room"}}});

  CHECK(w.output.packets.empty());
  CHECK(w.output.window == 500);
  REQUIRE(w.output.packet_failures.size() == 1);
  CHECK(w.output.packet_failures[0].task == TaskId(4));
}

TEST_CASE("what was not confirmed is sent again over the next connection") {
  Outputs w;
  for (uint64_t number = 1; number <= 3; ++number) w.add_packet(number);
  w.turn();
  w.say_second(msg::OutputWelcome{0, 1000, {}});
  w.second().state = DealerChannel::State::kClosed;
  w.turn();
  w.advance(1s);
  REQUIRE(w.network.links.size() == 3);
  (void)w.heard_second<msg::OutputHello>();
  // The first has arrived and is safe, the second has arrived.
  w.say_second(msg::OutputWelcome{2, 1000, {2}});

  CHECK(w.heard_second<msg::OutputData>().number == 3);
  CHECK(w.second().from_worker.empty());
  REQUIRE(w.output.packets.size() == 2);
  CHECK(w.output.packets[0].number == 2);
}

TEST_CASE("what the socket does not take is sent later") {
  Outputs w;
  w.add_packet(1);
  w.turn();
  w.second().full = true;
  w.say_second(msg::OutputWelcome{0, 1000, {}});
  CHECK_FALSE(std::holds_alternative<msg::OutputData>(w.second().from_worker.back().message));
  w.second().full = false;
  w.advance(100ms);

  (void)w.heard_second<msg::OutputHello>();
  CHECK(w.heard_second<msg::OutputData>().number == 1);
}

TEST_CASE("a hello that the socket does not take is sent later too") {
  Outputs w;
  w.network.full_links = true;
  w.add_packet(1);
  w.turn();
  CHECK(w.second().from_worker.empty());
  w.second().full = false;
  w.advance(100ms);

  (void)w.heard_second<msg::OutputHello>();
}

TEST_CASE("the second connection goes with the first") {
  Outputs w;
  w.add_packet(1);
  w.turn();
  w.network.links[0]->state = DealerChannel::State::kClosed;
  w.turn();

  CHECK(w.network.links[1]->state == DealerChannel::State::kClosed);
}
