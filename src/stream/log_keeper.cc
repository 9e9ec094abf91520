#include "stream/log_keeper.h"

#include <utility>

#include "hq/stream/batch.h"

namespace hq {

namespace {

constexpr size_t kPacket = 64 * 1024;  // of this size a packet is closed
constexpr uint32_t kAllEnded = kEndedStdout | kEndedStderr;

}  // namespace

LogKeeper::LogKeeper(OutputPlace place, std::shared_ptr<LogLink> link)
    : place_(std::move(place)), link_(std::move(link)) {}

char* LogKeeper::room(size_t bytes) {
  if (payload_.size() < bytes) payload_.resize(bytes);
  return payload_.data();
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
  put_batch_record(packet_, record, BytesView(payload_).substr(0, length));
  if (packet_.size() >= kPacket) close_packet();
}

void LogKeeper::close_packet() {
  full_bytes_ += packet_.size();
  full_.push_back(std::exchange(packet_, {}));
}

std::optional<Keeper::Failure> LogKeeper::flush() {
  if (!packet_.empty()) close_packet();
  full_bytes_ = 0;
  for (Bytes& packet : std::exchange(full_, {})) {
    last_number_ = link_->hand_over(place_, std::move(packet));
  }
  return std::nullopt;
}

}  // namespace hq
