// Hands output over to the server, which keeps it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "stream/keeper.h"
#include "stream/log_link.h"

namespace hq {

class LogKeeper final : public Keeper {
 public:
  LogKeeper(OutputPlace place, std::shared_ptr<LogLink> link);
  char* room(size_t bytes) override;
  void put(const StreamWriter::Chunk& chunk, size_t length) override;
  uint64_t length(const StreamKey& key, OutputChannel channel) const override;
  size_t pending_bytes() const override { return full_bytes_ + packet_.size(); }
  std::optional<Failure> open() override { return std::nullopt; }
  std::optional<Failure> flush() override;
  uint64_t handed_over() const override { return last_number_; }
  void rest(bool) override {}

 private:
  void close_packet();

  const OutputPlace place_;
  const std::shared_ptr<LogLink> link_;
  Bytes payload_;            // what room() gave
  Bytes packet_;             // in the making
  std::vector<Bytes> full_;  // to be handed over
  size_t full_bytes_ = 0;
  uint64_t last_number_ = 0;
  std::unordered_map<StreamKey, IndexEntry, StreamKeyHash> open_;
};

}  // namespace hq
