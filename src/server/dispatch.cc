// From the plan to messages: what plan() decided becomes facts and runs.
#include <algorithm>
#include <iterator>

#include "hq/base/assert.h"
#include "hq/protocol/limits.h"
#include "server/impl.h"

namespace hq {

namespace {

// Of a job with more active tasks than this, no single end is what a waiting client waits for.
constexpr uint64_t kLastTasks = 64;
constexpr Duration kPause = 100ms;  // between two looks whether it goes on
// Entries of one Run message at most; a range with more is sent in pieces.
constexpr size_t kMaxEntryBytes = size_t{4} << 20;

}  // namespace

// Why nothing is handed out to anybody at present.
const char* Server::Impl::why_paused() {
  if (stopping) return "the server stops";
  if (waits_for_inventories()) return "the server waits for what workers know of their tasks";
  // Results pile up: nothing more is started.
  if (ports.journal.overfull()) return "results can't be written to the journal at present";
  return nullptr;
}

void Server::Impl::schedule() {
  if (!pass_under_way) {
    wake_scheduler = false;
    schedule_at.reset();
  }
  if (stopping) {
    pass_under_way = wake_scheduler = false;
    return;
  }
  paused = why_paused() != nullptr;
  if (paused) {
    pass_under_way = wake_scheduler = false;
    schedule_at = now_.mono + kPause;
    return;
  }
  std::set<WorkerId> retracting;
  std::set<WorkerId> asked;
  std::erase_if(asked_back, [&](PeerId peer) {
    const WorkerSession* session = sessions.find(peer);
    if (session == nullptr) return true;
    const bool waits = session->ask_again && *session->ask_again > now_.mono;
    if (session->retraction) retracting.insert(session->worker);
    if (waits) {
      asked.insert(session->worker);
      schedule_at = std::min(schedule_at.value_or(*session->ask_again), *session->ask_again);
    }
    return !session->retraction && !waits;
  });
  std::set<WorkerId> unreachable;
  if (!away.empty())
    std::set_union(closed.begin(), closed.end(), away.begin(), away.end(),
                   std::inserter(unreachable, unreachable.end()));
  const auto at_most = tasks_for_quarantined();
  const Placement placement =
      scheduler.step({state, now_.wall, away.empty() ? closed : unreachable, retracting, &refused,
                      at_most.empty() ? nullptr : &at_most, ports.journal.status().last_commit_took, &asked});
  pass_under_way = placement.more;
  for (const Placed& placed : placement.placed) hand_out(placed);
  for (const Retraction& retraction : placement.retractions) {
    WorkerSession* session = sessions.of(retraction.worker);
    if (session == nullptr) continue;
    session->retraction = {next_retraction++, retraction.count};
    asked_back.insert(session->peer);
    send_ahead(session->peer, session->session,
               msg::Retract{session->retraction->number, retraction.definition, retraction.count});
  }
  if (placement.again_in) {
    const TimePoint at = now_.mono + *placement.again_in;
    schedule_at = std::min(schedule_at.value_or(at), at);
  }
  if (const auto at = next_probe()) schedule_at = std::min(schedule_at.value_or(*at), *at);
}

void Server::Impl::forget_refusals(WorkerId worker) {
  if (refused.empty()) return;
  const auto first = refused.lower_bound({worker, ClassId(0)});
  refused.erase(first, refused.lower_bound({WorkerId(worker.value + 1), ClassId(0)}));
}

void Server::Impl::define(WorkerSession& session, const TaskGroup& group, uint64_t position) {
  const DefinitionId id = group.definition(position);
  if (!session.definitions.insert(id).second) return;
  const Job& job = *state.find_job(group.key().job);
  msg::Define define;
  define.definition = id;
  define.job = job.id;
  define.job_uid = job.uid;
  define.server_uid = state.server_uid();
  const std::shared_ptr<const SubmitDescription> submit = group.submit();
  define.submit_dir = submit->submit_dir;
  define.job_name = job.name;
  define.stream_path = submit->stream_path;
  define.log_path = submit->log_path;
  // Shares ownership of the whole submit; points at the one description.
  define.task = std::shared_ptr<const TaskDescription>(submit, &group.description(*submit, position));
  send(session.peer, session.session, define);
}

void Server::Impl::hand_out(const Placed& placed) {
  WorkerSession* session = sessions.of(placed.worker);
  if (session == nullptr) return;  // between two connections: planned again after its hello
  std::vector<AssignedRange> ranges = pick(state, placed);
  if (ranges.empty()) return;
  msg::RunTasks message;
  size_t entry_bytes = 0;
  auto flush = [&] {
    if (message.runs.empty()) return;
    send(session->peer, session->session, message);
    message.runs.clear();
    entry_bytes = 0;
  };
  for (const AssignedRange& range : ranges) {
    const Job& job = *state.find_job(range.job);
    const Job::Place first = *job.find(TaskId(range.ids.first));
    const TaskGroup& group = *first.group;
    define(*session, group, first.position);
    msg::Run run;
    run.definition = group.definition(first.position);
    run.instance = range.instance;
    run.variant = range.variant;
    run.slot = range.slot;
    for (WorkerId node : range.nodes) run.hosts.push_back(state.find_worker(node)->config->hostname);
    // A client that waits learns of the last tasks at once; before those a full report may come as it fills.
    run.eager = !job.consumers.empty() || (waiters.waits_for(range.job) && job.active() <= kLastTasks);
    const Entries* entries = group.entries();
    if (entries == nullptr) {
      run.ids = range.ids;
      message.runs.push_back(std::move(run));
      continue;
    }
    run.ids = {range.ids.first, range.ids.first, range.ids.step};
    run.entries.emplace();
    for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
      const std::string_view entry = entries->at(group.entry_index(TaskId(uint32_t(id))));
      if (entry_bytes + entry.size() > kMaxEntryBytes && run.entries->size() > 0) {
        msg::Run next = run;
        message.runs.push_back(std::move(run));
        flush();
        run = std::move(next);
        run.ids.first = uint32_t(id);
        run.entries.emplace();
      }
      run.ids.last = uint32_t(id);
      run.entries->add(entry);
      entry_bytes += entry.size();
    }
    message.runs.push_back(std::move(run));
  }
  flush();
  if (!quarantined.empty()) note_probe(placed, ranges);
  record(TasksAssigned{placed.worker, std::move(ranges)});
  if (WorkerLink* link = sessions.link(placed.worker)) link->idle_since.reset();
  for (WorkerId node : placed.nodes) {
    if (WorkerLink* link = sessions.link(node)) link->idle_since.reset();
  }
}

}  // namespace hq
