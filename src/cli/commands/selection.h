// From what was chosen on the command line to what the server is asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/commands/options.h"
#include "cli/output/progress_bar.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

// In written order.
[[nodiscard]] msg::Selection selection_of(const Selector& selector);
// Ascending, whatever the order it was written in.
[[nodiscard]] msg::Selection sorted_selection_of(const Selector& selector);
[[nodiscard]] msg::Selection selection_of(JobId job);
[[nodiscard]] msg::Selection selection_of(const JobChoice& job);

// Task states of a filter. An empty filter means any state; one that names only `opened`, which no task is
// ever in, means none.
struct StateFilter {
  std::vector<TaskState> states;
  bool none = false;

  [[nodiscard]] bool accepts(TaskState state) const;
};
[[nodiscard]] StateFilter state_filter(const std::vector<StatusFilter>& filter);

[[nodiscard]] StatusFilter filter_of(msg::JobStatus status);
[[nodiscard]] std::string_view job_status_text(msg::JobStatus status);  // "RUNNING"
[[nodiscard]] std::string_view task_status_text(TaskState state);       // "RUNNING"
[[nodiscard]] msg::JobStatus status_of(const msg::JobSummary& job);
[[nodiscard]] StateCounts counts_of(const std::array<uint64_t, kTaskStates>& counts);

// "1 job", "2 jobs"
[[nodiscard]] std::string counted(uint64_t n, std::string_view noun);

}  // namespace hq::cli
