// The history of a journal as an SQLite database, for people who want SQL over jobs, tasks, workers and
// allocations (docs/journal.md, SQL).
#pragma once

#include <string>

#include "hq/base/result.h"
#include "hq/core/state.h"

namespace hq {

// Makes the file. An existing one is an error: it is never overwritten.
[[nodiscard]] Result<void> export_sqlite(const State& state, const std::string& path);

}  // namespace hq
