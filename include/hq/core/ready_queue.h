// The tasks that could start now, by priority and request class; within these by job and task id. Holds
// ranges, never single tasks, so its size follows the number of submits.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"

namespace hq {

// One submit of one job.
struct GroupKey {
  JobId job;
  uint32_t group = 0;
  friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

struct ReadyTasks {
  IdSet fresh;  // never handed out: instance 0
  IdSet again;  // their instance is in their row
  [[nodiscard]] bool empty() const { return fresh.empty() && again.empty(); }
  [[nodiscard]] uint64_t count() const { return fresh.count() + again.count(); }
};

struct ReadyClass {
  std::map<GroupKey, ReadyTasks> groups;  // older jobs first
  uint64_t count = 0;
};

class ReadyQueue {
 public:
  using Classes = std::map<ClassId, ReadyClass>;
  // Highest priority first.
  using Priorities = std::map<int32_t, Classes, std::greater<>>;

  void add(int32_t priority, ClassId klass, GroupKey key, IdRange ids, bool again);
  // REQUIRES: they are there.
  void remove(int32_t priority, ClassId klass, GroupKey key, IdRange ids, bool again);
  // Everything of a group under this priority and class.
  void remove_all(int32_t priority, ClassId klass, GroupKey key);
  [[nodiscard]] const Priorities& priorities() const { return priorities_; }
  [[nodiscard]] const ReadyTasks* find(int32_t priority, ClassId klass, GroupKey key) const;
  [[nodiscard]] bool empty() const { return priorities_.empty(); }
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  void drop_if_empty(Priorities::iterator p, Classes::iterator c, std::map<GroupKey, ReadyTasks>::iterator g);
  Priorities priorities_;
  uint64_t count_ = 0;
};

}  // namespace hq
