// What workers say. Facts are recorded only for what fits the state; everything else is acknowledged and left
// alone.
#include <algorithm>
#include <array>
#include <utility>

#include "hq/base/log.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kMaxInventory = 10'000'000;  // tasks in all pages of one hello
constexpr size_t kMaxLastLines = 20;          // of a worker's log
constexpr size_t kMaxLastLine = 500;          // bytes
constexpr size_t kWorkersWithLastLines = 1000;
constexpr Duration kHelloGrace = 500ms;   // for a new hello after a closed connection
constexpr Duration kAskAgain = 20ms;      // for a backlog of which less came back than was asked for
constexpr Duration kHeartbeatSlack = 1s;  // a living worker's heartbeat is no later than that

std::string loss_text(LossReason reason) {
  switch (reason) {
    case LossReason::kHeartbeatLost:
      return "heartbeat lost";
    case LossReason::kIdleTimeout:
      return "idle timeout";
    case LossReason::kTimeLimitReached:
      return "time limit reached";
    default:
      return "connection lost";
  }
}

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

// --- hello
// -----------------------------------------------------------------------------------------------------

void Server::Impl::on_hello(PeerId from, msg::Hello&& page) {
  if (stopping) return;
  if (page.protocol < kMinProtocol || page.min_protocol > kProtocol) {
    send_now(from, SessionId(0),
             msg::Refused{"The worker speaks protocol " + std::to_string(page.min_protocol) + " to " +
                          std::to_string(page.protocol) + ", this server " + std::to_string(kMinProtocol) +
                          " to " + std::to_string(kProtocol)});
    return;
  }
  WorkerSession* known = sessions.find(from);
  if (page.page == 0) {
    if (known != nullptr && page.counter <= known->hello_counter) return;
    if (!page.config || page.config->resources.items.empty()) {
      send_now(from, SessionId(0), msg::Refused{"The hello has no worker configuration"});
      return;
    }
    if (page.config->heartbeat_interval < limits::kMinHeartbeat) {
      send_now(from, SessionId(0), msg::Refused{"The heartbeat interval has to be longer than 150ms"});
      return;
    }
    WorkerSession& session = sessions.open(from);
    session = WorkerSession{};
    session.peer = from;
    session.uid = page.worker_uid;
    session.hello_counter = page.counter;
    session.last_heard = now_.mono;
    session.hello = std::move(page);
  } else {
    if (known == nullptr || !known->hello || known->hello_counter != page.counter ||
        known->hello->page + 1 != page.page || known->hello->held.size() + page.held.size() > kMaxInventory) {
      return;  // a page of a hello that was not begun here
    }
    known->hello->page = page.page;
    known->hello->last_page = page.last_page;
    known->hello->last_report = page.last_report;
    std::move(page.held.begin(), page.held.end(), std::back_inserter(known->hello->held));
    std::move(page.ended.begin(), page.ended.end(), std::back_inserter(known->hello->ended));
  }
  if (sessions.find(from)->hello->last_page) complete_hello(from);
}

// The living worker that says this hello. Its number does not matter: it may not have heard the newest yet.
const WorkerState* Server::Impl::known_worker(const msg::Hello& hello) const {
  if (!hello.server_uid.empty() && hello.server_uid != state.server_uid()) return nullptr;
  for (const auto& [id, worker] : state.alive_workers()) {
    if (worker->uid == hello.worker_uid) return worker;
  }
  return nullptr;
}

// As what it was given up last, if it was.
const WorkerState* Server::Impl::given_up_worker(const msg::Hello& hello) const {
  if (hello.server_uid != state.server_uid()) return nullptr;
  const auto& all = state.workers();
  const auto found = std::find_if(all.rbegin(), all.rend(),
                                  [&](const auto& item) { return item.second->uid == hello.worker_uid; });
  return found == all.rend() ? nullptr : found->second.get();
}

