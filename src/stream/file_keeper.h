// Keeps output in a file of its own in a directory.
#pragma once

#include <memory>

#include "hq/base/random.h"
#include "hq/base/unique_fd.h"
#include "hq/stream/task_output.h"
#include "stream/keeper.h"

namespace hq {

class FileKeeper final : public Keeper {
 public:
  FileKeeper(OutputPlace place, int zstd_level);
  std::span<char> room(size_t bytes) override;
  void put(const StreamWriter::Chunk& chunk, size_t length) override;
  uint64_t length(const StreamKey& key, OutputChannel channel) const override;
  bool full() const override;
  std::optional<Failure> open() override;
  std::optional<Failure> flush() override;
  void rest(bool last) override;

 private:
  Failure give_up_file(std::string why);

  const OutputPlace place_;
  const int zstd_level_;
  SystemRandom random_;
  SystemClock clock_;
  std::string path_;
  UniqueFd fd_;
  std::unique_ptr<StreamWriter> writer_;
};

}  // namespace hq
