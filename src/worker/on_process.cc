// What becomes of the processes.
#include <utility>

#include <fmt/format.h>

#include "hq/base/log.h"
#include "hq/core/text/failure_text.h"
#include "worker/state.h"

namespace hq {

namespace {

constexpr int kFairShare = 4096;  // events in one turn

TaskUsage usage_of(const ProcessEvent& event) {
  const auto seconds = [](Duration d) { return std::chrono::duration<float>(d).count(); };
  return {seconds(event.ran), seconds(event.usage.user), seconds(event.usage.system),
          uint32_t(std::min<uint64_t>(event.usage.max_rss_bytes / 1024, UINT32_MAX))};
}

bool succeeded(const ProcessEvent& event) {
  return event.exit_code == 0 && event.signal == 0;
}

Failure exit_failure(const ProcessEvent& event) {
  const int32_t code = event.signal != 0 ? -event.signal : event.exit_code;
  if (event.error_file_present) return {FailureKind::kErrorFile, code, event.error_file};
  return {FailureKind::kExit, code, ""};
}

// A short memory: a phase of longer tasks shows within a few ends.
void learn(Definition& definition, Duration ran) {
  definition.usual_run = definition.usual_run ? (*definition.usual_run * 3 + ran) / 4 : ran;
}

}  // namespace

bool Worker::State::handle_processes(Now now) {
  for (int n = 0; n < kFairShare; ++n) {
    const auto event = ports.processes.next_event();
    if (!event) return false;
    if (event->kind == ProcessEvent::Kind::kLauncherGone) {
      on_launcher_gone(now);
      return false;
    }
    Launch* launch = launches.find(event->id);
    if (launch == nullptr) continue;  // it was given up with the launcher or the server
    const Now then{now.mono - event->ago, now.wall};
    switch (event->kind) {
      case ProcessEvent::Kind::kStarted:
        begin_output(*launch, *event);
        on_started(*launch, then);
        break;
      case ProcessEvent::Kind::kExited:
        on_exited(event->id, *event, then);
        break;
      case ProcessEvent::Kind::kFailed:
        on_failed(event->id, *event, then);
        break;
      case ProcessEvent::Kind::kDropped:
        on_dropped(event->id, now);
        break;
      case ProcessEvent::Kind::kLauncherGone:
        break;
    }
  }
  return true;
}

void Worker::State::on_started(Launch& launch, Now now) {
  launches.set_running(launch, now.mono);
  const Task& task = launch.task;
  if (phase == Phase::kServing || phase == Phase::kFinishing) {
    reports.add_started({task.attempt.job, task.attempt.task, task.attempt.instance, task.variant, 0},
                        task.eager, now.mono);
  }
  if (task.definition->task->time_limit) {
    task_limits.emplace(now.mono + *task.definition->task->time_limit, launch.id);
  }
  // It started before it could be taken back.
  const Recall recalled = std::exchange(launch.recall, Recall::kNone);
  if (recalled == Recall::kRetract && retract) {
    --retract->outstanding;
    answer_retract_if_complete();
  }
  if (recalled == Recall::kCancel) stop(launch, StopCause::kCancel);
  if (recalled == Recall::kWorkerEnds) stop(launch, StopCause::kWorkerEnds);
}

void Worker::State::on_exited(LaunchId id, const ProcessEvent& event, Now now) {
  const Launch launch = launches.remove(id);
  const Task& task = launch.task;
  // Nobody waits for the output of a task that was stopped.
  if (launch.stopped != StopCause::kNone) {
    if (launch.streamed) ports.output.cut(OutputId(id.value));
    forget(task);
  }
  using Outcome = msg::EndedTask::Outcome;
  const TaskUsage usage = usage_of(event);
  switch (launch.stopped) {
    case StopCause::kWorkerEnds:
      ended_with_us.push_back(task);  // it starts anew elsewhere
      return;
    case StopCause::kTimeLimit:
      return report_end(task, Outcome::kFailed, usage, {FailureKind::kTimeLimit, 0, ""}, now);
    case StopCause::kCancel:
      return report_end(task, succeeded(event) ? Outcome::kFinished : Outcome::kStopped, usage, {}, now);
    case StopCause::kOutput:
      return report_end(task, Outcome::kFailed, usage, {FailureKind::kLaunch, 0, launch.output_failure}, now);
    case StopCause::kNone:
      break;
  }
  if (event.memory_exceeded > 0 && !succeeded(event)) {
    const uint64_t limit = task.definition->task->memory_limit.value_or(0);
    return conclude(id, launch, Outcome::kFailed, usage,
                    {FailureKind::kMemoryLimit, 0, memory_limit_text(limit, event.memory_exceeded)}, now);
  }
  learn(*task.definition, event.ran);
  if (succeeded(event)) return conclude(id, launch, Outcome::kFinished, usage, {}, now);
  conclude(id, launch, Outcome::kFailed, usage, exit_failure(event), now);
}

void Worker::State::on_failed(LaunchId id, const ProcessEvent& event, Now now) {
  const Launch launch = launches.remove(id);
  forget(launch.task);
  if (launch.recall == Recall::kRetract && retract) {
    --retract->outstanding;
    answer_retract_if_complete();
  }
  if (launch.stopped == StopCause::kWorkerEnds || launch.recall == Recall::kWorkerEnds) return;
  report_end(launch.task, msg::EndedTask::Outcome::kFailed, {},
             launch_failure(launch.task, event.stage, event.errnum), now);
}

void Worker::State::on_dropped(LaunchId id, Now now) {
  Launch launch = launches.remove(id);
  if (launch.stopped == StopCause::kCancel && launch.task.request().variant.nodes > 0)
    report_end(launch.task, msg::EndedTask::Outcome::kStopped, {}, {}, now);
  if (launch.stopped != StopCause::kNone || launch.recall == Recall::kCancel ||
      launch.recall == Recall::kWorkerEnds || phase != Phase::kServing) {
    forget(launch.task);
    return;
  }
  if (launch.recall == Recall::kRetract && retract) {
    forget(launch.task);
    retract->given.push_back(launch.task.attempt);
    --retract->outstanding;
    answer_retract_if_complete();
    return;
  }
  backlog.add(std::move(launch.task));
}

void Worker::State::report_end(const Task& task, msg::EndedTask::Outcome outcome, const TaskUsage& usage,
                               Failure failure, Now now) {
  const Attempt& attempt = task.attempt;
  reports.add_ended({attempt.job_uid, attempt.job, attempt.task, attempt.instance, task.variant, outcome, 0,
                     usage, std::move(failure)},
                    task.eager, now.mono);
}

// Nothing can run here any more; what ran has been ended with it.
void Worker::State::on_launcher_gone(Now now) {
  if (phase == Phase::kLeaving || phase == Phase::kFinished) return;
  drop_waiting();
  while (!launches.empty()) {
    const LaunchId id = launches.all().begin()->first;
    const Launch launch = launches.remove(id);
    if (launch.streamed) ports.output.cut(OutputId(id.value));
    forget(launch.task);
  }
  const std::string cause = "The launcher of task processes has ended unexpectedly";
  ending = {1, Error(cause), msg::Goodbye{msg::Goodbye::Reason::kError, cause, {}}};
  leave(now);
}

}  // namespace hq
