#include "hq/core/job.h"

#include <algorithm>
#include <utility>

#include "hq/base/assert.h"

namespace hq {

TaskGroup::TaskGroup(GroupKey key, KeptSubmit submit, uint64_t tasks, WallTime submitted,
                     RequestClasses& classes, DefinitionId first_definition)
    : columns(tasks),
      graph_(submit.is_graph()),
      first_definition_(first_definition),
      key_(key),
      submitted_(submitted),
      submit_(std::move(submit)) {
  if (graph_) {
    index_graph(classes);
    return;
  }
  klass_ = classes.intern(submit_.wants().request);
  if (submit_.one_range() == nullptr) index_parts();
}

void TaskGroup::index_graph(RequestClasses& classes) {
  index_ = std::make_unique<Index>();
  for (const GraphTask& task : graph()) {
    index_->by_id.emplace_back(task.id.value, uint32_t(index_->classes.size()));
    index_->classes.push_back(classes.intern(task.task.request));
  }
  std::sort(index_->by_id.begin(), index_->by_id.end());
  index_->lowest = index_->by_id.front().first;
  index_->highest = index_->by_id.back().first;
}

void TaskGroup::index_parts() {
  index_ = std::make_unique<Index>();
  std::vector<Part>& parts = index_->parts;
  uint64_t entry = 0;
  for (const IdArray::Part& part : submit_.parts()) {
    parts.push_back({part.range, 0, entry});
    entry += part.range.count();
    index_->interleaved = index_->interleaved || part.range.step > 1;
  }
  std::sort(parts.begin(), parts.end(),
            [](const Part& a, const Part& b) { return a.range.first < b.range.first; });
  uint64_t position = 0;
  for (Part& part : parts) {
    part.position = position;
    position += part.range.count();
    index_->highest = std::max(index_->highest, part.range.last);
  }
  if (!parts.empty()) index_->lowest = parts.front().range.first;
}

float TaskGroup::mean_ran_s(ClassId klass) const {
  if (!graph_) return mean_ran_s_;
  const auto found = std::as_const(index_->means_ran_s).find(klass);
  return found == std::as_const(index_->means_ran_s).end() ? -1.0F : found->second;
}

float& TaskGroup::mean_ran_s(ClassId klass) {
  if (!graph_) return mean_ran_s_;
  if (!index_->means_ran_s.contains(klass)) index_->means_ran_s[klass] = -1;
  return index_->means_ran_s[klass];
}

std::optional<TaskGroup::Part> TaskGroup::part_of(uint32_t id) const {
  if (const IdRange* one = submit_.one_range())
    return one->contains(id) ? std::optional(Part{*one, 0, 0}) : std::nullopt;
  const std::vector<Part>& parts = index_->parts;
  auto it = std::upper_bound(parts.begin(), parts.end(), id,
                             [](uint32_t value, const Part& part) { return value < part.range.first; });
  while (it != parts.begin()) {
    --it;
    if (it->range.contains(id)) return *it;
    if (!index_->interleaved) break;
  }
  return std::nullopt;
}

TaskGroup::Part TaskGroup::part_at(uint64_t position) const {
  if (const IdRange* one = submit_.one_range()) return {*one, 0, 0};
  const std::vector<Part>& parts = index_->parts;
  auto it = std::upper_bound(parts.begin(), parts.end(), position,
                             [](uint64_t value, const Part& part) { return value < part.position; });
  HQ_ASSERT(it != parts.begin());
  return *std::prev(it);
}

std::optional<uint64_t> TaskGroup::position(TaskId id) const {
  if (graph_) {
    const auto& by_id = index_->by_id;
    auto it = std::lower_bound(by_id.begin(), by_id.end(), std::pair(id.value, uint32_t{0}));
    if (it == by_id.end() || it->first != id.value) return std::nullopt;
    return uint64_t(it - by_id.begin());
  }
  const auto part = part_of(id.value);
  if (!part) return std::nullopt;
  return part->position + (id.value - part->range.first) / part->range.step;
}

TaskId TaskGroup::id_at(uint64_t position) const {
  if (graph_) return TaskId(index_->by_id[position].first);
  const Part part = part_at(position);
  return TaskId(uint32_t(part.range.first + (position - part.position) * part.range.step));
}

IdRange TaskGroup::run_from(uint64_t position) const {
  const uint32_t first = id_at(position).value;
  if (graph_) return {first, first, 1};
  const Part part = part_at(position);
  return {first, part.range.last, first == part.range.last ? 1 : part.range.step};
}

uint64_t TaskGroup::entry_index(TaskId id) const {
  const auto part = part_of(id.value);
  HQ_ASSERT(part.has_value());
  return part->entry + (id.value - part->range.first) / part->range.step;
}

DefinitionId TaskGroup::definition(uint64_t position) const {
  return graph_ ? DefinitionId(first_definition_.value + index_->by_id[position].second) : first_definition_;
}

const TaskDescription& TaskGroup::wants(uint64_t position) const {
  return graph_ ? graph()[index_->by_id[position].second].task : submit_.wants();
}

const std::vector<TaskId>& TaskGroup::dependencies(uint64_t position) const {
  return graph()[index_->by_id[position].second].deps;
}

InstanceId TaskGroup::instance(uint64_t position) const {
  TaskChunk* chunk = columns.find(position);
  if (chunk == nullptr) return InstanceId(0);
  const uint16_t small = chunk->instance(TaskColumns::row(position));
  return InstanceId(small == TaskChunk::kBigInstance ? big_instances_.at(position) : small);
}

void TaskGroup::set_instance(uint64_t position, InstanceId instance) {
  uint16_t& small = columns.at(position).instance(TaskColumns::row(position));
  if (instance.value < TaskChunk::kBigInstance) {
    small = uint16_t(instance.value);
  } else {
    small = TaskChunk::kBigInstance;
    big_instances_[position] = instance.value;
  }
}

uint64_t Job::task_count() const {
  uint64_t n = 0;
  for (uint64_t c : counts) n += c;
  return n;
}

std::optional<Job::Place> Job::find(TaskId id) const {
  auto try_group = [&](size_t i) -> std::optional<Place> {
    if (id.value < groups[i]->lowest_id() || id.value > groups[i]->highest_id()) return std::nullopt;
    if (auto position = groups[i]->position(id)) return Place{groups[i].get(), *position};
    return std::nullopt;
  };
  if (last_group_ < groups.size()) {
    if (auto place = try_group(last_group_)) return place;
  }
  for (size_t i = groups.size(); i-- > 0;) {
    if (auto place = try_group(i)) {
      last_group_ = i;
      return place;
    }
  }
  return std::nullopt;
}

std::optional<uint32_t> Job::highest_id() const {
  std::optional<uint32_t> best;
  for (const auto& group : groups) {
    if (group->task_count() > 0) best = std::max(best.value_or(0), group->highest_id());
  }
  return best;
}

Failure Job::failure_of(TaskId id, const Place& place) const {
  Failure failure;
  failure.kind = place.chunk().failure_kind(place.row());
  failure.code = place.chunk().code(place.row());
  if (auto it = texts.find(id); it != texts.end()) failure.text = it->second;
  return failure;
}

}  // namespace hq
