// Looks at output wherever it is kept, a piece at a time: in a file of the task, in a directory of streams,
// in a log file. Nothing here waits; paths that hang hold up nobody but who asked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/base/strong_id.h"
#include "hq/stream/format.h"

namespace hq {

struct PeekTarget {
  enum class Kind : uint8_t { kFile, kDirectory, kLog };
  Kind kind = Kind::kFile;
  std::string path;
  // Of one that many tasks share:
  std::string server_uid;
  WorkerId worker;  // kDirectory: who wrote it; 0: any
  StreamKey key;
  OutputChannel channel = OutputChannel::kStdout;
  friend bool operator==(const PeekTarget&, const PeekTarget&) = default;
};

struct PeekRange {
  uint64_t position = 0;
  bool from_end = false;  // the last `most` bytes instead
  uint32_t most = 0;
  friend bool operator==(const PeekRange&, const PeekRange&) = default;
};

// Names one look; given by the caller, never reused.
using PeekId = Id<struct PeekTag, uint64_t>;

struct Peeked {
  PeekId id;
  uint64_t position = 0;  // of the first of `bytes`
  uint64_t length = 0;    // how much there is by now
  Bytes bytes;
  int32_t errnum = 0;  // not 0: it could not be looked at
};

class OutputPeek {
 public:
  virtual ~OutputPeek() = default;
  virtual void look(PeekId id, const PeekTarget& target, const PeekRange& range) = 0;
  virtual std::optional<Peeked> next_peeked() = 0;
};

// The real one.
class OutputPeeker : public OutputPeek {
 public:
  // Readable when next_peeked() has something.
  [[nodiscard]] virtual int event_fd() const = 0;
};
[[nodiscard]] Result<std::unique_ptr<OutputPeeker>> make_output_peeker();

// As its threads do it.
[[nodiscard]] Peeked peek_now(PeekId id, const PeekTarget& target, const PeekRange& range);

}  // namespace hq
