// What clients ask for: each request is checked against the state, recorded, answered. Answers leave once
// what they rest on is safe.
#include <algorithm>
#include <unordered_set>

#include "hq/base/json_writer.h"
#include "hq/base/log.h"
#include "hq/core/text/id_array_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/protocol/limits.h"
#include "server/impl.h"

namespace hq {

void Server::Impl::on_client_frame(PeerId from, Bytes frame) {
  if (frame.empty() || stop_recorded) return;
  const size_t size = frame.size();
  auto decoded = take_request(frame);
  if (!decoded) {
    reply(from, request_id_of(frame), msg::Failed{decoded.error().message});
    return;
  }
  const RequestId id = decoded->id;
  request_bytes = size;
  std::visit([&](auto&& request) { on(from, id, std::move(request)); }, std::move(decoded->message));
}

std::vector<JobId> selected_jobs(const State& state, const msg::Selection& selection) {
  std::vector<JobId> out;
  switch (selection.kind) {
    case msg::Selection::Kind::kLast:
      if (state.last_job_id().value != 0) out.push_back(state.last_job_id());
      break;
    case msg::Selection::Kind::kAll:
      return state.job_ids();
    case msg::Selection::Kind::kIds:
      for (const IdArray::Part& part : selection.ids.parts) {
        // Ids that were never given out are named one by one only up to a bound, so that "1-4000000000" is
        // harmless.
        for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step) {
          if (id > uint64_t{state.last_job_id().value} + limits::kTasksPerPage) break;
          out.push_back(JobId(uint32_t(id)));
        }
      }
  }
  return out;
}

std::vector<WorkerId> selected_workers(const State& state, const msg::Selection& selection) {
  std::vector<WorkerId> out;
  switch (selection.kind) {
    case msg::Selection::Kind::kLast:
      if (state.last_worker_id().value != 0) out.push_back(state.last_worker_id());
      break;
    case msg::Selection::Kind::kAll:
      for (const auto& [id, worker] : state.workers()) out.push_back(id);
      break;
    case msg::Selection::Kind::kIds:
      for (const IdArray::Part& part : selection.ids.parts) {
        for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step) {
          if (id > uint64_t{state.last_worker_id().value} + limits::kTasksPerPage) break;
          out.push_back(WorkerId(uint32_t(id)));
        }
      }
      std::sort(out.begin(), out.end());
  }
  return out;
}

// --- the server itself
// -----------------------------------------------------------------------------------------

namespace {

constexpr Duration kWorthTelling = 1s;  // of waiting for the disk

}  // namespace

std::optional<std::string> Server::Impl::refuse_for_room() {
  if (auto room = ports.journal.make_room(request_bytes); !room) {
    return "Nothing new is accepted now: " + room.error().message;
  }
  return std::nullopt;
}

void Server::Impl::on(PeerId from, RequestId id, msg::GetServerInfo&&) {
  msg::ServerInfo info = options.info;
  if (ports.journal.outlives_server()) info.resume_window = options.resume_window;
  const JournalStatus journal = ports.journal.status();
  if (journal.waiting >= kWorthTelling) info.journal_stalled = journal.waiting;
  info.journal_trouble = journal.trouble;
  to_clients.send_free(from, encode(id, msg::ClientReply(info)));
}

void Server::Impl::on(PeerId from, RequestId id, msg::StopServer&& request) {
  if (request.keep_workers && !ports.journal.outlives_server()) {
    reply(from, id,
          msg::Failed{"The server has no journal to come back with: its workers can't be kept (see "
                      "`hq server start --journal`)"});
    return;
  }
  reply(from, id, msg::Done{});
  if (stopping) return;
  leaving = request.keep_workers;
  log::info("Received Stop command from client");
  log::info("Stopping server");
  stopping = true;
}

