#include <doctest/doctest.h>

#include "hq/base/random.h"
#include "hq/core/scheduler.h"
#include "hq/core/state.h"
#include "support/builders.h"

using namespace hq;
using test::submit;

namespace {

// A state with its own time, and short words for events.
struct World {
  State state;
  WallTime now{1'000'000'000};
  std::set<WorkerId> none;

  Effects apply(Event event) {
    Effects effects = state.apply({now, std::move(event)});
    state.check_invariants();
    return effects;
  }
  WorkerId add_worker(uint32_t cpus) {
    const WorkerId id = state.next_worker_id();
    apply(
        WorkerConnected{id, WorkerUid(id.value), std::make_shared<WorkerConfig>(test::worker_config(cpus))});
    return id;
  }
  JobId add_job(const test::SubmitBuilder& builder) {
    const JobId id = state.next_job_id();
    apply(JobSubmitted{id, JobUid(id.value + 100), false, "j", std::nullopt, builder.shared()});
    return id;
  }
  Placement schedule() {
    Placement placement = Scheduler().step({state, now, none, none}, Scheduler::kWholePass);
    for (const Placed& placed : placement.placed) {
      auto ranges = pick(state, placed);
      if (!ranges.empty()) apply(TasksAssigned{placed.worker, ranges});
    }
    return placement;
  }
  void start(WorkerId worker, JobId job, uint32_t task, uint32_t instance = 0) {
    apply(TasksStarted{worker, {{{job, TaskId(task)}, InstanceId(instance), 0, now}}});
  }
  Effects end(WorkerId worker, JobId job, uint32_t task, bool finished = true, float ran_s = 1) {
    TaskEnd e;
    e.task = {job, TaskId(task)};
    e.finished = finished;
    e.at = now;
    e.usage.ran_s = ran_s;
    if (!finished) e.failure = {FailureKind::kExit, 1, {}};
    return apply(TasksEnded{worker, {e}});
  }
  TaskState task(JobId job, uint32_t id) {
    auto place = state.find_job(job)->find(TaskId(id));
    return place->group->state(place->position);
  }
  uint64_t count(JobId job, TaskState s) { return state.find_job(job)->count(s); }
};

}  // namespace

TEST_CASE("tasks are placed on as many cpus as there are, the rest waits") {
  World w;
  const WorkerId worker = w.add_worker(4);
  const JobId job = w.add_job(submit().array(1, 10));

  w.schedule();

  CHECK(w.state.find_worker(worker)->slots == 4);
  CHECK(w.state.ready().count() == 6);
  CHECK(w.count(job, TaskState::kWaiting) == 10);
}

TEST_CASE("a finished task frees its room and gives its duration to the mean") {
  World w;
  const WorkerId worker = w.add_worker(1);
  const JobId job = w.add_job(submit().array(0, 2));
  w.schedule();
  w.start(worker, job, 0);

  w.end(worker, job, 0, true, 2.5F);

  CHECK(w.task(job, 0) == TaskState::kFinished);
  CHECK(w.state.find_job(job)->groups[0]->mean_ran_s(ClassId(0)) == 2.5F);
  w.schedule();
  CHECK(w.state.find_worker(worker)->slots == 1);
}

TEST_CASE("short tasks are kept in a backlog, long ones are not") {
  World w;
  const WorkerId worker = w.add_worker(2);
  const JobId job = w.add_job(submit().array(0, 1000));
  w.schedule();
  w.end(worker, job, 0, true, 0.001F);

  w.schedule();

  CHECK(w.state.find_worker(worker)->backlog > 20);
  CHECK(w.state.find_worker(worker)->backlog <= 1024);

  World slow;
  const WorkerId other = slow.add_worker(2);
  const JobId long_job = slow.add_job(submit().array(0, 1000));
  slow.schedule();
  slow.end(other, long_job, 0, true, 30.0F);
  slow.schedule();
  CHECK(slow.state.find_worker(other)->backlog == 0);
}

TEST_CASE("tasks of a graph are handed out one by one, to the backlog too") {
  World w;
  const WorkerId worker = w.add_worker(1);
  test::SubmitBuilder graph = submit();
  for (uint32_t id = 0; id < 50; ++id) graph.task(id);
  const JobId job = w.add_job(graph);
  w.schedule();
  w.end(worker, job, 0, true, 0.001F);

  w.schedule();

  const WorkerState& holder = *w.state.find_worker(worker);
  REQUIRE(holder.backlog > 5);
  CHECK(holder.backlog_of.size() == holder.backlog);
  for (const AssignedRange& range : holder.assigned) CHECK(range.ids.count() == 1);
  w.start(worker, job, 1);
  w.end(worker, job, 1, true, 0.001F);
  for (uint32_t id = 2; id < holder.backlog; ++id) w.end(worker, job, id, true, 0.001F);
}

TEST_CASE("a lost worker's tasks wait again under a higher instance") {
  World w;
  const WorkerId worker = w.add_worker(2);
  const JobId job = w.add_job(submit().array(0, 3));
  w.schedule();
  w.start(worker, job, 0);

  const Effects effects = w.apply(WorkerLost{worker, LossReason::kConnectionLost});

  CHECK(effects.failed.empty());
  CHECK(w.count(job, TaskState::kWaiting) == 3);
  CHECK(w.state.find_job(job)->find(TaskId(0))->group->instance(0) == InstanceId(1));
  CHECK(w.state.find_job(job)->find(TaskId(2))->group->instance(2) == InstanceId(0));
}

TEST_CASE("a task fails when its crash limit is reached, and only crashes count") {
  World w;
  const JobId job = w.add_job(submit().crash_limit(2));
  auto lose = [&](LossReason reason, uint32_t instance) {
    const WorkerId worker = w.add_worker(1);
    w.schedule();
    w.start(worker, job, 0, instance);
    return w.apply(WorkerLost{worker, reason});
  };

  CHECK(lose(LossReason::kConnectionLost, 0).failed.empty());
  CHECK(lose(LossReason::kStopped, 1).failed.empty());
  const Effects effects = lose(LossReason::kHeartbeatLost, 2);

  REQUIRE(effects.failed.size() == 1);
  CHECK(w.task(job, 0) == TaskState::kFailed);
  const Job& state = *w.state.find_job(job);
  CHECK(state.failure_of(TaskId(0), *state.find(TaskId(0))).code == 2);
}

TEST_CASE("never-restart fails a running task at any loss of its worker") {
  World w;
  const JobId job = w.add_job(submit().array(0, 2).crash_limit(CrashLimit::kNeverRestart));
  const WorkerId worker = w.add_worker(2);
  w.schedule();
  w.start(worker, job, 0);

  w.apply(WorkerLost{worker, LossReason::kStopped});

  CHECK(w.task(job, 0) == TaskState::kFailed);
  CHECK(w.task(job, 1) == TaskState::kWaiting);
}

TEST_CASE("cancelling ten million waiting tasks touches none of them") {
  World w;
  const JobId job = w.state.next_job_id();
  w.state.apply({w.now, JobSubmitted{job, JobUid(1), false, "j", std::nullopt,
                                     submit().array(1, 10'000'000).shared()}});

  w.state.apply({w.now, JobCanceled{job, "why"}});

  CHECK(w.count(job, TaskState::kCanceled) == 10'000'000);
  CHECK(w.task(job, 5'000'000) == TaskState::kCanceled);
  CHECK(w.state.ready().empty());
  CHECK(w.state.find_job(job)->cancel_reason == "why");
}

TEST_CASE("a canceled running task holds its resources until the worker says that it ended") {
  World w;
  const WorkerId worker = w.add_worker(1);
  const JobId job = w.add_job(submit());
  w.schedule();
  w.start(worker, job, 0);
  w.apply(JobCanceled{job, ""});
  const JobId next = w.add_job(submit());

  w.schedule();
  CHECK(w.state.find_worker(worker)->slots == 0);

  CHECK(w.state.release_lingering(worker, {job, TaskId(0)}, InstanceId(0)));
  w.schedule();
  CHECK(w.state.find_worker(worker)->slots == 1);
  CHECK(w.task(next, 0) == TaskState::kWaiting);
}

TEST_CASE("durations of a graph are kept by what its tasks ask for") {
  World w;
  const WorkerId worker = w.add_worker(4);
  const JobId job = w.add_job(submit().task(0).task(1).cpus(2).task(2));
  w.schedule();
  for (uint32_t id = 0; id < 3; ++id) w.start(worker, job, id);

  w.end(worker, job, 2, true, 7);
  w.end(worker, job, 0, true, 1);

  const TaskGroup& group = *w.state.find_job(job)->groups[0];
  CHECK(group.mean_ran_s(group.klass(0)) == 1);
  CHECK(group.mean_ran_s(group.klass(2)) == 7);
}

TEST_CASE("a task of a graph is ready when all it depends on has finished") {
  World w;
  const WorkerId worker = w.add_worker(4);
  const JobId job = w.add_job(submit().task(1).task(2).task(3, {1, 2}));
  w.schedule();
  CHECK(w.state.find_worker(worker)->slots == 2);

  w.end(worker, job, 1);
  CHECK(w.state.ready().empty());
  w.end(worker, job, 2);
  CHECK(w.state.ready().count() == 1);
  CHECK(w.state.dependents(*w.state.find_job(job), {TaskId(1)}).empty());
}

TEST_CASE("higher priority goes first and leaves lower ones what it could not use") {
  World w;
  w.add_worker(4);
  const JobId low = w.add_job(submit().array(0, 8));
  const JobId high = w.add_job(submit().array(0, 2).cpus(3).priority(1));

  w.schedule();

  CHECK(w.state.find_job(high)->find(TaskId(0))->group->columns.state(0) == RowState::kSlot);
  CHECK(w.state.find_job(low)->find(TaskId(0))->group->columns.state(0) == RowState::kSlot);
  CHECK(w.state.find_job(low)->find(TaskId(1))->group->columns.state(1) == RowState::kWaiting);
}

TEST_CASE("a backlog is taken back when its worker stands still and another has room") {
  World w;
  const WorkerId first = w.add_worker(1);
  const JobId job = w.add_job(submit().array(0, 30));
  w.schedule();
  w.end(first, job, 0, true, 0.001F);
  w.schedule();
  REQUIRE(w.state.find_worker(first)->backlog > 10);
  const WorkerId second = w.add_worker(2);
  w.schedule();

  Placement early = w.schedule();
  CHECK(early.retractions.empty());
  w.now = w.now + 1s;
  Placement late = w.schedule();

  if (w.state.ready().empty() && w.state.find_worker(second)->slots < 2) {
    REQUIRE(late.retractions.size() == 1);
    CHECK(late.retractions[0].worker == first);
  }
}

TEST_CASE("the fold keeps its invariants under random events") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    World w;
    SeededRandom random(seed);
    struct Live {
      WorkerId worker;
      JobTask task;
      InstanceId instance;
    };
    for (int step = 0; step < 120; ++step) {
      w.now = w.now + 1ms;
      std::vector<Live> assigned;
      std::vector<JobId> open_jobs;
      w.state.for_each_job([&](const Job& job) {
        if (job.active() > 0) open_jobs.push_back(job.id);
        for (const auto& group : job.groups) {
          for (uint64_t p = 0; p < group->task_count(); ++p) {
            if (is_assigned(group->columns.state(p))) {
              assigned.push_back({WorkerId(group->columns.find(p)->worker(TaskColumns::row(p))),
                                  {job.id, group->id_at(p)},
                                  group->instance(p)});
            }
          }
        }
      });
      switch (random.below(9)) {
        case 0:
          w.add_worker(1 + uint32_t(random.below(4)));
          break;
        case 1:
        case 2:
          w.add_job(submit()
                        .array(uint32_t(random.below(3)), 1 + uint32_t(random.below(20)))
                        .cpus(1 + random.below(3))
                        .priority(int32_t(random.below(3))));
          break;
        case 3:
          if (!w.state.alive_workers().empty() && random.chance(0.4)) {
            auto it = w.state.alive_workers().begin();
            std::advance(it, long(random.below(w.state.alive_workers().size())));
            w.apply(WorkerLost{it->first, LossReason(random.below(5))});
          }
          break;
        case 4:
          if (!open_jobs.empty() && random.chance(0.3)) {
            w.apply(JobCanceled{open_jobs[random.below(open_jobs.size())], ""});
          }
          break;
        case 5:
          if (!assigned.empty()) {
            const Live& live = assigned[random.below(assigned.size())];
            w.apply(TasksReturned{live.worker, {{live.task, live.instance}}});
          }
          break;
        default:
          for (int k = 0; k < 3 && !assigned.empty(); ++k) {
            const size_t i = random.below(assigned.size());
            const Live live = assigned[i];
            assigned.erase(assigned.begin() + long(i));
            auto place = w.state.find_job(live.task.job)->find(live.task.task);
            if (place->group->columns.state(place->position) != RowState::kRunning && random.chance(0.5)) {
              w.apply(TasksStarted{live.worker, {{live.task, live.instance, 0, w.now}}});
            } else {
              TaskEnd end;
              end.task = live.task;
              end.instance = live.instance;
              end.finished = random.chance(0.7);
              end.at = w.now;
              end.usage.ran_s = 0.002F;
              w.apply(TasksEnded{live.worker, {end}});
            }
          }
      }
      w.schedule();
    }
  }
}

