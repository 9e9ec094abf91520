// A job and its submits, as the fold keeps them. Only State (state.h) changes them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/core/event.h"
#include "hq/core/kept_submit.h"
#include "hq/core/lazy_map.h"
#include "hq/core/ready_queue.h"
#include "hq/core/request_classes.h"
#include "hq/core/task.h"
#include "hq/core/task_columns.h"

namespace hq {

// One submit of a job. Its tasks have positions: for an array in ascending runs of its parts, for a graph in
// ascending id order.
class TaskGroup {
 public:
  TaskGroup(GroupKey key, KeptSubmit submit, uint64_t tasks, WallTime submitted, RequestClasses& classes,
            DefinitionId first_definition);

  [[nodiscard]] GroupKey key() const { return key_; }
  // As it was submitted, with the paths of this job; made when it is asked for.
  [[nodiscard]] std::shared_ptr<const SubmitDescription> submit() const { return submit_.whole(key_.job); }
  [[nodiscard]] bool is_graph() const { return graph_; }
  [[nodiscard]] const std::vector<GraphTask>& graph() const { return submit_.graph(); }
  [[nodiscard]] const Entries* entries() const { return submit_.entries(); }
  [[nodiscard]] const std::optional<std::string>& log_path() const { return submit_.log_path(); }
  [[nodiscard]] WallTime submitted() const { return submitted_; }
  [[nodiscard]] uint64_t task_count() const { return columns.tasks(); }
  // REQUIRES: it has tasks.
  [[nodiscard]] uint32_t lowest_id() const { return index_ ? index_->lowest : submit_.one_range()->first; }
  [[nodiscard]] uint32_t highest_id() const { return index_ ? index_->highest : submit_.one_range()->last; }
  // Positions may not follow ids: some parts have steps.
  [[nodiscard]] bool interleaved() const { return index_ && index_->interleaved; }

  [[nodiscard]] std::optional<uint64_t> position(TaskId id) const;
  [[nodiscard]] TaskId id_at(uint64_t position) const;
  // The positions [position, end) that follow each other as one range of ids: the stretch of ids from
  // `position` on.
  [[nodiscard]] IdRange run_from(uint64_t position) const;
  // Index of the entry of a task, in the written order of ids. REQUIRES: a member, of an array.
  [[nodiscard]] uint64_t entry_index(TaskId id) const;
  [[nodiscard]] ClassId klass(uint64_t position) const {
    return graph_ ? index_->classes[index_->by_id[position].second] : klass_;
  }
  [[nodiscard]] DefinitionId definition(uint64_t position) const;
  // Of what a task asks for: all but its program, which submit() tells.
  [[nodiscard]] const TaskDescription& wants(uint64_t position) const;
  // The description of a task in `submit`, which is what submit() gave.
  [[nodiscard]] const TaskDescription& description(const SubmitDescription& submit, uint64_t position) const {
    return graph_ ? submit.graph[index_->by_id[position].second].task : submit.task;
  }
  // Of a graph: what the task there depends on. REQUIRES: is_graph().
  [[nodiscard]] const std::vector<TaskId>& dependencies(uint64_t position) const;
  [[nodiscard]] int32_t priority(uint64_t position) const { return wants(position).priority; }
  // How many definitions it has: 1 for an array, one per task for a graph.
  [[nodiscard]] uint32_t definition_count() const { return graph_ ? uint32_t(graph().size()) : 1; }
  [[nodiscard]] DefinitionId first_definition() const { return first_definition_; }

  [[nodiscard]] InstanceId instance(uint64_t position) const;
  void set_instance(uint64_t position, InstanceId instance);
  // As users see it: rows that are waiting show what became of the rest.
  [[nodiscard]] TaskState state(uint64_t position) const {
    const RowState row = columns.state(position);
    return row == RowState::kWaiting ? rest : task_state(row);
  }

  // Exponentially weighted mean of how long its tasks of this class ran, in seconds; negative until one has
  // ended.
  [[nodiscard]] float mean_ran_s(ClassId klass) const;
  float& mean_ran_s(ClassId klass);

