// A worker comes, or comes back: who it is, and what of its inventory still counts.
#include <algorithm>
#include <iterator>
#include <utility>

#include "hq/base/log.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kMaxInventory = 10'000'000;  // tasks in all pages of one hello

}  // namespace

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
  const WorkerState* worker = state.find_worker(hello.worker_uid);
  return worker != nullptr && worker->alive() ? worker : nullptr;
}

// As what it was given up last, if it was.
const WorkerState* Server::Impl::given_up_worker(const msg::Hello& hello) const {
  if (hello.server_uid != state.server_uid()) return nullptr;
  const WorkerState* worker = state.find_worker(hello.worker_uid);
  return worker == nullptr || worker->alive() ? nullptr : worker;
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
    add_link(session.worker, *hello.config).idle_since = now_.mono;
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
  for (WorkerId id : away) {
    if (!sessions.link(id)->peer && booted_before(id)) gone.push_back(id);
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
  std::set<JobTask> stopped;
  for (const msg::EndedTask& ended : hello.ended) {
    if (ended.outcome == msg::EndedTask::Outcome::kStopped) stopped.insert({ended.job, ended.task});
  }
  // What has run, or may have run while its end is lost, must not run under that instance again.
  const auto lost_as = [&](const JobTask& task) -> std::optional<LossReason> {
    if (in_doubt) return LossReason::kStopped;
    if (stopped.contains(task)) return LossReason::kTimeLimitReached;  // or whatever else ends the worker
    return std::nullopt;
  };
  std::vector<ReturnedTask> disowned;
  for (const AssignedRange& range : state.find_worker(worker)->assigned) {
    for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
      const JobTask task{range.job, TaskId(uint32_t(id))};
      if (listed.contains(task) || !state.assigned_row(worker, task, range.instance)) continue;
      listed.insert(task);
      disowned.push_back({task, range.instance, lost_as(task)});
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

}  // namespace hq
