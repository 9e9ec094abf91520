#include "journal/mend.h"

#include <algorithm>

#include <memory>

namespace hq {

namespace {

class Mender {
 public:
  Mender(const State& state, const Record& record) : state_(state), record_(record) {}

  std::vector<Record> take() {
    std::visit([&](const auto& event) { mend(event); }, record_.event);
    return std::move(out_);
  }

 private:
  void add(Event event) { out_.push_back({record_.time, std::move(event)}); }

  // An event of a worker that nobody has told of.
  void need_worker(WorkerId id) {
    if (state_.find_worker(id) != nullptr) return;
    auto config = std::make_shared<WorkerConfig>();
    config->hostname = "unknown";
    add(WorkerConnected{id, WorkerUid(0), std::move(config)});
  }

  [[nodiscard]] bool is_free(WorkerId id) const {
    const WorkerState* worker = state_.find_worker(id);
    return worker != nullptr && worker->alive() && !worker->gang;
  }

  // Makes this attempt be assigned to that worker, unless that can't have been.
  void need_assigned(WorkerId worker, const JobTask& task, InstanceId instance) {
    if (state_.assigned_row(worker, task, instance)) return;
    AssignedRange range{task.job, {task.task.value, task.task.value, 1}, instance, 0, false};
    if (give_back(task, instance)) add(TasksAssigned{worker, {range}});
  }

  // True if the task may be assigned in this instance; what holds it gives it back first.
  bool give_back(const JobTask& task, InstanceId instance) {
    const Job* job = state_.find_job(task.job);
    if (job == nullptr || job->unmet.contains(task.task)) return false;
    const auto place = job->find(task.task);
    if (!place || is_final(place->group->state(place->position))) return false;
    const InstanceId known = place->group->instance(place->position);
    if (instance < known) return false;
    const RowState state = place->group->columns.state(place->position);
    if (state == RowState::kWaiting) return true;
    const WorkerId holder(place->chunk().worker(place->row()));
    if (state == RowState::kHeld) {
      add(WorkerFenced{holder});
    } else {
      add(TasksReturned{holder, {{task, known}}});
    }
    return true;
  }

  void mend(const TasksStarted& e) {
    need_worker(e.worker);
    for (const TaskStart& start : e.tasks) need_assigned(e.worker, start.task, start.instance);
    out_.push_back(record_);
  }
  void mend(const TasksEnded& e) {
    need_worker(e.worker);
    for (const TaskEnd& end : e.tasks) need_assigned(e.worker, end.task, end.instance);
    out_.push_back(record_);
  }
  void mend(const TasksAssigned& e) {
    need_worker(e.worker);
    for (const AssignedRange& range : e.ranges) {
      for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
        AssignedRange one = range;
        one.ids = {uint32_t(id), uint32_t(id), 1};
        // Without the end of what had one of its nodes, only the first is known to have it.
        if (!std::all_of(one.nodes.begin(), one.nodes.end(), [&](WorkerId node) { return is_free(node); }))
          one.nodes.clear();
        if (give_back({range.job, TaskId(uint32_t(id))}, range.instance)) add(TasksAssigned{e.worker, {one}});
      }
    }
  }
  void mend(const TasksAborted& e) {
    for (TaskId id : e.tasks) add(TasksAborted{e.job, {id}});
  }
  template <class E>
  void mend(const E&) {
    out_.push_back(record_);
  }

  const State& state_;
  const Record& record_;
  std::vector<Record> out_;
};

struct KindName {
  const char* operator()(const ServerStarted&) const { return "server-start"; }
  const char* operator()(const ServerStopped&) const { return "server-stop"; }
  const char* operator()(const WorkerConnected&) const { return "worker-connected"; }
  const char* operator()(const WorkerLost&) const { return "worker-lost"; }
  const char* operator()(const WorkerFenced&) const { return "worker-fenced"; }
  const char* operator()(const WorkerMeasured&) const { return "worker-overview"; }
  const char* operator()(const JobSubmitted&) const { return "job-created"; }
  const char* operator()(const JobOpened&) const { return "job-open"; }
  const char* operator()(const JobClosed&) const { return "job-close"; }
  const char* operator()(const JobCanceled&) const { return "job-cancel"; }
  const char* operator()(const JobAborted&) const { return "job-aborted"; }
  const char* operator()(const TasksAborted&) const { return "task-aborted"; }
  const char* operator()(const JobForgotten&) const { return "job-forgotten"; }
  const char* operator()(const TasksAssigned&) const { return "tasks-assigned"; }
  const char* operator()(const TasksReturned&) const { return "tasks-returned"; }
  const char* operator()(const TasksReclaimed&) const { return "tasks-reclaimed"; }
  const char* operator()(const TasksStarted&) const { return "task-started"; }
  const char* operator()(const TasksEnded&) const { return "task-ended"; }
  const char* operator()(const AllocQueueCreated&) const { return "autoalloc-queue-created"; }
  const char* operator()(const AllocQueueRemoved&) const { return "autoalloc-queue-removed"; }
  const char* operator()(const AllocQueuePaused&) const { return "autoalloc-queue-paused"; }
  const char* operator()(const AllocQueueResumed&) const { return "autoalloc-queue-resumed"; }
  const char* operator()(const AllocationSubmitting&) const { return "autoalloc-allocation-submitting"; }
  const char* operator()(const AllocationQueued&) const { return "autoalloc-allocation-queued"; }
  const char* operator()(const AllocationNotQueued&) const { return "autoalloc-allocation-not-queued"; }
  const char* operator()(const AllocationStarted&) const { return "autoalloc-allocation-started"; }
  const char* operator()(const AllocationEnded&) const { return "autoalloc-allocation-finished"; }
};

}  // namespace

std::vector<Record> mend(const State& state, const Record& record) {
  return Mender(state, record).take();
}

const char* kind_name(const Event& event) {
  return std::visit(KindName{}, event);
}

}  // namespace hq