// --- workers that may come back
// ------------------------------------------------------------------------------

namespace {

RowState row(const World& w, JobId job, uint32_t task) {
  const auto place = w.state.find_job(job)->find(TaskId(task));
  return place->group->columns.state(place->position);
}
uint32_t instance(const World& w, JobId job, uint32_t task) {
  const auto place = w.state.find_job(job)->find(TaskId(task));
  return place->group->instance(place->position).value;
}
Event reclaim(WorkerId worker, WorkerId lost, JobId job, uint32_t task, bool slot) {
  return TasksReclaimed{worker, lost, {{job, {task, task, 1}, InstanceId(0), 0, slot}}};
}

}  // namespace

TEST_CASE("tasks of a silent worker wait at once and are ready when nothing of it can run any more") {
  World w;
  const WorkerId silent = w.add_worker(1);
  const JobId job = w.add_job(submit().array(0, 3));
  w.schedule();
  w.start(silent, job, 0);

  w.apply(WorkerLost{silent, LossReason::kHeartbeatLost, true});

  CHECK(w.task(job, 0) == TaskState::kWaiting);
  CHECK(row(w, job, 0) == RowState::kHeld);
  CHECK(w.state.ready().count() == 2);
  const WorkerId other = w.add_worker(8);
  w.schedule();
  CHECK(w.state.find_worker(other)->slots == 2);
  CHECK(w.apply(WorkerFenced{silent}).wake_scheduler);
  CHECK(w.state.ready().count() == 1);
  w.schedule();
  CHECK(row(w, job, 0) == RowState::kSlot);
  CHECK(instance(w, job, 0) == 1);
}

