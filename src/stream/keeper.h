// Where a lane puts what it reads. Used by the lane's thread only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hq/stream/writer.h"

namespace hq {

class Keeper {
 public:
  virtual ~Keeper() = default;
  // Room for so many bytes of payload (at most kMaxChunk) or fewer, for the put() that follows. None only if
  // none was asked for.
  [[nodiscard]] virtual std::span<char> room(size_t bytes) = 0;
  virtual void put(const StreamWriter::Chunk& chunk, size_t length) = 0;
  [[nodiscard]] virtual uint64_t length(const StreamKey& key, OutputChannel channel) const = 0;
  // So much was put that it is to be kept before more is read.
  [[nodiscard]] virtual bool full() const = 0;

  // Whose bytes are lost, and why. `all`: nothing can be kept there now, whoever it is.
  struct Failure {
    std::vector<StreamKey> lost;
    bool all = false;
    std::string why;
  };
  // Makes sure, before anything is read, that it can be kept.
  virtual std::optional<Failure> open() = 0;
  // Keeps all that was put, however long that takes.
  virtual std::optional<Failure> flush() = 0;
  // Number of the last packet that flush() has handed over; what was put before is safe with its
  // confirmation. 0: it is safe already.
  [[nodiscard]] virtual uint64_t handed_over() const { return 0; }
  // Nothing runs and nothing has come for a while; or nothing more will come (`last`).
  virtual void rest(bool last) = 0;
};

}  // namespace hq
