// Output that goes nowhere. By itself all of it is safe at once; else the test says what becomes of it. Keeps
// books: what was started and has neither ended nor been cut can be looked at.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/assert.h"
#include "hq/stream/task_output.h"

namespace hq::test {

class FakeOutput : public TaskOutput {
 public:
  struct Task {
    OutputPlace place;
    StreamKey key;
    bool ended = false;
  };

  [[nodiscard]] bool has_room() const override { return room; }
  void start(OutputId id, const OutputPlace& place, const StreamKey& key, UniqueFd, UniqueFd) override {
    HQ_ASSERT(tasks.emplace(id, Task{place, key}).second);
  }
  void end(OutputId id) override {
    HQ_ASSERT(!tasks.at(id).ended);
    tasks.at(id).ended = true;
    if (automatic) keep(id);
  }
  void cut(OutputId id) override {
    if (tasks.erase(id) > 0) cuts.insert(id);
  }
  std::optional<OutputEvent> next_event() override {
    if (events_.empty()) {
      if (on_no_event) std::exchange(on_no_event, nullptr)();
      return std::nullopt;
    }
    OutputEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  // Packets are what the test puts there; what is told of them is written down.
  [[nodiscard]] bool has_packets() override { return !packets.empty(); }
  std::optional<OutputPacket> next_packet() override {
    for (const OutputPacket& packet : packets) {
      if (packet.number > sent) return sent = packet.number, packet;
    }
    return std::nullopt;
  }
  void on_resumed(uint64_t last, const std::vector<uint64_t>& pending) override {
    std::erase_if(packets, [&](const OutputPacket& packet) {
      return packet.number <= last &&
             std::find(pending.begin(), pending.end(), packet.number) == pending.end();
    });
    sent = last;
  }
  void on_kept(uint64_t number, const std::vector<PacketFailure>& failures) override {
    std::erase_if(packets, [&](const OutputPacket& packet) { return packet.number == number; });
    for (const PacketFailure& failure : failures) packet_failures.push_back(failure);
  }
  void set_window(uint64_t bytes) override { window = bytes; }
  void abandon() override { abandoned = true; }
  bool abandoned = false;
  std::vector<OutputPacket> packets;
  std::vector<PacketFailure> packet_failures;
  uint64_t sent = 0;
  uint64_t window = 0;

  [[nodiscard]] bool has_events() const { return !events_.empty(); }

  // --- what the test decides ---
  std::function<void()> on_no_event;  // called once, when there was none
  bool automatic = true;
  bool room = true;
  std::map<OutputId, Task> tasks;
  std::set<OutputId> cuts;
  void keep(OutputId id) {
    HQ_ASSERT(tasks.at(id).ended);
    tasks.erase(id);
    events_.push_back({id, std::nullopt, 0});
  }
  void fail(OutputId id, std::string why) {
    HQ_ASSERT(tasks.erase(id) == 1);
    events_.push_back({id, std::move(why), 0});
  }

 private:
  std::deque<OutputEvent> events_;
};

}  // namespace hq::test
