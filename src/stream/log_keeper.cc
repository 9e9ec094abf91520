#include "stream/log_keeper.h"

#include <algorithm>
#include <utility>

#include "hq/stream/batch.h"

namespace hq {

namespace {

constexpr uint64_t kLeastPacket = 4 * 1024;
constexpr uint64_t kMostPacket = 64 * 1024;
constexpr uint64_t kPacketsInWindow = 4;
constexpr uint32_t kAllEnded = kEndedStdout | kEndedStderr;

}  // namespace

LogKeeper::LogKeeper(OutputPlace place, std::shared_ptr<LogLink> link)
    : place_(std::move(place)), link_(std::move(link)) {}

// Several packets fit into the window, so that one is written while another is on its way; and none is
// larger than it, so that all workers together keep to their pool.
size_t LogKeeper::most_in_packet() const {
  const uint64_t window = link_->window();
  return size_t(std::clamp<uint64_t>(window / kPacketsInWindow, std::min(window, kLeastPacket), kMostPacket));
}

std::span<char> LogKeeper::room(size_t bytes) {
  const size_t most = std::max(most_in_packet(), kRecordHeaderBytes + 1);
  // A piece that would be small goes to the next packet as a whole.
  const size_t least = kRecordHeaderBytes + std::min(bytes, most / 4);
  if (used_ > 0 && used_ + least > most) close_packet();
  const size_t given = std::min(bytes, most - used_ - kRecordHeaderBytes);
  if (packet_.size() < used_ + kRecordHeaderBytes + given)
    packet_.resize(std::max(most, used_ + kRecordHeaderBytes + given));
  return {packet_.data() + used_ + kRecordHeaderBytes, given};
}

uint64_t LogKeeper::length(const StreamKey& key, OutputChannel channel) const {
  auto found = open_.find(key);
  return found == open_.end() ? 0 : found->second.length[size_t(channel)];
}

void LogKeeper::put(const StreamWriter::Chunk& chunk, size_t length) {
  IndexEntry& entry = open_[chunk.key];
  RecordHeader record;
  record.channel = chunk.channel;
  record.flags = chunk.flags;
  record.key = chunk.key;
  record.time = chunk.time;
  record.length = uint32_t(length);
  record.position = entry.length[size_t(chunk.channel)];
  extend(entry, record, 0);
  if ((entry.flags & kAllEnded) == kAllEnded) open_.erase(chunk.key);
  used_ += seal_batch_record(packet_.data(), used_, record);
}

void LogKeeper::close_packet() {
  full_.emplace_back(packet_, 0, used_);
  used_ = 0;
}

std::optional<Keeper::Failure> LogKeeper::flush() {
  if (used_ > 0) close_packet();
  for (Bytes& packet : std::exchange(full_, {})) {
    last_number_ = link_->hand_over(place_, std::move(packet));
  }
  return std::nullopt;
}

}  // namespace hq
