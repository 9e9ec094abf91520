#include "worker/backlog.h"

#include <algorithm>

#include "hq/base/assert.h"

namespace hq {

void Backlog::add(Task task) {
  const TaskOrder order = TaskOrder::of(task);
  const uint32_t request = task.request().number;
  Line& line = lines_[request];
  if (line.empty() || order < line.begin()->first) {
    if (!line.empty()) heads_.erase({line.begin()->first, request});
    heads_.emplace(order, request);
  }
  const bool added = line.emplace(order, std::move(task)).second;
  HQ_ASSERT(added);
  ++size_;
}

const Task* Backlog::first() const {
  if (heads_.empty()) return nullptr;
  return &lines_.at(heads_.begin()->second).begin()->second;
}

Task Backlog::take(Line::iterator position, uint32_t request) {
  const auto found = lines_.find(request);
  Line& line = found->second;
  const bool head = position == line.begin();
  if (head) heads_.erase({position->first, request});
  Task task = std::move(position->second);
  line.erase(position);
  --size_;
  if (line.empty()) {
    lines_.erase(found);
  } else if (head) {
    heads_.emplace(line.begin()->first, request);
  }
  return task;
}

std::optional<Task> Backlog::take_first(const std::function<bool(const Request&)>& fits) {
  int looked = 0;
  for (const auto& [order, request] : heads_) {
    if (looked++ == kLookAhead) break;
    Line& line = lines_.at(request);
    if (!fits(line.begin()->second.request())) continue;
    return take(line.begin(), request);
  }
  return std::nullopt;
}

std::vector<Task> Backlog::take_last(DefinitionId definition, size_t count) {
  std::vector<TaskOrder> wanted;
  std::map<TaskOrder, uint32_t> request_of;
  for (const auto& [request, line] : lines_) {
    size_t found = 0;
    for (auto it = line.rbegin(); it != line.rend() && found < count; ++it) {
      if (it->second.definition->id != definition) continue;
      wanted.push_back(it->first);
      request_of.emplace(it->first, request);
      ++found;
    }
  }
  std::sort(wanted.rbegin(), wanted.rend());
  if (wanted.size() > count) wanted.resize(count);
  std::vector<Task> taken;
  taken.reserve(wanted.size());
  for (const TaskOrder& order : wanted) {
    const uint32_t request = request_of.at(order);
    taken.push_back(take(lines_.at(request).find(order), request));
  }
  return taken;
}

std::vector<Task> Backlog::take_if(const std::function<bool(const Task&)>& wanted) {
  std::vector<std::pair<TaskOrder, uint32_t>> found;
  for (const auto& [request, line] : lines_) {
    for (const auto& [order, task] : line) {
      if (wanted(task)) found.emplace_back(order, request);
    }
  }
  std::vector<Task> taken;
  taken.reserve(found.size());
  for (const auto& [order, request] : found) taken.push_back(take(lines_.at(request).find(order), request));
  return taken;
}

void Backlog::for_each(const std::function<void(const Task&)>& visit) const {
  for (const auto& [request, line] : lines_) {
    for (const auto& [order, task] : line) visit(task);
  }
}

void Backlog::check_invariants() const {
  size_t count = 0;
  for (const auto& [request, line] : lines_) {
    HQ_ASSERT(!line.empty());
    HQ_ASSERT(heads_.contains({line.begin()->first, request}));
    for (const auto& [order, task] : line) HQ_ASSERT(task.request().number == request);
    count += line.size();
  }
  HQ_ASSERT(count == size_);
  HQ_ASSERT(heads_.size() == lines_.size());
}

}  // namespace hq