TEST_CASE("a held task can be canceled, aborted and forgotten like any that waits") {
  World w;
  const WorkerId silent = w.add_worker(4);
  const JobId job = w.add_job(submit().task(0).task(1).task(2));
  w.schedule();
  w.start(silent, job, 0);
  w.apply(WorkerLost{silent, LossReason::kHeartbeatLost, true});

  w.apply(TasksAborted{job, {TaskId(0)}});
  CHECK(w.task(job, 0) == TaskState::kAborted);
  w.apply(JobCanceled{job, ""});

  CHECK(w.count(job, TaskState::kCanceled) == 2);
  CHECK(w.count(job, TaskState::kAborted) == 1);
  w.apply(JobForgotten{job});
  w.apply(WorkerFenced{silent});
  CHECK(w.state.ready().empty());
}

TEST_CASE("a worker is found by its uid as what it was last") {
  World w;
  const WorkerId first = w.add_worker(1);
  const auto [uid, config] = std::pair(w.state.find_worker(first)->uid, w.state.find_worker(first)->config);
  CHECK(w.state.find_worker(uid)->id == first);
  CHECK(w.state.find_worker(WorkerUid(uid.value + 1000)) == nullptr);

  w.apply(WorkerLost{first, LossReason::kHeartbeatLost});
  CHECK(w.state.find_worker(uid)->id == first);
  CHECK_FALSE(w.state.find_worker(uid)->alive());

  (void)w.add_worker(1);
  const WorkerId again = w.state.next_worker_id();
  w.apply(WorkerConnected{again, uid, config});
  CHECK(w.state.find_worker(uid)->id == again);
}

