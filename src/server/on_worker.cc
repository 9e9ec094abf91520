// What workers report. Facts are recorded only for what fits the state; everything else is acknowledged and
// left alone.
#include <utility>

#include "hq/base/log.h"
#include "hq/protocol/limits.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kAskAgain = 20ms;  // for a backlog of which less came back than was asked for

}  // namespace

void Server::Impl::on_worker_frame(PeerId from, BytesView frame) {
  if (stop_recorded) return;  // its tasks have been taken back
  auto decoded = decode_from_worker(frame);
  if (!decoded) {
    if (bad_frames++ == 0) log::warn("A worker sent a frame that cannot be read: " + decoded.error().message);
    return;
  }
  if (auto* hello = std::get_if<msg::Hello>(&decoded->message)) {
    on_hello(from, std::move(*hello));
    return;
  }
  if (auto* hello = std::get_if<msg::OutputHello>(&decoded->message)) {
    return on_output_hello(from, decoded->session, *hello);
  }
  if (auto* data = std::get_if<msg::OutputData>(&decoded->message)) {
    return on_output_data(from, std::move(*data));
  }
  WorkerSession* session = sessions.find(from);
  if (session == nullptr || session->worker.value == 0) {
    send_now(from, SessionId(0), msg::HelloPlease{});
    return;
  }
  if (decoded->session != session->session)
    return;  // of an earlier session: its sender has learnt of the new one
  session->last_heard = now_.mono;
  session->confirmed = true;
  if (WorkerLink* link = sessions.link(session->worker)) link->last_heard = now_.mono;
  if (auto* report = std::get_if<msg::Report>(&decoded->message)) {
    on_report(*session, *report);
  } else if (auto* returned = std::get_if<msg::Returned>(&decoded->message)) {
    on_returned(*session, *returned);
  } else if (auto* heartbeat = std::get_if<msg::Heartbeat>(&decoded->message)) {
    on_heartbeat(*session, *heartbeat);
  } else if (auto* peeked = std::get_if<msg::OutputPeeked>(&decoded->message)) {
    on_peeked(*session, std::move(*peeked));
  } else if (auto* notice = std::get_if<msg::Notice>(&decoded->message)) {
    on_notice(*session, std::move(*notice));
  } else if (auto* measured = std::get_if<msg::Measured>(&decoded->message)) {
    on_measured(*session, std::move(*measured));
  } else if (auto* goodbye = std::get_if<msg::Goodbye>(&decoded->message)) {
    on_goodbye(*session, *goodbye);
  }
}

void Server::Impl::note_ack(WorkerSession& session) {
  if (!session.ack_due) acks_due.push_back(session.peer);
  session.ack_due = true;
}

void Server::Impl::on_report(WorkerSession& session, const msg::Report& report) {
  if (report.number != session.last_report + 1) {
    note_ack(session);  // seen before: say so again
    return;
  }
  session.last_report = report.number;
  note_ack(session);
  // Starts first: what ends in this report may abort or cancel what started before it, and that shows as
  // started. Our mirror of the worker's free amounts may be below zero in between; nothing is planned there.
  on_started(session.worker, report.started);
  on_ended(session.worker, report.ended);
  // One acknowledgement per turn and worker is enough, so it is sent when the turn ends (on_timer.cc).
}

void Server::Impl::on_started(WorkerId worker, const std::vector<msg::StartedTask>& rows) {
  if (rows.empty()) return;
  TasksStarted event{worker, {}};
  event.tasks.reserve(rows.size());
  for (const msg::StartedTask& row : rows) {
    const auto known = state.assigned_row(worker, {row.job, row.task}, row.instance);
    if (!known || known->second.group->columns.state(known->second.position) == RowState::kRunning) continue;
    event.tasks.push_back({{row.job, row.task},
                           row.instance,
                           row.variant,
                           now_.wall - Duration(int64_t(double{row.ago_s} * 1e9))});
  }
  if (!event.tasks.empty()) record(std::move(event));
}

void Server::Impl::on_ended(WorkerId worker, const std::vector<msg::EndedTask>& rows) {
  if (rows.empty()) return;
  forget_refusals(worker);
  TasksEnded event{worker, {}};
  event.tasks.reserve(rows.size());
  TasksReturned broken{worker, {}};
  for (const msg::EndedTask& row : rows) {
    if (state.release_lingering(worker, {row.job, row.task}, row.instance)) {
      wake_scheduler = true;
      continue;
    }
    // An end that was told before, or of an attempt that counts no more.
    if (!state.assigned_row(worker, {row.job, row.task}, row.instance)) continue;
    if (row.outcome != msg::EndedTask::Outcome::kFinished) {
      if (const auto loss = broken_gang({row.job, row.task})) {
        broken.tasks.push_back({{row.job, row.task}, row.instance, loss});
        continue;
      }
    }
    if (!quarantined.empty()) note_probe_end(worker, row);
    // Stopped without our asking: the worker is ending, and its loss takes the task back.
    if (row.outcome == msg::EndedTask::Outcome::kStopped) continue;
    const Job* job = state.find_job(row.job);
    if (job == nullptr || job->uid != row.job_uid) continue;
    TaskEnd end;
    end.task = {row.job, row.task};
    end.instance = row.instance;
    end.finished = row.outcome == msg::EndedTask::Outcome::kFinished;
    end.variant = row.variant;
    end.at = now_.wall - Duration(int64_t(double{row.ago_s} * 1e9));
    end.usage = row.usage;
    end.failure = row.failure;
    event.tasks.push_back(std::move(end));
    // The failure that is one too many ends the others at once, also those that failed in the same report.
    if (!event.tasks.back().finished && job->max_fails) record(std::exchange(event, TasksEnded{worker, {}}));
  }
  if (!event.tasks.empty()) record(std::move(event));
  if (!broken.tasks.empty()) record(std::move(broken));
}

void Server::Impl::on_returned(WorkerSession& session, const msg::Returned& returned) {
  if (session.retraction && returned.retract == session.retraction->number) {
    uint64_t given = 0;
    for (const msg::TaskSpan& span : returned.spans) given += span.ids.count();
    // What it has not given back has started; to ask again before its report would be to ask in a circle.
    if (given < session.retraction->count) session.ask_again = now_.mono + kAskAgain;
    session.retraction.reset();
  }
  TasksReturned event{session.worker, {}};
  for (const msg::TaskSpan& span : returned.spans) {
    if (span.ids.count() > limits::kMaxBacklog * 2) continue;  // more than it can hold
    for (uint64_t id = span.ids.first; id <= span.ids.last; id += span.ids.step) {
      const JobTask task{span.job, TaskId(uint32_t(id))};
      auto row = state.assigned_row(session.worker, task, span.instance);
      if (row && row->second.group->columns.state(row->second.position) != RowState::kRunning) {
        event.tasks.push_back({task, span.instance});
        const Job::Place& place = row->second;
        if (returned.retract == 0 && place.group->columns.state(place.position) == RowState::kSlot) {
          refused.emplace(session.worker, place.group->klass(place.position));
          scheduler.note_refused(place.group->priority(place.position), place.group->klass(place.position));
        }
      }
    }
  }
  if (!event.tasks.empty()) record(std::move(event));
  wake_scheduler = true;
}

void Server::Impl::on_heartbeat(WorkerSession& session, const msg::Heartbeat& heartbeat) {
  ++heartbeats;
  send_ahead(session.peer, session.session, msg::HeartbeatAck{heartbeat.counter});
}

}  // namespace hq
