// The output of streamed tasks: a task has ended when its process has and what it wrote is safe.
#include <utility>

#include "worker/state.h"

namespace hq {

namespace {

constexpr int kEventsAtOnce = 4096;  // events in one turn

bool streams(const Task& task) {
  const ProgramDescription& program = task.definition->task->program;
  return program.stdout_spec.kind == StdioSpec::Kind::kStream ||
         program.stderr_spec.kind == StdioSpec::Kind::kStream;
}

}  // namespace

void Worker::State::begin_output(Launch& launch, const ProcessEvent& event) {
  const Task& task = launch.task;
  if (!streams(task)) return;
  launch.streamed = true;
  TaskPipes none;
  TaskPipes& pipes = event.pipes ? *event.pipes : none;
  const Definition& definition = *task.definition;
  OutputPlace place{definition.stream_dir, definition.server_uid, number, "", JobId(0), JobUid(0)};
  if (definition.stream_dir.empty()) {
    place.log_path = definition.log_path;
    place.job = definition.job;
    place.job_uid = definition.job_uid;
  }
  const StreamKey key{task.attempt.job, task.attempt.task, task.attempt.instance};
  ports.output.start(OutputId(launch.id.value), place, key, std::move(pipes.out), std::move(pipes.err));
}

bool Worker::State::handle_output(Now now) {
  for (int n = 0; n < kEventsAtOnce; ++n) {
    auto event = ports.output.next_event();
    if (!event) return false;
    const LaunchId id(event->id.value);
    if (auto kept = keeping.extract(id); !kept.empty()) {
      Keeping& ended = kept.mapped();
      forget(ended.task);
      if (event->failure) {
        ended.outcome = msg::EndedTask::Outcome::kFailed;
        ended.failure = {FailureKind::kLaunch, 0, *std::move(event->failure)};
      }
      report_kept(ended, now);
    } else if (Launch* launch = launches.find(id); launch != nullptr && event->failure) {
      // It runs and its output goes nowhere.
      launch->streamed = false;
      launch->output_failure = *std::move(event->failure);
      stop(*launch, StopCause::kOutput);
    }
  }
  return true;
}

// The process has ended by itself: tell it now, or when its output is safe.
void Worker::State::conclude(LaunchId id, const Launch& launch, msg::EndedTask::Outcome outcome,
                             const TaskUsage& usage, Failure failure, Now now) {
  Keeping ended{launch.task, outcome, usage, std::move(failure)};
  if (launch.streamed) {
    ports.output.end(OutputId(id.value));
    keeping.emplace(id, std::move(ended));
    return;
  }
  forget(launch.task);
  report_kept(ended, now);
}

void Worker::State::report_kept(const Keeping& kept, Now now) {
  const ProgramDescription& program = kept.task.definition->task->program;
  const bool may_remove = kept.outcome == msg::EndedTask::Outcome::kFinished;
  if (may_remove && (program.stdout_spec.remove_if_finished || program.stderr_spec.remove_if_finished)) {
    const TaskPaths paths = paths_of(kept.task);
    if (program.stdout_spec.remove_if_finished && !paths.stdout_path.empty()) {
      ports.processes.remove_file(join_path(paths.cwd, paths.stdout_path));
    }
    if (program.stderr_spec.remove_if_finished && !paths.stderr_path.empty()) {
      ports.processes.remove_file(join_path(paths.cwd, paths.stderr_path));
    }
  }
  report_end(kept.task, kept.outcome, kept.usage, kept.failure, now);
}

// Their processes have ended, so there is nothing to stop; but nobody waits for their output any more.
void Worker::State::tell_without_output(const std::function<bool(const Attempt&)>& wanted) {
  std::erase_if(keeping, [&](auto& item) {
    if (!wanted(item.second.task.attempt)) return false;
    ports.output.cut(OutputId(item.first.value));
    forget(item.second.task);
    told.push_back(std::move(item.second));
    return true;
  });
}

void Worker::State::report_told(Now now) {
  for (const Keeping& kept : std::exchange(told, {})) report_kept(kept, now);
}

void Worker::State::on(const msg::PeekOutput& message, Now) {
  PeekTarget target;
  target.kind = message.kind == 0 ? PeekTarget::Kind::kFile : PeekTarget::Kind::kDirectory;
  target.path = message.path;
  target.server_uid = message.server_uid;
  target.worker = number;
  target.key = {message.job, message.task, message.instance};
  target.channel = OutputChannel(message.channel);
  ports.peek.look(PeekId(message.number), target, {message.position, message.from_end, message.most});
}

void Worker::State::answer_peeks() {
  while (auto peeked = ports.peek.next_peeked()) {
    // Over a new connection nobody waits for it.
    if (!session.welcomed()) continue;
    session.send(msg::OutputPeeked{peeked->id.value, peeked->position, peeked->length,
                                   std::move(peeked->bytes), peeked->errnum});
  }
}

}  // namespace hq
