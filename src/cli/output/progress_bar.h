// The bar of 40 characters that shows how far the tasks of a job or of several jobs are, and the line that
// `job progress` and `submit --progress` redraw.
#pragma once

#include <cstdint>
#include <string>

#include "cli/output/style.h"

namespace hq::cli {

// How many tasks are in each state.
struct StateCounts {
  uint64_t waiting = 0;
  uint64_t running = 0;
  uint64_t finished = 0;
  uint64_t failed = 0;
  uint64_t canceled = 0;
  uint64_t aborted = 0;

  [[nodiscard]] uint64_t ended() const { return finished + failed + canceled + aborted; }
  [[nodiscard]] uint64_t total() const { return waiting + running + ended(); }
};

// "[####....]": canceled, failed, finished, running, aborted, each rounded up as long as there is room.
[[nodiscard]] std::string progress_bar(const StateCounts& counts, bool colors);

// The bar and below it one line per state that occurs: the State row of a job with several tasks.
[[nodiscard]] std::string progress_cell(const StateCounts& counts, const Style& style);

// How far jobs are, in one line without its end.
[[nodiscard]] std::string progress_text(const StateCounts& counts, uint64_t ended_jobs, uint64_t all_jobs,
                                        const Style& style);
// One redraw of the progress line; it begins by erasing the earlier one and has no line end.
[[nodiscard]] std::string progress_line(const StateCounts& counts, uint64_t ended_jobs, uint64_t all_jobs,
                                        const Style& style);

}  // namespace hq::cli
