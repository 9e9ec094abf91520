#include <doctest/doctest.h>

#include "hq/base/random.h"
#include "hq/core/state.h"
#include "support/builders.h"

using namespace hq;
using test::submit;

namespace {

// Events about a handful of ids, most of them nonsense in any given state.
class RandomEvents {
 public:
  explicit RandomEvents(uint64_t seed) : random_(seed) {}

  Event next(const State& state) {
    switch (random_.below(33)) {
      case 0:
        return WorkerConnected{worker(), WorkerUid(random_.below(3)), config()};
      case 1:
        if (random_.chance(0.5)) return TasksAborted{job(), {task()}};
        if (random_.chance(0.02)) return ServerStopped{};
        return WorkerLost{worker(), LossReason(random_.below(5)), random_.chance(0.5)};
      case 2:
        return JobSubmitted{job(), JobUid(1), random_.chance(0.5), "j", std::nullopt, array()};
      case 3:
        return JobSubmitted{job(), JobUid(1), random_.chance(0.5), "j", std::nullopt, graph()};
      case 4:
        return JobOpened{job(), JobUid(1), "o", std::nullopt};
      case 5:
        return random_.chance(0.05) ? Event(JobCanceled{job(), "r"}) : Event(JobClosed{job()});
      case 6:
        return random_.chance(0.05) ? Event(JobAborted{job()}) : Event(JobForgotten{job()});
      case 7: {
        TasksAborted event{job(), {}};
        for (uint64_t n = random_.below(3); n > 0; --n) event.tasks.push_back(task());
        return event;
      }
      case 8:
        return TasksReturned{worker(), {{{job(), task()}, instance()}, {{job(), task()}, instance()}}};
      case 9:
        if (random_.chance(0.5)) return WorkerMeasured{worker(), std::make_shared<HardwareOverview>()};
        return WorkerFenced{worker()};
      case 10:
        return TasksStarted{worker(), {{{job(), task()}, instance(), variant(), {}}}};
      case 11: {
        TasksEnded event{worker(), {}};
        for (uint64_t n = random_.below(6); n > 0; --n) {
          TaskEnd end;
          end.task = {job(), task()};
          end.instance = instance();
          end.finished = random_.chance(0.7);
          end.variant = variant();
          if (!end.finished) end.failure.kind = FailureKind(random_.below(7));
          event.tasks.push_back(end);
        }
        return event;
      }
      case 12:
      case 13: {
        TasksReclaimed event{worker(), worker(), {}};
        AssignedRange range{job(), {task().value, 0, 1}, instance(), 0, random_.chance(0.5), {}};
        // Mostly of somebody who had it.
        state.for_each_job([&](const Job& owner) {
          for (uint32_t id = 0; id < kTasks; ++id) {
            const auto place = owner.find(TaskId(id));
            if (!place || place->group->columns.find(place->position) == nullptr) continue;
            const WorkerId lost(place->chunk().worker(place->row()));
            const uint32_t known = place->group->instance(place->position).value;
            if (known == 0 || !state.reclaimable_row(lost, {owner.id, TaskId(id)}, InstanceId(known - 1)))
              continue;
            range.job = owner.id;
            range.ids.first = id;
            range.instance = InstanceId(known - 1);
            event.lost = lost;
          }
        });
        range.ids.last = range.ids.first;
        event.ranges.push_back(range);
        return event;
      }
      case 14:
      case 15:
      case 16:
        return of_allocations();
      default: {
        TasksAssigned event{worker(), {}};
        for (uint64_t n = 1 + random_.below(2); n > 0; --n) {
          AssignedRange range{job(), {task().value, 0, 1}, instance(), variant(), random_.chance(0.5), {}};
          range.ids.last = range.ids.first;
          if (random_.chance(0.5)) {
            range.ids.step = uint32_t(1 + random_.below(3));
            range.ids.last = uint32_t(range.ids.first + range.ids.step * (1 + random_.below(4)));
          }
          event.ranges.push_back(range);
        }
        return event;
      }
    }
  }

