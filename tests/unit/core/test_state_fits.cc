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

  Event next() {
    switch (random_.below(30)) {
      case 0:
        return WorkerConnected{worker(), WorkerUid(1),
                               std::make_shared<WorkerConfig>(test::worker_config(4))};
      case 1:
        if (random_.chance(0.8)) return TasksAborted{job(), {task()}};
        return WorkerLost{worker(), LossReason(random_.below(5))};
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
      default: {
        TasksAssigned event{worker(), {}};
        for (uint64_t n = 1 + random_.below(2); n > 0; --n) {
          AssignedRange range{job(), {task().value, 0, 1}, instance(), variant(), random_.chance(0.5)};
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
  JobId job() { return JobId(uint32_t(random_.below(9))); }
  WorkerId worker() { return WorkerId(uint32_t(random_.below(6))); }
  TaskId task() { return TaskId(uint32_t(random_.below(24))); }
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
      const Record record{now, events.next()};
      if (state.misfit(record)) continue;
      state.apply(record);
      ++applied[record.event.index()];
      state.check_invariants();
    }
  }

  for (size_t kind = 2; kind < applied.size(); ++kind) {
    CAPTURE(kind);
    CHECK(applied[kind] > 10);
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
