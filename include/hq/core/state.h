// The durable state of a server and the one fold that changes it. apply() runs live and at restart; it never
// fails, since whoever records an event has checked it (checks are HQ_ASSERTs when live; at replay, events
// that do not fit are set aside by the journal's reader before they come here).
//
// apply() answers what else follows from the event for the one who runs live: which tasks failed (max-fails,
// consumers), which jobs have ended. Those consequences are recorded as events of their own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hq/core/allocations.h"
#include "hq/core/event.h"
#include "hq/core/job.h"
#include "hq/core/ready_queue.h"
#include "hq/core/recent_workers.h"
#include "hq/core/request_classes.h"
#include "hq/core/worker.h"

namespace hq {

struct Effects {
  // Tasks that failed by this event, per job, ascending; and tasks that will never finish for another reason.
  std::vector<JobTask> failed;
  std::vector<JobId> changed_jobs;  // counts moved; no job twice in a row
  bool wake_scheduler = false;      // something became ready, or room became free
  // Ends of tasks of one node, of one job and class each, as they come: nothing of it is counted twice.
  struct Ended {
    WorkerId worker;
    JobId job;
    ClassId klass;
    uint64_t finished = 0;
    uint64_t failed = 0;  // by themselves (is_own_failure)
    float longest_failed_s = 0;
    TaskId last_failed;
  };
  std::vector<Ended> ended;
  uint64_t set_aside = 0;  // rows of a report that do not fit what is assigned: nothing was done for them
};

class State {
 public:
  Effects apply(const Record& record);
  // Why this event cannot be applied (apply() would assert), for events that come out of a file; nothing if
  // it can. Rows of returns, starts and ends that do not fit are no reason: apply() sets them aside.
  [[nodiscard]] std::optional<std::string> misfit(const Record& record) const;

  // Not durable: a worker says that a task which was canceled or aborted while it held resources has ended.
  // True if it did hold some.
  bool release_lingering(WorkerId worker, const JobTask& task, InstanceId instance);

  // --- questions -------------------------------------------------------------------------------------------
  [[nodiscard]] const Job* find_job(JobId id) const;
  [[nodiscard]] const WorkerState* find_worker(WorkerId id) const;
  // Known jobs and workers, ascending (forgotten jobs are gone).
  [[nodiscard]] std::vector<JobId> job_ids() const;
  template <class F>
  void for_each_job(F&& f) const {
    for (const auto& job : jobs_) {
      if (job) f(*job);
    }
  }
  [[nodiscard]] const std::map<WorkerId, std::unique_ptr<WorkerState>>& workers() const { return workers_; }
  [[nodiscard]] const std::map<WorkerId, WorkerState*>& alive_workers() const { return alive_; }
  // What this worker is, or was last; null if it never was here.
  [[nodiscard]] const WorkerState* find_worker(WorkerUid uid) const;
  // Workers of which anything has changed.
  [[nodiscard]] const RecentWorkers& recent_workers() const { return recent_workers_; }
  [[nodiscard]] JobId next_job_id() const { return JobId(uint32_t(jobs_.size()) + 1); }
  [[nodiscard]] JobId last_job_id() const { return JobId(uint32_t(jobs_.size())); }
  [[nodiscard]] WorkerId next_worker_id() const { return WorkerId(last_worker_.value + 1); }
  [[nodiscard]] WorkerId last_worker_id() const { return last_worker_; }
  [[nodiscard]] const std::string& server_uid() const { return server_uid_; }
  [[nodiscard]] const ReadyQueue& ready() const { return ready_; }
  [[nodiscard]] const RequestClasses& classes() const { return classes_; }
  // Which job, submit and description a definition belongs to; nullptr for a forgotten job.
  struct DefinitionRef {
    JobId job;
    uint32_t group = 0;
  };
  [[nodiscard]] const TaskGroup* group_of(DefinitionId id) const;
  // The job and place of a task that is assigned to this worker in this instance; nothing if it is not (any
  // more).
  [[nodiscard]] std::optional<std::pair<const Job*, Job::Place>> assigned_row(WorkerId worker,
                                                                              const JobTask& task,
                                                                              InstanceId instance) const;
  // The job and place of a task that a lost worker had in this instance, and of which no later one was handed
  // out.
  [[nodiscard]] std::optional<std::pair<const Job*, Job::Place>> reclaimable_row(WorkerId lost,
                                                                                 const JobTask& task,
                                                                                 InstanceId instance) const;
  // The longest window that a worker of ours may have been told, 0 if none.
  [[nodiscard]] Duration window() const { return window_; }
  // Mean duration of tasks of this class that ended lately, seconds; negative when none has.
  [[nodiscard]] float class_mean_ran_s(ClassId id) const;
  // Tasks that depend on `id`, directly or not, and are not final; ascending.
  [[nodiscard]] std::vector<TaskId> dependents(const Job& job, const std::vector<TaskId>& of) const;
  [[nodiscard]] const Allocations& allocations() const { return allocations_; }
  [[nodiscard]] uint64_t connected_count() const { return alive_.size(); }

