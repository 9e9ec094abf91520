// The turn: read → handle → time → schedule → commit → send, and nothing else.
#include "hq/server/server.h"

#include <algorithm>

#include "hq/base/log.h"
#include "hq/core/explain.h"
#include "server/impl.h"

namespace hq {

namespace {

// A fair share of one turn; what is left over is read in the next.
constexpr int kWorkerFrames = 2000;
constexpr int kClientFrames = 200;
constexpr size_t kPagesAhead = 2;        // pages made ahead of a client
constexpr size_t kLateUploadProbes = 2;  // a connection may outlast the hint that it has closed
constexpr Duration kMostDrift = 1s;      // of the wall clock between two turns
constexpr Duration kStalled = 1s;        // of a commit: questions are answered without it
constexpr Duration kLastSends = 1s;      // when stopping, for peers whose sockets are full
constexpr Duration kLastCancels = 15s;   // of allocations, when stopping
constexpr Duration kLastCommit =
    20s;  // when leaving, for a slow disk: whoever sent the signal has little patience

}  // namespace

Server::Server(ServerOptions options, ServerPorts ports, Now start, State restored)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(ports), start, std::move(restored))) {}
Server::~Server() = default;
std::optional<TimePoint> Server::turn(Now now) {
  return impl_->turn(now);
}
bool Server::finished() const {
  return impl_->stop_sent;
}
bool Server::left() const {
  return impl_->leaving;
}
bool Server::heard_only_heartbeats() const {
  return impl_->heard > 0 && impl_->heard == impl_->heartbeats;
}
const State& Server::state() const {
  return impl_->state;
}

bool Server::has_heard(WorkerUid worker) const {
  return impl_->sessions.has_heard(worker);
}

bool Server::settled() const {
  const bool due = impl_->schedule_at && *impl_->schedule_at <= impl_->now_.mono;
  return !impl_->wake_scheduler && !impl_->pass_under_way && !due && !impl_->pause_is_over();
}

std::vector<WorkerConditions> Server::explain(ClassId klass, int32_t priority) const {
  std::vector<WorkerConditions> workers = conditions(impl_->state, klass, impl_->now_.wall);
  impl_->note_why_not_now(klass, priority, workers);
  return workers;
}

void Server::stop(const std::string& log_text) {
  if (impl_->stopping) return;
  log::info(log_text);
  log::info("Stopping server");
  impl_->stopping = true;
}

void Server::leave(const std::string& log_text) {
  if (impl_->stopping) return;
  log::info(log_text);
  impl_->stopping = impl_->leaving = true;
}
bool Server::resumable() const {
  return impl_->ports.journal.outlives_server();
}

Server::Impl::Impl(ServerOptions o, ServerPorts p, Now start, State restored)
    : options(std::move(o)),
      ports(std::move(p)),
      state(std::move(restored)),
      to_workers(ports.workers),
      to_clients(ports.clients),
      now_(start) {
  last_turn = start.mono;
  const bool returns = ports.journal.outlives_server();
  if (!state.server_uid().empty()) options.info.server_uid = state.server_uid();
  record(ServerStarted{options.info.server_uid, returns ? options.resume_window : Duration(0)});
  // What workers of an earlier life run, we learn from their hellos; until then, or the end of their window,
  // it is in doubt.
  for (const auto& [id, worker] : state.workers()) {
    const TimePoint end = start.mono + window_of(*worker->config, state.window()) + kFenceGrace;
    if (worker->alive()) {
      WorkerLink& link = add_link(id, *worker->config);
      link.last_heard = start.mono;
      link.doubt_until = end;
      away.insert(id);
    } else if (worker->holding) {
      fences[id] = end;
    }
  }
  started_at = start.mono;
  allocs.next_refresh = start.mono + options.alloc.refresh;
  recall_submissions();
  if (options.after_damage) conclude_failures();
  wake_scheduler = true;
}

WorkerLink& Server::Impl::add_link(WorkerId worker, const WorkerConfig& config) {
  WorkerLink& link = sessions.add_link(worker);
  link.most_silent = 2 * config.heartbeat_interval + kFenceGrace;
  link.most_idle = config.idle_timeout ? config.idle_timeout : options.idle_timeout;
  return link;
}

// Somebody may set the wall clock; what we record has to tell durations all the same (remaining lifetimes,
// backlogs that stand still). So our time line follows the clock's drift, never its steps.
Now Server::Impl::without_steps(Now now) const {
  const WallTime expected = now_.wall + (now.mono - now_.mono);
  const Duration off = now.wall - expected;
  return off > kMostDrift || off < -kMostDrift ? Now{now.mono, expected} : now;
}

