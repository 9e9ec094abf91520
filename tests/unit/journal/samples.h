// Events for the tests of the journal.
#pragma once

#include <string>
#include <vector>

#include "hq/core/event.h"
#include "journal/event_codec.h"
#include "support/builders.h"

namespace hq::test {

inline constexpr WallTime kStart{1'700'000'000'123'456'789};

// One event of every kind, with nothing at its default.
inline std::vector<Event> one_of_each() {
  TaskEnd failed;
  failed.task = {JobId(3), TaskId(9)};
  failed.instance = InstanceId(70'000);
  failed.finished = false;
  failed.variant = 2;
  failed.at = kStart - 3s;
  failed.usage = {1.25F, 0.1F, 3e9F, 123'456};
  failed.failure = {FailureKind::kErrorFile, -9, std::string("a\0b\xff", 4)};
  TaskEnd finished;
  finished.task = {JobId(3), TaskId(8)};
  finished.at = kStart + 1s;
  SubmitDescription submit = SubmitBuilder().array(5, 100).cpus(3).priority(-7).value();
  submit.entries.emplace();
  for (int i = 0; i < 100; ++i) submit.entries->add("line " + std::to_string(i));
  submit.task.time_limit = 90s;
  submit.task.program.env = {{"A", "1"}, {std::string("\xff\xfe", 2), "x"}};
  WorkerConfig config = worker_config(4);
  config.idle_timeout = 5min;
  config.manager = ManagerKind::kSlurm;
  return {
      ServerStarted{"abcdef", 10min},
      ServerStopped{},
      WorkerConnected{WorkerId(1), WorkerUid(0xfedc'ba98'7654'3210),
                      std::make_shared<const WorkerConfig>(config)},
      WorkerLost{WorkerId(1), LossReason::kTimeLimitReached, true},
      WorkerFenced{WorkerId(1)},
      WorkerMeasured{WorkerId(1),
                     std::make_shared<const HardwareOverview>(HardwareOverview{
                         {12.5, 100}, {1000, 10}, {1, 2, 3, 4, 5, 6}, {}, {{{"0000:03", 1, 2}}}})},
      JobSubmitted{JobId(1), JobUid(77), true, "a name", 0,
                   std::make_shared<const SubmitDescription>(std::move(submit))},
      JobSubmitted{JobId(2), JobUid(78), false, "", std::nullopt,
                   SubmitBuilder().task(1).task(5, {1}).shared()},
      JobOpened{JobId(4), JobUid(79), "open", 4'000'000'000},
      JobClosed{JobId(4)},
      JobCanceled{JobId(4), "why not"},
      JobAborted{JobId(4)},
      TasksAborted{JobId(2), {TaskId(1), TaskId(5), TaskId(4'000'000'000)}},
      JobForgotten{JobId(4)},
      TasksAssigned{WorkerId(2),
                    {{JobId(3), {1, 9, 2}, InstanceId(1), 1, true, {WorkerId(2), WorkerId(70)}},
                     {JobId(3), {4'294'967'295, 4'294'967'295, 1}, InstanceId(0), 0, false, {}}}},
      TasksReturned{WorkerId(2), {{{JobId(3), TaskId(7)}, InstanceId(2)}}},
      TasksReclaimed{WorkerId(5), WorkerId(2), {{JobId(3), {7, 7, 1}, InstanceId(3), 0, true, {}}}},
      TasksStarted{WorkerId(2), {{{JobId(3), TaskId(9)}, InstanceId(1), 1, kStart - 5ms}}},
      TasksEnded{WorkerId(2), {failed, finished}},
      AllocQueueCreated{AllocQueueId(3), std::make_shared<const AllocParams>(full_alloc_params())},
      AllocQueueRemoved{AllocQueueId(3)},
      AllocQueuePaused{AllocQueueId(3), true},
      AllocQueueResumed{AllocQueueId(3)},
      AllocationSubmitting{AllocQueueId(3), 7, 4, "/d/001/autoalloc/3/007"},
      AllocationQueued{AllocQueueId(3), 7, "1234.host"},
      AllocationNotQueued{AllocQueueId(3), 8, "no partition", false},
      AllocationStarted{AllocQueueId(3), 7, false},
      AllocationEnded{AllocQueueId(3), 7, AllocationEndKind::kUnexpected, true, "TIMEOUT", kStart,
                      kStart + 5s},
  };
}

inline std::vector<NumberedRecord> numbered(std::vector<Event> events, uint64_t first = 1) {
  std::vector<NumberedRecord> out;
  for (Event& event : events) {
    out.push_back({first, {kStart + Duration(int64_t(first) * 1'000'001), std::move(event)}});
    ++first;
  }
  return out;
}

}  // namespace hq::test