void Server::Impl::complete_hello(PeerId from) {
  WorkerSession& session = *sessions.find(from);
  const msg::Hello hello = std::move(*session.hello);
  session.hello.reset();
  if (!sessions.note_hello(hello.worker_uid, hello.counter)) return sessions.close(from);
  session.session = SessionId(next_session++);
  session.last_report = hello.last_report;

  fence_earlier_boots(*hello.config);
  const WorkerState* before = known_worker(hello);
  const WorkerState* given_up = before == nullptr ? given_up_worker(hello) : nullptr;
  if (given_up != nullptr && !counts_as_crash(*given_up->lost)) {
    send_now(from, SessionId(0), msg::Refused{"The worker has been stopped"});
    if (given_up->holding) fence(given_up->id);
    return sessions.close(from);
  }
  KnownStarts known_starts;
  if (before != nullptr) {
    WorkerLink& link = *sessions.link(before->id);
    if (link.peer && *link.peer != from) {
      to_workers.drop(*link.peer);
      sessions.close(*link.peer);
    }
    session.worker = before->id;
  } else {
    session.worker = state.next_worker_id();
    record(WorkerConnected{session.worker, hello.worker_uid, std::make_shared<WorkerConfig>(*hello.config)});
    sessions.add_link(session.worker).idle_since = now_.mono;
    if (given_up != nullptr) known_starts = reclaim(session.worker, given_up->id, hello);
  }
  WorkerLink& link = *sessions.link(session.worker);
  link.peer = from;
  link.last_heard = now_.mono;
  const bool in_doubt = options.after_damage && link.doubt_until.has_value();
  link.doubt_until.reset();
  away.erase(session.worker);
  link.address = ports.workers.address_of(from);

  msg::Welcome welcome;
  welcome.protocol = std::min(kProtocol, hello.protocol);
  welcome.server_uid = state.server_uid();
  welcome.worker = session.worker;
  welcome.resumable = ports.journal.outlives_server();
  welcome.window = window_of(*hello.config, options.resume_window);
  welcome.acknowledged = hello.last_report;
  adopt(session, hello, known_starts, in_doubt, welcome);
  send(from, session.session, welcome);
  const WorkerState& worker = *state.find_worker(session.worker);
  if (worker.gang && worker.gang->root == worker.id && broken_gang(worker.gang->task))
    end_broken_gang(worker);
  if (link.stopping) {
    send(from, session.session, msg::StopWorker{msg::StopWorker::Reason::kStop});
  }
  if (before != nullptr) {
    log::info("Worker " + session.worker.text() + " is back from " + link.address);
  } else if (given_up != nullptr) {
    log::info("Worker " + given_up->id.text() + ", given up before, is back from " + link.address +
              " as worker " + session.worker.text());
  } else {
    log::info("Worker " + session.worker.text() + " registered from " + link.address);
  }
  if (before == nullptr) note_alloc_worker(session.worker, *hello.config);
  wake_scheduler = true;
}

Duration Server::Impl::window_of(const WorkerConfig& config, Duration resume_window) const {
  const Duration least = 2 * config.heartbeat_interval;
  return ports.journal.outlives_server() ? std::max(resume_window, least) : least;
}

// A host that was booted anew has no process of before.
void Server::Impl::fence_earlier_boots(const WorkerConfig& config) {
  if (config.boot_id.empty()) return;
  auto booted_before = [&](WorkerId id) {
    const WorkerConfig& other = *state.find_worker(id)->config;
    return other.hostname == config.hostname && !other.boot_id.empty() && other.boot_id != config.boot_id;
  };
  std::vector<WorkerId> gone;
  for (const auto& [id, link] : sessions.links()) {
    if (!link.peer && booted_before(id)) gone.push_back(id);
  }
  for (WorkerId id : gone) lose_worker(id, LossReason::kConnectionLost, "its host was booted", Proof::kEnded);
  std::vector<WorkerId> held;
  for (const auto& [id, until] : fences) {
    if (booted_before(id)) held.push_back(id);
  }
  for (WorkerId id : held) fence(id);
}

// What a worker that was given up brings back counts while nobody else has got it.
Server::Impl::KnownStarts Server::Impl::reclaim(WorkerId worker, WorkerId lost, const msg::Hello& hello) {
  KnownStarts starts;
  TasksReclaimed event{worker, lost, {}};
  std::set<JobTask> taken;
  auto take = [&](JobUid uid, const JobTask& task, InstanceId instance, uint8_t variant, bool runs) {
    const Job* job = state.find_job(task.job);
    const auto row = state.reclaimable_row(lost, task, instance);
    if (job == nullptr || job->uid != uid || !row) return;
    const auto& needs = state.classes().needs(row->second.group->klass(row->second.position));
    if (variant >= needs.size() || needs[variant].nodes > 0 || !taken.insert(task).second) return;
    const uint32_t start_ms = row->second.chunk().start_ms(row->second.row());
    if (start_ms != TaskChunk::kNeverStarted) {
      starts[task] = job->submitted + Duration(int64_t{start_ms} * 1'000'000);
    }
    event.ranges.push_back({task.job, {task.task.value, task.task.value, 1}, instance, variant, runs, {}});
  };
  for (const msg::EndedTask& ended : hello.ended) {
    if (ended.outcome == msg::EndedTask::Outcome::kStopped) continue;
    take(ended.job_uid, {ended.job, ended.task}, ended.instance, ended.variant, true);
  }
  for (const msg::HeldTask& held : hello.held) {
    take(held.job_uid, {held.job, held.task}, held.instance, held.variant, held.running);
  }
  if (!event.ranges.empty()) record(std::move(event));
  // The inventory is complete: nothing else runs there. A multi-node task does not go on, since its other
  // nodes may have; until its program has been ended, which may begin even now, it is nobody's.
  const bool all_taken = std::all_of(hello.held.begin(), hello.held.end(), [&](const msg::HeldTask& held) {
    return taken.contains({held.job, held.task}) || !is_held(lost, held);
  });
  if (state.find_worker(lost)->holding && all_taken) fence(lost);
  return starts;
}