void Server::Impl::on(PeerId from, RequestId id, msg::DebugDump&& request) {
  std::string text;
  JsonWriter json(JsonWriter::Layout::kCompact, [&](std::string_view part) { text += part; });
  json.begin_object();
  json.key("tako");
  json.begin_object();
  json.key("ready");
  json.begin_array();
  for (const auto& [priority, classes] : state.ready().priorities()) {
    for (const auto& [klass, ready] : classes) {
      json.begin_object();
      json.member("class", klass.value);
      json.member("count", ready.count);
      json.member("priority", priority);
      json.end_object();
    }
  }
  json.end_array();
  json.key("tasks");
  json.begin_array();
  state.for_each_job([&](const Job& job) {
    json.begin_object();
    json.key("counts");
    json.begin_object();
    // Alphabetical, as everywhere in our JSON.
    for (TaskState s : {TaskState::kAborted, TaskState::kCanceled, TaskState::kFailed, TaskState::kFinished,
                        TaskState::kRunning, TaskState::kWaiting}) {
      json.member(task_state_text(s), job.count(s));
    }
    json.end_object();
    json.member("job", job.id.value);
    json.end_object();
  });
  json.end_array();
  json.key("workers");
  json.begin_array();
  for (const auto& [worker_id, worker] : state.alive_workers()) {
    json.begin_object();
    json.member("backlog", worker->backlog);
    json.key("free");
    json.begin_object();
    for (const ResourceItem& item : worker->config->resources.items) {
      json.member(item.name, worker->free.at(*state.classes().find_resource(item.name)).scaled);
    }
    json.end_object();
    json.member("id", worker_id.value);
    json.member("lingering", uint64_t{worker->lingering.size()});
    json.member("placed", worker->slots);
    json.member("running", worker->running);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.end_object();
  json.finish();
  auto written = ports.write_file(request.path, text);
  if (written) {
    reply(from, id, msg::Done{});
  } else {
    reply(from, id, msg::Failed{"Error: Could not write debug dump: " + written.error().message});
  }
}

// --- submitting
// ------------------------------------------------------------------------------------------------

namespace {

std::optional<std::string> refuse_request(const ResourceRequest& request) {
  if (request.variants.empty()) return "A task needs at least one resource variant";
  if (request.variants.size() > limits::kMaxVariants) return "At most 32 resource variants are allowed";
  const bool multi = request.variants[0].nodes > 0;
  for (const ResourceVariant& variant : request.variants) {
    if ((variant.nodes > 0) != multi) return "Single-node and multi-node resource variants cannot be mixed";
    std::set<std::string_view> names;
    for (const ResourceEntry& entry : variant.entries) {
      if (entry.policy != Policy::kAll && entry.amount.is_zero()) return "Zero resources cannot be requested";
      if (entry.name.empty()) return "A resource needs a name";
      if (!names.insert(entry.name).second) return "Resource '" + entry.name + "' defined more than once";
    }
  }
  return std::nullopt;
}

std::optional<std::string> refuse_task(const TaskDescription& task) {
  if (task.crash_limit.value != CrashLimit::kUnlimited && task.crash_limit.value > 0xffff) {
    return "The crash limit has to be at most 65535";
  }
  return refuse_request(task.request);
}

std::optional<std::string> refuse_graph(const Job* job, const std::vector<GraphTask>& graph) {
  std::unordered_set<TaskId> seen;
  for (const GraphTask& task : graph) {
    if (seen.contains(task.id)) return "Task " + task.id.text() + " is defined more than once.";
    for (TaskId dep : task.deps) {
      if (!seen.contains(dep) && (job == nullptr || !job->find(dep)))
        return "Invalid dependency on " + dep.text();
    }
    seen.insert(task.id);
    if (auto refusal = refuse_task(task.task)) return refusal;
  }
  return std::nullopt;
}

// The first id, ascending, of which the job has a task already.
std::optional<uint32_t> collision(const Job& job, const SubmitDescription& submit) {
  if (submit.is_graph()) {
    for (const GraphTask& task : submit.graph) {
      if (job.find(task.id)) return task.id.value;
    }
    return std::nullopt;
  }
  const auto highest = job.highest_id();
  if (!highest) return std::nullopt;
  for (const IdArray::Part& part : submit.ids.parts) {
    const uint64_t end = std::min(part.range.last, *highest);
    for (uint64_t id = part.range.first; id <= end; id += part.range.step) {
      if (job.find(TaskId(uint32_t(id)))) return uint32_t(id);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refuse_submit(const State& state, const msg::Submit& request) {
  const SubmitDescription& submit = request.submit;
  const Job* job = nullptr;
  if (request.job) {
    job = state.find_job(*request.job);
    if (job == nullptr) return "Job " + request.job->text() + " not found.";
  }
  if (submit.is_graph()) {
    if (auto refusal = refuse_graph(job, submit.graph)) return refusal;
  } else {
    if (auto refusal = refuse_task(submit.task)) return refusal;
    if (has_overlap(submit.ids)) return "Ranges of task ids overlap";
    if (submit.entries && submit.entries->size() != submit.ids.count()) {
      return "There are " + std::to_string(submit.entries->size()) + " entries for " +
             std::to_string(submit.ids.count()) + " task ids";
    }
  }
  if (job == nullptr) return std::nullopt;
  if (auto id = collision(*job, submit)) {
    return "Task " + std::to_string(*id) + " already exists in job " + job->id.text() + ".";
  }
  if (!job->open) return "Job " + job->id.text() + " is not opened.";
  return std::nullopt;
}

void Server::Impl::on(PeerId from, RequestId id, msg::Submit&& request) {
  if (auto refusal = take_uploaded(from, id, request)) {
    reply(from, id, msg::Failed{*refusal});
    return;
  }
  const Job* job = request.job ? state.find_job(*request.job) : nullptr;
  if (request.ids_after_existing && job != nullptr && !request.submit.is_graph()) {
    const uint64_t first = job->highest_id() ? uint64_t{*job->highest_id()} + 1 : 0;
    const uint64_t count = request.submit.ids.count();
    if (first + count > 0x1'0000'0000ULL) {
      reply(
          from, id,
          msg::Failed{"Job " + job->id.text() + " has no room for " + std::to_string(count) + " more tasks"});
      return;
    }
    request.submit.ids = IdArray::consecutive(uint32_t(first), uint32_t(count));
  }
  if (auto refusal = refuse_submit(state, request)) {
    reply(from, id, msg::Failed{*refusal});
    return;
  }
  if (auto refusal = refuse_for_room()) {
    reply(from, id, msg::Failed{*refusal});
    return;
  }
  const JobId job_id = request.job.value_or(state.next_job_id());
  JobSubmitted event;
  event.job = job_id;
  event.uid = job != nullptr ? job->uid : JobUid(ports.random.next());
  event.attach = request.job.has_value();
  event.name = std::move(request.name);
  event.max_fails = request.max_fails;
  const bool graph = request.submit.is_graph();
  event.submit = std::make_shared<const SubmitDescription>(
      resolve_job_paths(std::move(request.submit), job_id, state.server_uid()));
  record(std::move(event));
  if (graph) abort_hopeless(job_id);
  reply(from, id, msg::Submitted{job_id});
  if (!request.notices) return;
  msg::WaitJobs wait{{msg::Selection::Kind::kIds, IdArray::single(job_id.value)}};
  wait.notices = true;
  on(from, id, std::move(wait));
}

// New tasks of a graph whose dependencies have already failed, been canceled or aborted will never run.
void Server::Impl::abort_hopeless(JobId id) {
  const Job& job = *state.find_job(id);
  std::vector<TaskId> roots;
  for (const GraphTask& task : job.groups.back()->graph()) {
    for (TaskId dep : task.deps) {
      const Job::Place place = *job.find(dep);
      const TaskState s = place.group->state(place.position);
      if (is_final(s) && s != TaskState::kFinished) roots.push_back(dep);
    }
  }
  std::vector<TaskId> fallen = state.dependents(job, roots);
  if (!fallen.empty()) record(TasksAborted{id, std::move(fallen)});
}

void Server::Impl::on(PeerId from, RequestId id, msg::OpenJob&& request) {
  if (auto refusal = refuse_for_room()) {
    reply(from, id, msg::Failed{*refusal});
    return;
  }
  const JobId job = state.next_job_id();
  record(JobOpened{job, JobUid(ports.random.next()), std::move(request.name), request.max_fails});
  reply(from, id, msg::Submitted{job});
}

// --- ending
// ----------------------------------------------------------------------------------------------------

void Server::Impl::on(PeerId from, RequestId id, msg::CloseJobs&& request) {
  std::vector<JobId> jobs = selected_jobs(state, request.jobs);
  std::sort(jobs.begin(), jobs.end());
  msg::ItemResults results;
  for (JobId job_id : jobs) {
    const Job* job = state.find_job(job_id);
    if (request.jobs.kind == msg::Selection::Kind::kAll && !job->open) continue;
    msg::ItemResult item{job_id.value, msg::ItemResult::Outcome::kOk, 0, 0};
    if (job == nullptr) {
      item.outcome = msg::ItemResult::Outcome::kNotFound;
    } else if (!job->open) {
      item.outcome = msg::ItemResult::Outcome::kAlreadyEnded;
    } else {
      record(JobClosed{job_id});
    }
    results.items.push_back(item);
  }
  reply(from, id, results);
}

void Server::Impl::on(PeerId from, RequestId id, msg::CancelJobs&& request) {
  if (request.reason.size() > limits::kMaxCancelReason) {
    reply(from, id, msg::Failed{"The cancel reason is longer than 200 bytes"});
    return;
  }
  std::vector<JobId> jobs = selected_jobs(state, request.jobs);
  std::sort(jobs.begin(), jobs.end());
  msg::ItemResults results;
  for (JobId job_id : jobs) {
    const Job* job = state.find_job(job_id);
    if (request.jobs.kind == msg::Selection::Kind::kAll && job->active() == 0) continue;
    msg::ItemResult item{job_id.value, msg::ItemResult::Outcome::kOk, 0, 0};
    if (job == nullptr) {
      item.outcome = msg::ItemResult::Outcome::kNotFound;
    } else if (job->active() == 0) {
      item.outcome = msg::ItemResult::Outcome::kAlreadyEnded;
    } else {
      item.canceled = job->active();
      item.already_finished = job->task_count() - item.canceled;
      cancel_on_workers(*job, {});
      record(JobCanceled{job_id, request.reason});
    }
    results.items.push_back(item);
  }
  reply(from, id, results);
}

void Server::Impl::on(PeerId from, RequestId id, msg::ForgetJobs&& request) {
  msg::Forgotten answer;
  for (JobId job_id : selected_jobs(state, request.jobs)) {
    const Job* job = state.find_job(job_id);
    bool forget = job != nullptr && job->terminated();
    if (forget) {
      const msg::JobStatus status = status_of(*job);
      forget = std::any_of(request.states.begin(), request.states.end(),
                           [&](TaskState s) { return status == status_of(s); });
    }
    if (!forget) {
      ++answer.ignored;
      continue;
    }
    std::vector<DefinitionId> definitions;
    for (const auto& group : job->groups) {
      for (uint32_t i = 0; i < group->definition_count(); ++i) {
        definitions.push_back(DefinitionId(group->first_definition().value + i));
      }
    }
    for (auto& [peer, session] : sessions.all()) {
      std::vector<DefinitionId> known;
      for (DefinitionId definition : definitions) {
        if (session.definitions.erase(definition) > 0) known.push_back(definition);
      }
      if (!known.empty()) send(peer, session.session, msg::Undefine{std::move(known)});
    }
    record(JobForgotten{job_id});
    ++answer.forgotten;
  }
  reply(from, id, answer);
}

void Server::Impl::on(PeerId from, RequestId id, msg::StopWorkers&& request) {
  const bool all = request.workers.kind == msg::Selection::Kind::kAll;
  msg::ItemResults results;
  for (WorkerId worker_id : selected_workers(state, request.workers)) {
    const WorkerState* worker = state.find_worker(worker_id);
    WorkerLink* link = sessions.link(worker_id);
    msg::ItemResult item{worker_id.value, msg::ItemResult::Outcome::kOk, 0, 0};
    if (worker == nullptr) {
      item.outcome = msg::ItemResult::Outcome::kNotFound;
    } else if (!worker->alive() || link == nullptr || (link->stopping && !request.force)) {
      if (all) continue;
      item.outcome = msg::ItemResult::Outcome::kAlreadyEnded;
    } else {
      link->stopping = WorkerLink::Stopping{LossReason::kStopped, now_.mono};
      closed.insert(worker_id);
      if (WorkerSession* session = sessions.of(worker_id)) {
        const msg::StopWorker stop{msg::StopWorker::Reason::kStop};
        if (request.force) {
          send_now(session->peer, session->session, stop);  // what is queued goes with the worker
        } else {
          send(session->peer, session->session, stop);
        }
      }
      if (request.force) lose_worker(worker_id, LossReason::kStopped, "stopped by force", Proof::kEnded);
    }
    results.items.push_back(item);
  }
  reply(from, id, results);
}

// --- waiting
// ---------------------------------------------------------------------------------------------------

void Server::Impl::on(PeerId from, RequestId id, msg::WaitJobs&& request) {
  Waiter waiter;
  waiter.client = from;
  waiter.request = id;
  waiter.without_close = request.without_close;
  waiter.progress = request.progress;
  waiter.notices = request.notices;
  waiter.last_progress = now_.mono - kProgressInterval;
  uint64_t active = 0;
  for (JobId job_id : selected_jobs(state, request.jobs)) {
    const Job* job = state.find_job(job_id);
    if (job == nullptr) continue;
    active += job->active();
    waiter.jobs.push_back(job_id);
    if (!Waiters::is_done(state, job_id, request.without_close)) waiter.open.insert(job_id);
  }
  if (waiter.open.empty() || (request.progress && active == 0)) {
    reply(from, id, msg::WaitFinished{active == 0});
    return;
  }
  waiters.add(std::move(waiter));
}

}  // namespace hq
