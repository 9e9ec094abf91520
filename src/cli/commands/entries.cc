#include "cli/commands/entries.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hq::cli {

namespace {

constexpr uint64_t kMostBytes = std::numeric_limits<uint32_t>::max();

}  // namespace

void LineEntries::take(std::string_view piece) {
  bytes_ += piece.size();
  if (bytes_ > kMostBytes) return;
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    in_line_ = end == std::string_view::npos;
    if (in_line_) {
      entries_.blob.append(piece);
      return;
    }
    entries_.add(piece.substr(0, end));
    piece.remove_prefix(end + 1);
  }
}

Entries LineEntries::take_ended() {
  Entries open;
  open.blob.reserve(entries_.blob.capacity());
  open.blob.append(entries_.blob, end());
  entries_.blob.resize(end());
  return std::exchange(entries_, std::move(open));
}

Result<Entries> LineEntries::finish() {
  if (bytes_ > kMostBytes) return Error("Entries of more than 4 GiB cannot be submitted at once");
  if (in_line_) entries_.add("");
  return std::move(entries_);
}

ChosenEntries choose_entries(const Entries& all, const IdArray& ids) {
  std::vector<uint32_t> chosen;
  for (const IdArray::Part& part : ids.parts) {
    const uint64_t end = std::min<uint64_t>(uint64_t{part.range.last} + 1, all.size());
    for (uint64_t id = part.range.first; id < end; id += part.range.step) chosen.push_back(uint32_t(id));
  }
  std::sort(chosen.begin(), chosen.end());
  ChosenEntries out;
  out.ids = runs_of(chosen);
  for (uint32_t id : chosen) out.entries.add(all.at(id));
  return out;
}

}  // namespace hq::cli