// This task waits for the end of what that worker runs of it.
bool Server::Impl::is_held(WorkerId lost, const msg::HeldTask& held) const {
  const Job* job = state.find_job(held.job);
  const auto place = job == nullptr || job->uid != held.job_uid ? std::nullopt : job->find(held.task);
  return place && place->group->columns.state(place->position) == RowState::kHeld &&
         place->chunk().worker(place->row()) == lost.value;
}

void Server::Impl::fence(WorkerId worker) {
  fences.erase(worker);
  record(WorkerFenced{worker});
}

// The inventory table of docs/protocol.md, Hello.
void Server::Impl::adopt(WorkerSession& session, const msg::Hello& hello, const KnownStarts& known_starts,
                         bool in_doubt, msg::Welcome& welcome) {
  const WorkerId worker = session.worker;
  if (in_doubt) claim_unknown(worker, hello);
  on_ended(worker, hello.ended);
  std::set<JobTask> listed;
  std::vector<TaskStart> starts;
  for (const msg::HeldTask& held : hello.held) {
    const Job* job = state.find_job(held.job);
    auto row = state.assigned_row(worker, {held.job, held.task}, held.instance);
    if (job == nullptr || job->uid != held.job_uid || !row || !listed.insert({held.job, held.task}).second) {
      welcome.unwanted.push_back(held);
      continue;
    }
    session.inherited.insert(held.job);
    if (held.running && row->second.group->columns.state(row->second.position) != RowState::kRunning) {
      const auto known = known_starts.find({held.job, held.task});
      const WallTime start = known == known_starts.end() ? now_.wall : known->second;
      starts.push_back({{held.job, held.task}, held.instance, held.variant, start});
    }
  }
  if (!starts.empty()) record(TasksStarted{worker, std::move(starts)});
  release_unlisted(worker, hello);
  // It may have run, and its end be lost: then nothing may run under that instance again.
  const auto lost = in_doubt ? std::optional(LossReason::kStopped) : std::nullopt;
  std::vector<ReturnedTask> disowned;
  for (const AssignedRange& range : state.find_worker(worker)->assigned) {
    for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
      const JobTask task{range.job, TaskId(uint32_t(id))};
      if (listed.contains(task) || !state.assigned_row(worker, task, range.instance)) continue;
      listed.insert(task);
      disowned.push_back({task, range.instance, lost});
    }
  }
  if (!disowned.empty()) record(TasksReturned{worker, std::move(disowned)});
}

// What was canceled here and is not held there any more has ended: its end was said before, on a connection
// that lost it.
void Server::Impl::release_unlisted(WorkerId worker, const msg::Hello& hello) {
  std::vector<std::pair<JobTask, InstanceId>> ended;
  for (const auto& [task, lingering] : state.find_worker(worker)->lingering) {
    const bool held = std::any_of(hello.held.begin(), hello.held.end(),
                                  [&, t = task, i = lingering.instance](const auto& h) {
                                    return JobTask{h.job, h.task} == t && h.instance == i;
                                  });
    if (!held) ended.emplace_back(task, lingering.instance);
  }
  for (const auto& [task, instance] : ended) state.release_lingering(worker, task, instance);
}

// --- reports
// ---------------------------------------------------------------------------------------------------

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
  send_ahead(session.peer, session.session, msg::HeartbeatAck{heartbeat.counter});
}

// --- ends
// ------------------------------------------------------------------------------------------------------

void Server::Impl::on_goodbye(WorkerSession& session, const msg::Goodbye& goodbye) {
  const WorkerId worker = session.worker;
  LossReason reason = LossReason::kConnectionLost;
  const WorkerLink* link = sessions.link(worker);
  if (goodbye.reason == msg::Goodbye::Reason::kTimeLimit) {
    reason = LossReason::kTimeLimitReached;
  } else if (link != nullptr && link->stopping) {
    reason = link->stopping->reason;
  }
  keep_last_lines(worker, goodbye.last_lines);
  lose_worker(worker, reason, loss_text(reason), Proof::kEnded);
}