TEST_CASE("what a given-up worker brings back goes on with its instance and crash counter") {
  bool held = false;
  SUBCASE("held until now") {
    held = true;
  }
  SUBCASE("ready already") {}
  World w;
  const WorkerId lost = w.add_worker(1);
  const JobId job = w.add_job(submit().array(0, 2).crash_limit(2));
  w.schedule();
  w.start(lost, job, 0);
  w.apply(WorkerLost{lost, LossReason::kHeartbeatLost, held});
  REQUIRE(w.state.find_job(job)->losses.at(TaskId(0)).crashes == 1);
  const WorkerId back = w.add_worker(1);

  w.apply(reclaim(back, lost, job, 0, true));

  CHECK(row(w, job, 0) == RowState::kSlot);
  CHECK(instance(w, job, 0) == 0);
  CHECK(w.state.find_job(job)->losses.at(TaskId(0)).crashes == 0);
  CHECK(w.state.find_worker(back)->free.at(ResourceIndex(0)).is_zero());
  if (held) w.apply(WorkerFenced{lost});
  CHECK(row(w, job, 0) == RowState::kSlot);
  w.start(back, job, 0);
  w.end(back, job, 0);
  CHECK(w.task(job, 0) == TaskState::kFinished);
}

TEST_CASE("what was handed out again meanwhile, or has ended otherwise, is not reclaimed") {
  World w;
  const WorkerId lost = w.add_worker(1);
  const JobId job = w.add_job(submit().array(0, 3));
  w.schedule();
  w.start(lost, job, 0);
  w.apply(WorkerLost{lost, LossReason::kConnectionLost});
  const JobTask first{job, TaskId(0)};
  CHECK(w.state.reclaimable_row(lost, first, InstanceId(0)));
  CHECK_FALSE(w.state.reclaimable_row(lost, first, InstanceId(1)));
  CHECK_FALSE(w.state.reclaimable_row(lost, {job, TaskId(1)}, InstanceId(0)));
  CHECK_FALSE(w.state.reclaimable_row(WorkerId(9), first, InstanceId(0)));

  const WorkerId other = w.add_worker(1);
  CHECK_FALSE(w.state.reclaimable_row(other, first, InstanceId(0)));
  w.schedule();
  REQUIRE(row(w, job, 0) == RowState::kSlot);
  CHECK_FALSE(w.state.reclaimable_row(lost, first, InstanceId(0)));
  w.apply(JobCanceled{job, ""});
  CHECK_FALSE(w.state.reclaimable_row(lost, first, InstanceId(0)));
}

