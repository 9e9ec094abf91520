#include "hq/core/job.h"

#include <algorithm>

#include "hq/base/assert.h"

namespace hq {

TaskGroup::TaskGroup(JobId job, uint32_t index, std::shared_ptr<const SubmitDescription> submit,
                     WallTime submitted, RequestClasses& classes, DefinitionId first_definition)
    : columns(submit->task_count()),
      job_(job),
      index_(index),
      submit_(std::move(submit)),
      submitted_(submitted),
      first_definition_(first_definition) {
  if (submit_->is_graph()) {
    graph_ = std::make_unique<GraphIndex>();
    for (const GraphTask& task : submit_->graph) {
      graph_->by_id.emplace_back(task.id.value, uint32_t(graph_->classes.size()));
      graph_->classes.push_back(classes.intern(task.task.request));
    }
    std::sort(graph_->by_id.begin(), graph_->by_id.end());
    lowest_ = graph_->by_id.front().first;
    highest_ = graph_->by_id.back().first;
    return;
  }
  klass_ = classes.intern(submit_->task.request);
  uint64_t entry = 0;
  for (const IdArray::Part& part : submit_->ids.parts) {
    parts_.push_back({part.range, 0, entry});
    entry += part.range.count();
    interleaved_ = interleaved_ || part.range.step > 1;
  }
  std::sort(parts_.begin(), parts_.end(),
            [](const Part& a, const Part& b) { return a.range.first < b.range.first; });
  uint64_t position = 0;
  for (Part& part : parts_) {
    part.position = position;
    position += part.range.count();
    highest_ = std::max(highest_, part.range.last);
  }
  if (!parts_.empty()) lowest_ = parts_.front().range.first;
}

const TaskGroup::Part* TaskGroup::part_of(uint32_t id) const {
  auto it = std::upper_bound(parts_.begin(), parts_.end(), id,
                             [](uint32_t value, const Part& part) { return value < part.range.first; });
  while (it != parts_.begin()) {
    --it;
    if (it->range.contains(id)) return &*it;
    if (!interleaved_) break;
  }
  return nullptr;
}

const TaskGroup::Part& TaskGroup::part_at(uint64_t position) const {
  auto it = std::upper_bound(parts_.begin(), parts_.end(), position,
                             [](uint64_t value, const Part& part) { return value < part.position; });
  HQ_ASSERT(it != parts_.begin());
  return *std::prev(it);
}

std::optional<uint64_t> TaskGroup::position(TaskId id) const {
  if (graph_) {
    auto it = std::lower_bound(graph_->by_id.begin(), graph_->by_id.end(), std::pair(id.value, uint32_t{0}));
    if (it == graph_->by_id.end() || it->first != id.value) return std::nullopt;
    return uint64_t(it - graph_->by_id.begin());
  }
  const Part* part = part_of(id.value);
  if (part == nullptr) return std::nullopt;
  return part->position + (id.value - part->range.first) / part->range.step;
}

TaskId TaskGroup::id_at(uint64_t position) const {
  if (graph_) return TaskId(graph_->by_id[position].first);
  const Part& part = part_at(position);
  return TaskId(uint32_t(part.range.first + (position - part.position) * part.range.step));
}

IdRange TaskGroup::run_from(uint64_t position) const {
  const uint32_t first = id_at(position).value;
  if (graph_) return {first, first, 1};
  const Part& part = part_at(position);
  return {first, part.range.last, first == part.range.last ? 1 : part.range.step};
}

uint64_t TaskGroup::entry_index(TaskId id) const {
  const Part* part = part_of(id.value);
  HQ_ASSERT(part != nullptr);
  return part->entry + (id.value - part->range.first) / part->range.step;
}

ClassId TaskGroup::klass(uint64_t position) const {
  return graph_ ? graph_->classes[graph_->by_id[position].second] : klass_;
}

DefinitionId TaskGroup::definition(uint64_t position) const {
  return graph_ ? DefinitionId(first_definition_.value + graph_->by_id[position].second) : first_definition_;
}

const TaskDescription& TaskGroup::description(uint64_t position) const {
  return graph_ ? submit_->graph[graph_->by_id[position].second].task : submit_->task;
}

const std::vector<TaskId>& TaskGroup::dependencies(uint64_t position) const {
  return submit_->graph[graph_->by_id[position].second].deps;
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
