// The submit of a command, whose entries may go ahead of it in pieces: the server takes them while more of
// the file is read, and neither holds them all in one message.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hq/client/client.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

class EntryUpload {
 public:
  // Entries of so many bytes are worth a message of their own.
  static constexpr size_t kPiece = size_t{1} << 17;

  // `client` outlives it.
  explicit EntryUpload(Client& client) : client_(client), request_(client.begin()) {}

  // Nothing is sent once there is more than a submit may have. `expected_bytes`: of all entries, about.
  Result<void> send(Entries piece, uint64_t expected_bytes);
  RequestId submit(msg::Submit&& message);
  // What went ahead.
  [[nodiscard]] uint32_t entries() const { return entries_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  Client& client_;
  RequestId request_;
  uint32_t entries_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace hq::cli
