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
  std::span<char> room(size_t bytes) override;
  void put(const StreamWriter::Chunk& chunk, size_t length) override;
  uint64_t length(const StreamKey& key, OutputChannel channel) const override;
  bool full() const override { return !full_.empty(); }
  std::optional<Failure> open() override { return std::nullopt; }
  std::optional<Failure> flush() override;
  uint64_t handed_over() const override { return last_number_; }
  void rest(bool) override {}

 private:
  void close_packet();
  [[nodiscard]] size_t most_in_packet() const;

  const OutputPlace place_;
  const std::shared_ptr<LogLink> link_;
  Bytes packet_;  // in the making: its first used_ bytes
  size_t used_ = 0;
  std::vector<Bytes> full_;  // to be handed over
  uint64_t last_number_ = 0;
  std::unordered_map<StreamKey, IndexEntry, StreamKeyHash> open_;
};

}  // namespace hq