  TaskColumns columns;
  // What became of all tasks whose row says waiting: waiting, or canceled or aborted as a whole.
  TaskState rest = TaskState::kWaiting;

 private:
  struct Part {
    IdRange range;
    uint64_t position;  // of range.first
    uint64_t entry;     // written order
  };
  // Of what is not an array of one range.
  struct Index {
    std::vector<Part> parts;                           // array; ascending by first id
    std::vector<std::pair<uint32_t, uint32_t>> by_id;  // graph; (id, index in graph()), ascending
    std::vector<ClassId> classes;                      // graph; by index in graph()
    LazyMap<ClassId, float> means_ran_s;               // graph
    bool interleaved = false;                          // some part has a step above 1: parts may interleave
    uint32_t lowest = 0;
    uint32_t highest = 0;
  };
  void index_graph(RequestClasses& classes);
  void index_parts();
  [[nodiscard]] std::optional<Part> part_of(uint32_t id) const;
  [[nodiscard]] Part part_at(uint64_t position) const;

  bool graph_;
  float mean_ran_s_ = -1;  // array
  ClassId klass_;          // array
  DefinitionId first_definition_;
  GroupKey key_;
  WallTime submitted_;
  KeptSubmit submit_;
  std::unique_ptr<Index> index_;
  LazyMap<uint64_t, uint32_t> big_instances_;
};

struct Job {
  JobId id;
  JobUid uid;
  std::string name;
  std::optional<uint32_t> max_fails;
  bool open = false;
  WallTime submitted;
  std::optional<WallTime> finished;  // last moment at which no active task remained
  std::optional<std::string> cancel_reason;
  std::array<uint64_t, kTaskStates> counts{};
  std::vector<std::unique_ptr<TaskGroup>> groups;
  std::vector<WorkerId> workers;  // that ever ran a task of it; ascending

  struct Losses {
    uint16_t crashes = 0;
    uint8_t from_backlog = 0;
    enum class Last : uint8_t {
      kNone,
      kCrash,
      kBacklog
    } last = Last::kNone;  // what the newest loss counted as
  };
  LazyMap<TaskId, Losses> losses;
  // The workers of multi-node tasks that were handed out, lately; the first one runs the program.
  LazyMap<TaskId, std::vector<WorkerId>> gangs;
  // Texts of failures, of the first 1,000 failed tasks.
  static constexpr size_t kMaxTexts = 1000;
  LazyMap<TaskId, std::string> texts;

  // Failed tasks by what they have in common. What comes beyond so many groups is not grouped.
  struct FailureGroup {
    FailureKind kind = FailureKind::kExit;
    int16_t code = 0;
    WorkerId worker;
    friend auto operator<=>(const FailureGroup&, const FailureGroup&) = default;
  };
  struct FailureGroupSize {
    uint64_t tasks = 0;
    TaskId first;  // that failed so
  };
  static constexpr size_t kMaxFailureGroups = 10'000;
  LazyMap<FailureGroup, FailureGroupSize> failures;

  // Dependencies: unfinished ones per waiting task, and who waits for whom.
  LazyMap<TaskId, uint32_t> unmet;
  LazyMap<TaskId, std::vector<TaskId>> consumers;

  [[nodiscard]] uint64_t count(TaskState s) const { return counts[size_t(s)]; }
  [[nodiscard]] uint64_t task_count() const;
  [[nodiscard]] uint64_t active() const { return count(TaskState::kWaiting) + count(TaskState::kRunning); }
  // No more tasks will come or run.
  [[nodiscard]] bool terminated() const { return !open && active() == 0; }

  struct Place {
    TaskGroup* group = nullptr;
    uint64_t position = 0;
    [[nodiscard]] TaskChunk& chunk() const { return group->columns.at(position); }
    [[nodiscard]] uint32_t row() const { return TaskColumns::row(position); }
  };
  [[nodiscard]] std::optional<Place> find(TaskId id) const;
  [[nodiscard]] std::optional<uint32_t> highest_id() const;
  [[nodiscard]] Failure failure_of(TaskId id, const Place& place) const;

 private:
  mutable size_t last_group_ = 0;  // most look-ups hit the same submit again
};

}  // namespace hq