  // Walks all state and compares both sides of every relation; aborts with the rule that is broken. For
  // tests.
  void check_invariants() const;

 private:
  void on(const ServerStarted&, WallTime, Effects&);
  void on(const ServerStopped&, WallTime, Effects&);
  void on(const WorkerConnected&, WallTime, Effects&);
  void on(const WorkerLost&, WallTime, Effects&);
  void on(const WorkerFenced&, WallTime, Effects&);
  void on(const WorkerMeasured&, WallTime, Effects&) {}  // of no consequence
  void on(const JobSubmitted&, WallTime, Effects&);
  void on(const JobOpened&, WallTime, Effects&);
  void on(const JobClosed&, WallTime, Effects&);
  void on(const JobCanceled&, WallTime, Effects&);
  void on(const JobAborted&, WallTime, Effects&);
  void on(const TasksAborted&, WallTime, Effects&);
  void on(const JobForgotten&, WallTime, Effects&);
  void on(const TasksAssigned&, WallTime, Effects&);
  void on(const TasksReturned&, WallTime, Effects&);
  void on(const TasksReclaimed&, WallTime, Effects&);
  void on(const TasksStarted&, WallTime, Effects&);
  void on(const TasksEnded&, WallTime, Effects&);
  void on(const AllocQueueCreated& e, WallTime, Effects&) { allocations_.apply(e); }
  void on(const AllocQueueRemoved& e, WallTime, Effects&) { allocations_.apply(e); }
  void on(const AllocQueuePaused& e, WallTime, Effects&) { allocations_.apply(e); }
  void on(const AllocQueueResumed& e, WallTime, Effects&) { allocations_.apply(e); }
  void on(const AllocationNotQueued& e, WallTime, Effects&) { allocations_.apply(e); }
  void on(const AllocationSubmitting& e, WallTime time, Effects&) { allocations_.apply(e, time); }
  void on(const AllocationStarted& e, WallTime time, Effects&) { allocations_.apply(e, time); }
  void on(const AllocationEnded& e, WallTime time, Effects&) { allocations_.apply(e, time); }
  void on(const AllocationQueued&, WallTime, Effects&);

