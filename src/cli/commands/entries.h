// Values for tasks, one per line of a file or per element of a JSON array.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/id_ranges.h"
#include "hq/core/task.h"

namespace hq::cli {

// Every line of `content`, without its "\n"; a line end at the very end begins no further line. Fails above
// 4 GiB.
[[nodiscard]] Result<Entries> entries_of_lines(std::string content);

// The elements of a JSON array, each as compact JSON with sorted keys. `path` is named in errors.
[[nodiscard]] Result<Entries> entries_of_json(const std::string& content, const std::string& path);

// Only the entries whose index (from 0) is in `ids`, and the ids of those, ascending.
struct ChosenEntries {
  IdArray ids;
  Entries entries;
};
[[nodiscard]] ChosenEntries choose_entries(const Entries& all, const IdArray& ids);

}  // namespace hq::cli
