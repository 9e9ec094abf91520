#include "stream/log_link.h"

#include <algorithm>

namespace hq {

uint64_t LogLink::hand_over(const OutputPlace& place, Bytes records) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return closed_ || has_room(records.size()); });
  if (closed_) return 0;
  held_ += records.size();
  auto packet = std::make_shared<OutputPacket>();
  packet->number = ++last_number_;
  packet->place = place;
  packet->records = std::move(records);
  packets_.push_back(std::move(packet));
  const uint64_t number = last_number_;
  lock.unlock();
  wake_();
  return number;
}

std::optional<OutputPacket> LogLink::next_packet() {
  std::lock_guard lock(mutex_);
  const auto next = std::find_if(packets_.begin(), packets_.end(),
                                 [&](const auto& packet) { return packet->number > last_sent_; });
  if (next == packets_.end()) return std::nullopt;
  last_sent_ = (*next)->number;
  return **next;
}

bool LogLink::has_packets() {
  std::lock_guard lock(mutex_);
  return !packets_.empty();
}

void LogLink::set_window(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  window_ = bytes;
  room_.notify_all();
}

void LogLink::send_again(uint64_t last) {
  std::lock_guard lock(mutex_);
  last_sent_ = last;
}

std::vector<uint64_t> LogLink::unconfirmed(uint64_t last) {
  std::lock_guard lock(mutex_);
  std::vector<uint64_t> numbers;
  for (const auto& packet : packets_) {
    if (packet->number <= last) numbers.push_back(packet->number);
  }
  return numbers;
}

std::optional<JobId> LogLink::on_kept(uint64_t number) {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(packets_.begin(), packets_.end(),
                                  [&](const auto& packet) { return packet->number == number; });
  if (found == packets_.end()) return std::nullopt;
  const JobId job = (*found)->place.job;
  held_ -= (*found)->records.size();
  packets_.erase(found);
  room_.notify_all();
  return job;
}

bool LogLink::holds(uint64_t number) {
  std::lock_guard lock(mutex_);
  return std::any_of(packets_.begin(), packets_.end(),
                     [&](const auto& packet) { return packet->number == number; });
}

void LogLink::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  packets_.clear();
  held_ = 0;
  room_.notify_all();
}

}  // namespace hq
