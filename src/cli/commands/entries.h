// Values for tasks, one per line of a file or per element of a JSON array.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/id_ranges.h"
#include "hq/core/task.h"

namespace hq::cli {

// Every line of what it is given, without its "\n"; a line end at the very end begins no further line.
class LineEntries {
 public:
  // Of so many bytes, about, that are held at a time.
  explicit LineEntries(size_t bytes) { entries_.blob.reserve(bytes); }
  void take(std::string_view piece);
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  // What the lines take that have ended and were not taken out: empty ones take something, too.
  [[nodiscard]] size_t ended_bytes() const { return end() + entries_.ends.size() * sizeof(uint32_t); }
  // The lines that have ended, in order; finish() returns those behind them.
  [[nodiscard]] Entries take_ended();
  // Fails above 4 GiB.
  [[nodiscard]] Result<Entries> finish();

 private:
  // Of the last line that has ended.
  [[nodiscard]] size_t end() const { return entries_.ends.empty() ? 0 : entries_.ends.back(); }

  Entries entries_;
  uint64_t bytes_ = 0;
  bool in_line_ = false;  // the last one has not ended
};

// The elements of a JSON array, each as compact JSON with sorted keys. `path` is named in errors.
[[nodiscard]] Result<Entries> entries_of_json(const std::string& content, const std::string& path);

// Only the entries whose index (from 0) is in `ids`, and the ids of those, ascending.
struct ChosenEntries {
  IdArray ids;
  Entries entries;
};
[[nodiscard]] ChosenEntries choose_entries(const Entries& all, const IdArray& ids);

}  // namespace hq::cli
