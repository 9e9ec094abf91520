// The rows of a job's tasks, ascending by id, a page at a time. Tasks that never left waiting come as ranges.
#pragma once

#include <optional>
#include <vector>

#include "hq/core/job.h"
#include "hq/protocol/client_messages.h"

namespace hq {

class TaskRows {
 public:
  // Only tasks of `ids` (all when not given) in one of `states` (any when empty).
  TaskRows(const Job& job, std::optional<IdArray> ids, std::vector<TaskState> states, bool texts);
  // Up to `rows` further rows.
  std::vector<msg::TaskRow> take(const Job& job, size_t rows);
  [[nodiscard]] bool at_end(const Job& job) const;

 private:
  struct Cursor {  // in order of ids
    size_t group;
    uint64_t position;
  };
  [[nodiscard]] bool wants(TaskState s) const;
  msg::TaskRow row_of(const Job& job, const TaskGroup& group, uint64_t position) const;
  // Takes one position, or the whole untouched stretch that begins there; returns how many positions that
  // was.
  uint64_t take_at(const Job& job, size_t group, uint64_t position, uint64_t limit,
                   std::vector<msg::TaskRow>& out);

  std::optional<IdArray> ids_;
  std::vector<TaskState> states_;
  bool texts_;
  // Groups by their lowest id when positions follow ids; else every task, sorted (submits that interleave).
  bool sorted_ = true;
  std::vector<size_t> order_;
  std::vector<std::pair<uint32_t, Cursor>> all_;
  size_t next_ = 0;        // in order_ or all_
  uint64_t position_ = 0;  // in the group of order_[next_]
};

}  // namespace hq