void Server::Impl::keep_last_lines(WorkerId worker, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::vector<std::string>& kept = last_lines[worker];
  kept.clear();
  const size_t first = lines.size() - std::min(lines.size(), kMaxLastLines);
  for (size_t i = first; i < lines.size(); ++i) kept.push_back(lines[i].substr(0, kMaxLastLine));
  if (last_lines.size() > kWorkersWithLastLines) last_lines.erase(last_lines.begin());
}

void Server::Impl::lose_worker(WorkerId worker, LossReason reason, const std::string& why, Proof proof) {
  WorkerLink* link = sessions.link(worker);
  if (link == nullptr || stop_recorded) return;
  log::info("Worker " + worker.text() + " (" + link->address + ") connection closed: " + why);
  const TimePoint fenced =
      link->last_heard + window_of(*state.find_worker(worker)->config, state.window()) + kFenceGrace;
  if (link->peer) {
    to_workers.drop(*link->peer);
    sessions.close(*link->peer);
  }
  sessions.drop_link(worker);
  overviews.erase(worker);
  closed.erase(worker);
  away.erase(worker);
  const bool held = proof == Proof::kNone && fenced > now_.mono;
  if (held) fences[worker] = fenced;
  forget_refusals(worker);
  quarantined.erase(worker);
  const auto gang = state.find_worker(worker)->gang;
  record(WorkerLost{worker, reason, held});
  note_alloc_worker_lost(worker, *state.find_worker(worker)->config);
  if (gang && gang->root != worker) end_broken_gang(*state.find_worker(gang->root));
}

std::optional<LossReason> Server::Impl::broken_gang(const JobTask& task) const {
  const Job* job = state.find_job(task.job);
  if (job == nullptr || !job->gangs.contains(task.task)) return std::nullopt;
  for (WorkerId node : job->gangs.at(task.task)) {
    if (const auto& lost = state.find_worker(node)->lost) return lost;
  }
  return std::nullopt;
}

// A program on several nodes does not survive one of them. It is stopped; when its worker says that it has
// ended, it waits again.
void Server::Impl::end_broken_gang(const WorkerState& root) {
  WorkerSession* session = sessions.of(root.id);
  if (session == nullptr || !root.gang) return;  // told after its next hello
  const JobTask task = root.gang->task;
  send(session->peer, session->session, msg::CancelTasks{task.job, {{task.task.value, task.task.value, 1}}});
}

// Some connection has closed; the hint does not say whose. A probe costs a microsecond.
void Server::Impl::probe_workers() {
  std::vector<PeerId> gone;
  for (const auto& [peer, session] : sessions.all()) {
    if (ports.workers.send(peer, {}) == SendStatus::kGone) gone.push_back(peer);
  }
  for (const auto& [peer, worker] : outputs.by_peer) {
    if (ports.workers.send(peer, {}) == SendStatus::kGone) gone.push_back(peer);
  }
  for (PeerId peer : gone) on_gone(peer);
}

// The hint that a connection has closed may come before a probe can tell: it is looked for again a few times.
void Server::Impl::plan_late_probe() {
  static constexpr std::array<Duration, 3> kDelays = {5ms, 50ms, 500ms};
  if (late_probes == kDelays.size()) return;
  const TimePoint at = now_.mono + kDelays[late_probes++];
  probe_again = std::min(probe_again.value_or(at), at);
}

void Server::Impl::on_gone(PeerId peer) {
  if (drop_output_peer(peer)) return;
  WorkerSession* session = sessions.find(peer);
  if (session == nullptr) return;
  if (session->worker.value == 0) {
    sessions.close(peer);
    return;
  }
  WorkerLink* link = sessions.link(session->worker);
  if (link == nullptr || link->peer != peer) {
    sessions.close(peer);
    return;
  }
  if (ports.journal.outlives_server() && !link->stopping) {
    // It may be back at once under a new connection.
    if (!session->gone_since) session->gone_since = now_.mono;
    away.insert(session->worker);
    const TimePoint end = *session->gone_since + kHelloGrace;
    if (now_.mono < end) {
      probe_again = std::min(probe_again.value_or(end), end);
      return;
    }
  }
  const WorkerState& worker = *state.find_worker(session->worker);
  const bool was_silent = session->gone_since && *session->gone_since - session->last_heard >
                                                     worker.config->heartbeat_interval + kHeartbeatSlack;
  if (ports.journal.outlives_server() && !link->stopping && !worker.idle() &&
      (was_silent || !session->confirmed)) {
    // It may live, have closed what it took for a dead connection, or not have heard of this session, and try
    // again at its own pace: silent, not gone.
    away.insert(session->worker);
    link->peer.reset();
    to_workers.drop(peer);
    sessions.close(peer);
    return;
  }
  const LossReason reason = link->stopping ? link->stopping->reason : LossReason::kConnectionLost;
  lose_worker(session->worker, reason, loss_text(reason), Proof::kEnded);
}

}  // namespace hq