std::optional<TimePoint> Server::Impl::turn(Now now) {
  now_ = without_steps(now);
  heard = heartbeats = 0;
  read_workers();
  read_clients();
  confirm_output();
  take_peeked();
  take_batch_answers();
  pass_on_notices();
  on_timer();
  if (pause_is_over()) wake_scheduler = true;
  if (wake_scheduler || pass_under_way || (schedule_at && *schedule_at <= now_.mono)) schedule();
  run_allocations();
  if (stopping && !stop_recorded) {
    stopping_since = now_.mono;
    begin_stopping();
  }
  pump_pages();
  follow_overviews();
  commit_and_send();
  last_turn = now_.mono;
  if (stop_recorded && !stop_sent) end_stopping();
  return next_deadline();
}

void Server::Impl::begin_stopping() {
  if (leaving) {  // all stays as it is
    stop_recorded = true;
    return;
  }
  for (auto& [peer, session] : sessions.all()) {
    if (session.worker.value != 0)
      send(peer, session.session, msg::StopWorker{msg::StopWorker::Reason::kServerStops});
  }
  // Who does not hear of it goes on until its window is over.
  for (WorkerId id : std::set<WorkerId>(away)) {
    lose_worker(id, LossReason::kStopped, "the server stops", Proof::kNone);
  }
  cancel_all_allocations();
  record(ServerStopped{});
  stop_recorded = true;
  for (const Waiter& waiter : waiters.all()) {
    reply(waiter.client, waiter.request, msg::Failed{"The server was stopped while jobs were waited for"});
  }
}

void Server::Impl::end_stopping() {
  if (ports.journal.committed() >= last_commit && !stop_until) {
    stop_until = now_.mono + kLastSends;
    if (!leaving) end_events();
  }
  if (leaving && !stop_until && now_.mono - stopping_since > kLastCommit) {
    log::error("The journal could not be written to its end: " + ports.journal.status().trouble);
    stop_sent = true;
    return;
  }
  if (!allocations_settled() && now_.mono - stopping_since < kLastCancels) return;
  const bool all_sent = to_workers.empty() && to_clients.empty() && (leaving || pages.empty());
  stop_sent = all_sent || (stop_until && now_.mono >= *stop_until);
}

void Server::Impl::read_workers() {
  workers_drained = false;
  for (int i = 0; i < kWorkerFrames; ++i) {
    auto received = ports.workers.receive();
    if (!received) {
      workers_drained = true;
      break;
    }
    ++heard;
    on_worker_frame(received->from, received->frame);
  }
  for (const std::string& text : ports.workers.take_refusals()) log::warn(text);
  if (ports.workers.take_disconnects() > 0) {
    probes_planned = 0;
    plan_probe();
  }
}

void Server::Impl::read_clients() {
  for (int i = 0; i < kClientFrames; ++i) {
    auto received = ports.clients.receive();
    if (!received) break;
    ++heard;
    on_client_frame(received->from, std::move(received->frame));
  }
  for (const std::string& text : ports.clients.take_refusals()) log::warn(text);
  if (ports.clients.take_disconnects() == 0) return;
  probe_clients();
  late_upload_probes = uploads.empty() ? 0 : kLateUploadProbes;
}

// A client that waits says nothing and is told nothing: only a probe shows that it has gone.
void Server::Impl::probe_clients() {
  std::set<PeerId> clients;
  for (const Waiter& waiter : waiters.all()) clients.insert(waiter.client);
  for (const PageStream& stream : pages.all()) clients.insert(stream.client);
  for (const auto& [client, upload] : uploads) clients.insert(client);
  for (PeerId client : clients) {
    if (ports.clients.send(client, {}) != SendStatus::kGone) continue;
    drop_client(client);
    to_clients.drop(client);
  }
}

// Who disconnects gives up his open requests.
void Server::Impl::drop_client(PeerId client) {
  waiters.drop_client(client);
  pages.drop_client(client);
  uploads.erase(client);
}

bool Server::Impl::has_room_for_page(PeerId client) const {
  return to_clients.waiting(client) < kPagesAhead;
}

void Server::Impl::pump_pages() {
  auto& streams = pages.all();
  for (auto it = streams.begin(); it != streams.end();) {
    bool ended = false;
    bool idle = false;
    while (!ended && !idle && has_room_for_page(it->client)) {
      if (auto page = it->next()) {
        answer(it->client, it->request, *page);
      } else {
        ended = !it->lasting;
        idle = it->lasting;
      }
    }
    it = ended ? streams.erase(it) : std::next(it);
  }
}

void Server::Impl::commit_turn() {
  if (turn_records.empty()) return;
  last_commit = ports.journal.append(std::move(turn_records));
  turn_records.clear();
}

void Server::Impl::commit_and_send() {
  answer_prunes();
  commit_turn();
  to_workers.close_turn(last_commit);
  to_clients.close_turn(last_commit);
  if (!to_clients.empty() && journal_stalls()) to_clients.release_answers();
  const CommitNumber committed = ports.journal.committed();
  release_batch_requests(committed);
  if (committed < last_commit) {
    ports.journal.hasten(!to_clients.empty()   ? Haste::kIdlePeer
                         : !to_workers.empty() ? Haste::kBusyPeer
                                               : Haste::kNobody);
  }
  for (const std::string& note : ports.journal.take_notes()) log::warn(note);
  for (PeerId peer : to_workers.flush(committed)) on_gone(peer);
  for (PeerId client : to_clients.flush(committed)) drop_client(client);
}

