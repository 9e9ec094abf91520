// Between the lanes whose output the server keeps and the thread that talks to the server. Lanes hand over
// packets and wait while more than the window is under way; a packet stays here until the server has
// confirmed it, so that it can be sent again over a new connection.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hq/stream/task_output.h"

namespace hq {

class LogLink {
 public:
  // `wake` is called, by a lane's thread, when there is something to send.
  explicit LogLink(std::function<void()> wake) : wake_(std::move(wake)) {}

  // --- lanes ---
  // Waits for room; the packet's number, or 0 when the link was closed.
  uint64_t hand_over(const OutputPlace& place, Bytes records);
  [[nodiscard]] uint64_t window() const { return window_; }

  // --- the other side; nothing of it waits ---
  std::optional<OutputPacket> next_packet();
  [[nodiscard]] bool has_packets();
  void set_window(uint64_t bytes);
  // A new connection: what is above `last` is to be sent (again).
  void send_again(uint64_t last);
  // Numbers up to `last` that are not confirmed so far.
  [[nodiscard]] std::vector<uint64_t> unconfirmed(uint64_t last);
  // The job of the packet; nothing when it is not there (any more).
  std::optional<JobId> on_kept(uint64_t number);
  // The packet is there and not confirmed. False for 0.
  [[nodiscard]] bool holds(uint64_t number);
  // Nobody takes packets any more: lanes go on, and what they hand over is thrown away.
  void close();

 private:
  [[nodiscard]] bool has_room(size_t bytes) const { return held_ == 0 || held_ + bytes <= window_; }

  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::shared_ptr<const OutputPacket>> packets_;  // not confirmed, by number
  uint64_t last_number_ = 0;
  uint64_t last_sent_ = 0;  // packets above it are to be sent
  uint64_t held_ = 0;       // bytes of all packets
  std::atomic<uint64_t> window_ = 64 * 1024;
  bool closed_ = false;
};

}  // namespace hq