TEST_CASE("the window is the longest that a worker may have been told") {
  World w;
  w.apply(ServerStarted{"uid", 600s});
  const WorkerId worker = w.add_worker(1);

  w.apply(ServerStarted{"uid", 5s});
  CHECK(w.state.window() == 600s);
  w.apply(WorkerLost{worker, LossReason::kHeartbeatLost, true});
  w.apply(ServerStarted{"uid", 5s});
  CHECK(w.state.window() == 600s);
  w.apply(WorkerFenced{worker});
  w.apply(ServerStarted{"uid", 5s});
  CHECK(w.state.window() == 5s);
}

TEST_CASE(
    "a task of one node that was handed to a node of a canceled gang tells the replay that this has ended") {
  for (const uint32_t to : {1U, 2U}) {
    World w;
    w.add_worker(4);
    w.add_worker(4);
    const JobId gang = w.add_job(test::submit().nodes(2));
    w.schedule();
    w.start(WorkerId(1), gang, 0);
    w.apply(JobCanceled{gang, ""});  // that its program has ended at last is no event
    const JobId job = w.add_job(test::submit());

    w.apply(TasksAssigned{WorkerId(to), {{job, {0, 0, 1}, InstanceId(0), 0, true, {}}}});

    CHECK_FALSE(w.state.find_worker(WorkerId(1))->gang);
    CHECK_FALSE(w.state.find_worker(WorkerId(2))->gang);
    CHECK(w.state.find_worker(WorkerId(1))->lingering.empty());
  }
}
