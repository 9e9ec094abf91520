// A client looks at output: from where it is kept, which is here, on a worker that is connected, or on a file
// system that we may see too.
#include <cerrno>
#include <utility>

#include "hq/core/text/placeholders.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kMostPeeks = 1024;             // under way
constexpr Duration kPeekTimeout = 10s;          // for a worker's answer
constexpr uint32_t kMostPeekBytes = 64 * 1024;  // in one answer; a heartbeat may have to wait behind it

}  // namespace

// Where the output of a task that has started is; nothing when it is kept nowhere.
std::optional<PeekTarget> Server::Impl::target_of(const Job& job, const Job::Place& place, TaskId id,
                                                  OutputChannel channel) const {
  const auto whole = place.group->submit();
  const SubmitDescription& submit = *whole;
  const TaskDescription& task = place.group->description(submit, place.position);
  const StdioSpec& spec =
      channel == OutputChannel::kStdout ? task.program.stdout_spec : task.program.stderr_spec;
  PeekTarget target;
  target.channel = channel;
  target.key = {job.id, id, place.group->instance(place.position)};
  target.server_uid = state.server_uid();
  switch (spec.kind) {
    case StdioSpec::Kind::kNull:
      return std::nullopt;
    case StdioSpec::Kind::kFile: {
      const JobPathValues values{job.id, state.server_uid(), submit.submit_dir};
      const TaskPaths paths = resolve_task_paths(task.program, values, id, target.key.instance);
      target.path =
          join_path(paths.cwd, channel == OutputChannel::kStdout ? paths.stdout_path : paths.stderr_path);
      return target;
    }
    case StdioSpec::Kind::kStream:
      break;
  }
  target.kind = submit.log_path ? PeekTarget::Kind::kLog : PeekTarget::Kind::kDirectory;
  target.path = submit.log_path ? *submit.log_path : submit.stream_path.value_or("");
  if (!submit.log_path) target.worker = WorkerId(place.chunk().worker(place.row()));
  return target;
}

void Server::Impl::on(PeerId from, RequestId id, msg::ReadOutput&& request) {
  const Job* job = state.find_job(request.job);
  if (job == nullptr) return reply(from, id, msg::Failed{"Job " + request.job.text() + " was not found"});
  const auto place = job->find(request.task);
  if (!place) {
    return reply(from, id,
                 msg::Failed{"Task " + request.task.text() + " of job " + request.job.text() + " not found"});
  }
  msg::OutputPiece piece;
  piece.state = place->group->state(place->position);
  TaskChunk* chunk = place->group->columns.find(place->position);
  const uint32_t row = TaskColumns::row(place->position);
  if (chunk == nullptr || chunk->start_ms(row) == TaskChunk::kNeverStarted ||
      piece.state == TaskState::kWaiting) {
    return reply(from, id, piece);
  }
  piece.instance = place->group->instance(place->position);
  piece.started = true;
  const auto channel = OutputChannel(request.channel);
  const auto target = target_of(*job, *place, request.task, channel);
  piece.kept = target.has_value();
  if (!target) return reply(from, id, piece);
  if (peeks.size() >= kMostPeeks) return reply(from, id, msg::Failed{"Too many requests for output"});
  const PeekId number(++last_peek);
  const PeekRange range{request.position, request.from_end, std::min(request.most, kMostPeekBytes)};
  PendingPeek& pending = peeks[number];
  pending = {from, id, piece, now_.mono + kPeekTimeout};
  const WorkerId worker(chunk->worker(row));
  WorkerSession* session = target->kind == PeekTarget::Kind::kLog ? nullptr : sessions.of(worker);
  if (session == nullptr) return ports.peek.look(number, *target, range);
  pending.worker = worker;
  msg::PeekOutput look;
  look.number = number.value;
  look.kind = uint8_t(target->kind);
  look.path = target->path;
  look.server_uid = target->server_uid;
  look.job = target->key.job;
  look.task = target->key.task;
  look.instance = target->key.instance;
  look.channel = uint8_t(target->channel);
  look.position = range.position;
  look.from_end = range.from_end;
  look.most = range.most;
  send_output(session->peer, session->session, look);
}

void Server::Impl::on_peeked(WorkerSession& session, msg::OutputPeeked&& peeked) {
  const auto pending = peeks.find(PeekId(peeked.number));
  if (pending == peeks.end() || pending->second.worker != session.worker) return;
  answer_peek(
      {PeekId(peeked.number), peeked.position, peeked.length, std::move(peeked.bytes), peeked.errnum});
}

void Server::Impl::answer_peek(Peeked&& peeked) {
  const auto pending = peeks.extract(peeked.id);
  if (pending.empty()) return;
  msg::OutputPiece piece = std::move(pending.mapped().piece);
  piece.position = peeked.position;
  piece.length = peeked.length;
  piece.bytes = std::move(peeked.bytes);
  piece.errnum = peeked.errnum;
  reply(pending.mapped().client, pending.mapped().request, piece);
}

void Server::Impl::take_peeked() {
  while (auto peeked = ports.peek.next_peeked()) answer_peek(std::move(*peeked));
}

void Server::Impl::give_up_peeks() {
  std::vector<PeekId> late;
  for (const auto& [number, pending] : peeks) {
    if (pending.until <= now_.mono) late.push_back(number);
  }
  for (PeekId number : late) answer_peek({number, 0, 0, {}, ETIMEDOUT});
}

}  // namespace hq
