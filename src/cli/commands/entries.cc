#include "cli/commands/entries.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace hq::cli {

Result<Entries> entries_of_lines(std::string content) {
  if (content.size() > std::numeric_limits<uint32_t>::max()) {
    return Error("Entries of more than 4 GiB cannot be submitted at once");
  }
  // The lines are moved together within the string they came in: a second one of that size would cost more
  // than the search.
  Entries entries;
  char* const begin = content.data();
  const char* const end = begin + content.size();
  char* to = begin;
  for (const char* line = begin; line < end;) {
    const void* found = std::memchr(line, '\n', size_t(end - line));
    const char* line_end = found == nullptr ? end : static_cast<const char*>(found);
    const size_t length = size_t(line_end - line);
    if (to != line) std::memmove(to, line, length);
    to += length;
    entries.ends.push_back(uint32_t(to - begin));
    line = line_end + 1;
  }
  content.resize(size_t(to - begin));
  entries.blob = std::move(content);
  return entries;
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