 private:
  static constexpr uint32_t kTasks = 24;
  Event of_allocations() {
    switch (random_.below(10)) {
      case 0:
        return AllocQueueCreated{queue(), std::make_shared<AllocParams>()};
      case 1:
        if (random_.chance(0.8)) return AllocQueueResumed{queue()};
        return AllocQueueRemoved{queue()};
      case 2:
        return AllocQueuePaused{queue(), random_.chance(0.5)};
      case 3:
      case 4:
        return AllocationSubmitting{queue(), number(), 2, "/d"};
      case 5:
      case 6:
        return AllocationQueued{queue(), number(), std::to_string(random_.below(4))};
      case 7:
        return AllocationNotQueued{queue(), number(), "no", random_.chance(0.5)};
      case 8:
        return AllocationStarted{queue(), number(), random_.chance(0.5)};
      default:
        return AllocationEnded{
            queue(), number(), AllocationEndKind(random_.below(4)), random_.chance(0.5), "", {}, {}};
    }
  }
  AllocQueueId queue() { return AllocQueueId(uint32_t(random_.below(4))); }
  uint32_t number() { return uint32_t(random_.below(6)); }
  std::shared_ptr<const WorkerConfig> config() {
    WorkerConfig config = test::worker_config(4);
    config.manager = ManagerKind(random_.below(3));
    config.manager_job_id = std::to_string(random_.below(4));
    return std::make_shared<const WorkerConfig>(std::move(config));
  }
  JobId job() { return JobId(uint32_t(random_.below(9))); }
  WorkerId worker() { return WorkerId(uint32_t(random_.below(6))); }
  TaskId task() { return TaskId(uint32_t(random_.below(kTasks))); }
  InstanceId instance() { return InstanceId(uint32_t(random_.below(2))); }
  uint8_t variant() { return uint8_t(random_.below(8) == 0); }
  std::shared_ptr<const SubmitDescription> array() {
    IdArray ids;
    for (uint64_t n = 1 + random_.below(2); n > 0; --n) {
      IdRange range{task().value, 0, 1};
      range.last = range.first;
      if (random_.chance(0.6)) {
        range.step = uint32_t(1 + random_.below(3));
        range.last = uint32_t(range.first + range.step * (1 + random_.below(5)));
      }
      ids.parts.push_back({range, range.last});
    }
    return submit().ids(ids).shared();
  }
  std::shared_ptr<const SubmitDescription> graph() {
    test::SubmitBuilder builder = submit();
    for (uint64_t n = 1 + random_.below(4); n > 0; --n) {
      std::vector<uint32_t> deps;
      for (uint64_t d = random_.below(3); d > 0; --d) deps.push_back(task().value);
      builder.priority(int32_t(random_.below(2))).task(task().value, deps);
    }
    return builder.shared();
  }
  SeededRandom random_;
};

}  // namespace

TEST_CASE("whatever is said to fit can be applied") {
  std::vector<uint64_t> applied(std::variant_size_v<Event>);
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    RandomEvents events(seed);
    State state;
    WallTime now{1'000'000'000};
    for (int i = 0; i < 2'000; ++i) {
      now = now + 1ms;
      const Record record{now, events.next(state)};
      if (state.misfit(record)) continue;
      state.apply(record);
      ++applied[record.event.index()];
      state.check_invariants();
    }
  }

  for (size_t kind = 2; kind < applied.size(); ++kind) {
    CAPTURE(kind);
    CHECK(applied[kind] > 3);
  }
}

TEST_CASE("ids of jobs that are known by nothing but their forgetting stay used") {
  State state;
  CHECK_FALSE(state.misfit({{}, JobForgotten{JobId(7)}}));
  state.apply({{}, JobForgotten{JobId(7)}});

  CHECK(state.next_job_id() == JobId(8));
  CHECK(state.job_ids().empty());
  CHECK(state.misfit({{}, JobOpened{JobId(7), JobUid(1), "o", std::nullopt}}).has_value());
}