std::optional<TimePoint> Server::Impl::next_deadline() {
  TimePoint next = next_check;
  auto earlier = [&](TimePoint t) { next = std::min(next, t); };
  if (wake_scheduler || pass_under_way || !workers_drained || (stopping && !stop_recorded)) return now_.mono;
  if (pause_is_over()) return now_.mono;
  if (pages.unfinished_for([this](PeerId client) { return has_room_for_page(client); })) return now_.mono;
  if (stop_until) earlier(allocations_settled() ? *stop_until : stopping_since + kLastCancels);
  if (const auto at = next_alloc_deadline()) earlier(*at);
  if (schedule_at) earlier(*schedule_at);
  if (probe_again) earlier(*probe_again);
  if (failure_watch.has_questions()) earlier(next_judgement);
  if (to_workers.stuck() || to_clients.stuck() || pages.unfinished()) earlier(now_.mono + 1ms);
  if (!notices_held.empty()) earlier(now_.mono + 20ms);
  for (const Waiter& waiter : waiters.all()) {
    if (waiter.progress && waiter.changed) earlier(waiter.last_progress + kProgressInterval);
  }
  return next;
}

Effects Server::Impl::record(Event event) {
  turn_records.push_back({now_.wall, std::move(event)});
  const size_t mine = turn_records.size() - 1;
  Effects effects = state.apply(turn_records[mine]);
  after_event(effects);
  return effects;
}

void Server::Impl::send(PeerId peer, SessionId session, const msg::ToWorker& message) {
  to_workers.send(peer, encode(session, message));
}

void Server::Impl::send_now(PeerId peer, SessionId session, const msg::ToWorker& message) {
  to_workers.send_now(peer, encode(session, message));
}

void Server::Impl::send_ahead(PeerId peer, SessionId session, const msg::ToWorker& message) {
  to_workers.send_ahead(peer, encode(session, message));
}

void Server::Impl::reply(PeerId client, RequestId id, const msg::ClientReply& message) {
  to_clients.send(client, encode(id, message));
}

void Server::Impl::answer(PeerId client, RequestId id, const msg::ClientReply& message) {
  to_clients.send_answer(client, encode(id, message));
}

bool Server::Impl::journal_stalls() const {
  return ports.journal.committed() < last_commit && ports.journal.status().waiting >= kStalled;
}

// --- what always follows from a fact, whoever recorded it
// ------------------------------------------------------

void Server::Impl::after_event(const Effects& effects) {
  allocs.changed = true;
  if (effects.wake_scheduler) wake_scheduler = true;
  if (options.suspects != SuspectPolicy::kOff) watch_failures(effects);
  for (JobId job : effects.changed_jobs) waiters.note_change(job);
  if (!effects.failed.empty()) after_failures(effects.failed);
}

void Server::Impl::after_failures(const std::vector<JobTask>& failed) {
  std::map<JobId, std::vector<TaskId>> by_job;
  for (const JobTask& task : failed) by_job[task.job].push_back(task.task);
  for (const auto& [id, tasks] : by_job) {
    end_dependents(id, tasks);
    judge_max_fails(id);
  }
}

void Server::Impl::end_dependents(JobId id, const std::vector<TaskId>& ended) {
  const Job* job = state.find_job(id);
  if (job->consumers.empty()) return;
  std::vector<TaskId> fallen = state.dependents(*job, ended);
  if (fallen.empty()) return;
  cancel_on_workers(*job, fallen);
  record(TasksAborted{id, std::move(fallen)});
}

void Server::Impl::judge_max_fails(JobId id) {
  const Job* job = state.find_job(id);
  if (!job->max_fails || job->count(TaskState::kFailed) <= *job->max_fails || job->active() == 0) return;
  cancel_on_workers(*job, {});
  record(JobAborted{id});
}

// Tells the workers that may hold tasks of this job to stop and drop them; all of the job when `tasks` is
// empty.
void Server::Impl::cancel_on_workers(const Job& job, const std::vector<TaskId>& tasks) {
  msg::CancelTasks cancel{job.id, {}};
  for (TaskId task : tasks) cancel.ids.push_back({task.value, task.value, 1});
  for (auto& [peer, session] : sessions.all()) {
    if (session.worker.value == 0) continue;
    const bool knows =
        session.inherited.contains(job.id) ||
        std::any_of(job.groups.begin(), job.groups.end(), [&session = session](const auto& group) {
          auto first = session.definitions.lower_bound(group->first_definition());
          return first != session.definitions.end() &&
                 first->value < group->first_definition().value + group->definition_count();
        });
    if (knows) send(peer, session.session, cancel);
  }
}

}  // namespace hq
