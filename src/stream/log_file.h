// One log file: takes batches, writes each record once. Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hq/base/random.h"
#include "hq/base/unique_fd.h"
#include "hq/stream/log_store.h"
#include "hq/stream/reader.h"
#include "hq/stream/writer.h"

namespace hq {

class LogFile {
 public:
  explicit LogFile(LogPlace place) : place_(std::move(place)) {}
  // What became of each, in the order given. Afterwards the batches are in the file, or lost and said so.
  [[nodiscard]] std::vector<LogBatchDone> keep(const std::vector<std::pair<LogBatchId, Bytes>>& batches);
  void put_index();
  [[nodiscard]] bool wants_index(uint64_t least) const { return writer_ && writer_->wants_index(least); }

 private:
  // Why it can't be; empty: it is open.
  std::string open();
  [[nodiscard]] std::optional<OutputFileReader> earlier_part() const;
  std::string go_on_with(const OutputFileReader& earlier);
  bool take(const RecordHeader& record, BytesView payload);
  std::string flush();

  const LogPlace place_;
  SystemRandom random_;
  SystemClock clock_;
  UniqueFd fd_;
  std::unique_ptr<StreamWriter> writer_;
  // Of an earlier life: what has ended there is not written again.
  std::unordered_map<StreamKey, IndexEntry, StreamKeyHash> ended_before_;
  std::vector<StreamKey> lost_;  // of the last flush
};

}  // namespace hq