  [[nodiscard]] const char* why_not(const ServerStarted&) const { return nullptr; }
  [[nodiscard]] const char* why_not(const ServerStopped&) const { return nullptr; }
  [[nodiscard]] const char* why_not(const WorkerConnected&) const;
  [[nodiscard]] const char* why_not(const WorkerLost&) const;
  [[nodiscard]] const char* why_not(const WorkerFenced&) const;
  [[nodiscard]] const char* why_not(const WorkerMeasured&) const;
  [[nodiscard]] const char* why_not(const JobSubmitted&) const;
  [[nodiscard]] const char* why_not(const JobOpened&) const;
  [[nodiscard]] const char* why_not(const JobClosed&) const;
  [[nodiscard]] const char* why_not(const JobCanceled&) const;
  [[nodiscard]] const char* why_not(const JobAborted&) const;
  [[nodiscard]] const char* why_not(const TasksAborted&) const;
  [[nodiscard]] const char* why_not(const JobForgotten&) const;
  [[nodiscard]] const char* why_not(const TasksAssigned&) const;
  [[nodiscard]] const char* why_not(const TasksReturned&) const;
  [[nodiscard]] const char* why_not(const TasksReclaimed&) const;
  [[nodiscard]] const char* why_not(const TasksStarted&) const;
  [[nodiscard]] const char* why_not(const TasksEnded&) const;
  [[nodiscard]] const char* why_not(const AllocQueueCreated& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocQueueRemoved& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocQueuePaused& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocQueueResumed& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocationNotQueued& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocationSubmitting& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocationStarted& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocationEnded& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not(const AllocationQueued& e) const { return allocations_.why_not(e); }
  [[nodiscard]] const char* why_not_submit(const Job* target, const SubmitDescription& submit) const;
  [[nodiscard]] const char* why_not_range(const AssignedRange& range) const;

  Job& job(JobId id);
  // To change it.
  WorkerState& worker(WorkerId id);
  Job& create_job(JobId id, JobUid uid, const std::string& name, std::optional<uint32_t> max_fails,
                  WallTime time);
  void add_group(Job& job, const std::shared_ptr<const SubmitDescription>& submit, WallTime time);
  void add_graph_edges(Job& job, const TaskGroup& group);
  void make_ready_again(Job& job, const Job::Place& place, TaskId id);
  // Ends every task that is not final, as `final_state` (canceled or aborted), without touching waiting ones
  // singly.
  uint64_t end_rest(Job& job, TaskState final_state, WallTime time);
  void end_row(Job& job, const Job::Place& place, TaskId id, RowState final_state, WallTime time);
  void claim(WorkerState& worker, ClassId klass, uint8_t variant, uint64_t times = 1);
  void unclaim(WorkerState& worker, ClassId klass, uint8_t variant);
  void note_in_use(WorkerState& worker, const Job::Place& place, uint8_t variant, int64_t delta);
  void change_backlog(WorkerState& worker, const Job::Place& place, int64_t delta);
  void put_down(WorkerState& worker, const Job::Place& place, RowState was);
  void disband(WorkerState& root);
  void leave_worker(WorkerState& worker, const Job::Place& place, RowState was);
  void sweep_assigned(WorkerState& worker);
  void release_canceled_gang(const WorkerState& node);
  void hold(WorkerState& worker, const AssignedRange& range, const Job::Place& first);
  // `may_fail`: tasks fail by the crash rules.
  void take_back(const WorkerLost& loss, WallTime time, bool may_fail, Effects& effects);
  void lose_task(Job& job, const Job::Place& place, TaskId id, const WorkerLost& loss, bool may_fail,
                 Effects& effects);
  void fail_row(Job& job, const Job::Place& place, TaskId id, const Failure& failure, Effects& effects);
  [[nodiscard]] bool may_leave_room(const WorkerState& holder, ClassId started) const;
  void note_start(Job& job, WorkerState& worker, const Job::Place& place, TaskId id, WallTime at);
  void finish_dependencies(Job& job, TaskId id, Effects& effects);
  void note_mean(TaskGroup& group, ClassId klass, float ran_s);
  void note_end(Effects& effects, WorkerId worker, const TaskEnd& end, ClassId klass) const;
  void mark_changed(Effects& effects, JobId id);
  void settle(Job& job, WallTime time);

  std::string server_uid_;
  Duration window_{0};
  SubmitPools submit_pools_;
  std::vector<std::unique_ptr<Job>> jobs_;  // by id - 1; forgotten ones are null
  std::map<WorkerId, std::unique_ptr<WorkerState>> workers_;
  std::map<WorkerId, WorkerState*> alive_;
  std::unordered_map<WorkerUid, WorkerId> last_of_uid_;
  RecentWorkers recent_workers_;
  WorkerId last_worker_;
  ReadyQueue ready_;
  RequestClasses classes_;
  std::vector<DefinitionRef> definitions_;  // by id - 1
  std::vector<float> class_mean_ran_s_;
  Allocations allocations_;
};

}  // namespace hq
