// Tasks that wait here for resources to become free: one line per request, so that a task whose request does
// not fit now holds up the lookup once, however many others ask for the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "worker/task.h"

namespace hq {

class Backlog {
 public:
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // REQUIRES: the attempt is not in it.
  void add(Task task);
  // The very first; null when empty.
  [[nodiscard]] const Task* first() const;
  // Takes the first task whose request `fits`, looking at the first kLookAhead requests only.
  std::optional<Task> take_first(const std::function<bool(const Request&)>& fits);
  // Takes up to `count` tasks of a definition, those that would start last.
  std::vector<Task> take_last(DefinitionId definition, size_t count);
  std::vector<Task> take_if(const std::function<bool(const Task&)>& wanted);
  void for_each(const std::function<void(const Task&)>& visit) const;
  void check_invariants() const;

 private:
  static constexpr int kLookAhead = 64;
  using Line = std::map<TaskOrder, Task>;
  Task take(Line::iterator position, uint32_t request);

  std::map<uint32_t, Line> lines_;  // by request number; none is empty
  std::set<std::pair<TaskOrder, uint32_t>> heads_;
  size_t size_ = 0;
};

}  // namespace hq
