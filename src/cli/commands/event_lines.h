// The events of a journal as lines of JSON, in the words of the original (docs/journal.md). What the
// original tells and our events leave to be concluded (a task that started and ended in one report, the tasks
// of a canceled job, the end of a job) is found by folding them here once more.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "hq/core/event.h"
#include "hq/core/state.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

class EventLines {
 public:
  // Gets pieces of lines; each line ends with a line feed.
  using Write = std::function<void(std::string_view)>;
  explicit EventLines(Write write) : write_(std::move(write)) {}

  // Events in their order. One that does not fit what came before gives no line.
  void take(const Record& record);
  // What a task said; without a type, as in the original.
  void take(const msg::TaskNotice& notice);
  [[nodiscard]] uint64_t lines() const { return lines_; }
  [[nodiscard]] const State& state() const { return state_; }

 private:
  // `members` writes the members of the event's object.
  template <class Members>
  void line(WallTime time, Members members);

  void before(const TasksEnded& e, WallTime time);
  void before(const TasksStarted& e, WallTime time);
  template <class E>
  void before(const E&, WallTime) {}
  void after(const ServerStarted& e, WallTime time);
  void after(const ServerStopped& e, WallTime time);
  void after(const WorkerConnected& e, WallTime time);
  void after(const WorkerLost& e, WallTime time);
  void after(const WorkerMeasured& e, WallTime time);
  void after(const JobSubmitted& e, WallTime time);
  void after(const JobOpened& e, WallTime time);
  void after(const JobClosed& e, WallTime time);
  void after(const AllocQueueCreated& e, WallTime time);
  void after(const AllocQueueRemoved& e, WallTime time);
  void after(const AllocationQueued& e, WallTime time);
  void after(const AllocationStarted& e, WallTime time);
  void after(const AllocationEnded& e, WallTime time);
  template <class E>
  void after(const E&, WallTime) {}
  void allocation_line(const char* type, AllocQueueId queue, uint32_t number, WallTime time);
  void end_rest(const char* type, JobId job, WallTime time);
  void aborted(const TasksAborted& e, WallTime time);

  void started(const Job& job, const Job::Place& place, TaskId task, WorkerId worker, uint8_t variant,
               WallTime time);
  void ended(const Job& job, const TaskEnd& end);
  void failed(const Job& job, TaskId task, const Failure& failure, WallTime time);
  void task_list(const char* type, JobId job, const std::vector<TaskId>& tasks, WallTime time);
  void completed(const Effects& effects, WallTime time);

  Write write_;
  State state_;
  uint64_t lines_ = 0;
  std::set<JobId> completed_;
  // Aborted since something they depend on failed: told with that failure, before their own event comes.
  std::map<JobId, std::set<TaskId>> told_;
};

}  // namespace hq::cli
