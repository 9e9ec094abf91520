// Questions about jobs and workers. They change nothing; long answers are made page by page.
#include <algorithm>
#include <memory>

#include "hq/core/explain.h"
#include "hq/core/text/suspicion_text.h"
#include "hq/protocol/limits.h"
#include "server/impl.h"
#include "server/task_rows.h"

namespace hq {

namespace {

constexpr size_t kMaxShownArgument = 256;  // bytes
constexpr size_t kMaxShownArguments = 128;
constexpr uint32_t kFirstFailed = 5;
constexpr size_t kJobsPerPage = 1024;
constexpr size_t kWorkersPerPage = 512;
constexpr size_t kShownFailureGroups = 1000;

void reduce(ProgramDescription& program) {
  program.stdin_data.clear();
  if (program.args.size() > kMaxShownArguments) program.args.resize(kMaxShownArguments);
  for (std::string& arg : program.args) {
    if (arg.size() > kMaxShownArgument) arg = "<" + std::to_string(arg.size()) + " bytes>";
  }
}

size_t text_bytes(const GraphTask& task) {
  constexpr size_t kRest = 200;  // numbers, names of fields
  const ProgramDescription& program = task.task.program;
  size_t bytes = kRest + program.cwd.size() + program.stdout_spec.path.size() +
                 program.stderr_spec.path.size() + 5 * task.deps.size();
  for (const std::string& arg : program.args) bytes += arg.size();
  for (const auto& [name, value] : program.env) bytes += name.size() + value.size();
  return bytes;
}

// The descriptions of the tasks of a job's graphs, as many at a time as a page may hold.
class GraphRest {
 public:
  explicit GraphRest(const Job& job) : submits_(job.groups.size()) {}

  // Moves on to the first submit with tasks left.
  [[nodiscard]] bool at_end(const Job& job) {
    while (submit_ < submits_ && task_ == graph(job).size()) {
      ++submit_;
      task_ = 0;
    }
    return submit_ == submits_;
  }
  // REQUIRES: not at the end. At least one task.
  void take(const Job& job, size_t& room, std::vector<GraphTask>& out) {
    while (task_ < graph(job).size() && (out.empty() || room > 0)) {
      out.push_back(graph(job)[task_++]);
      reduce(out.back().task.program);
      room -= std::min(room, text_bytes(out.back()));
    }
  }
  [[nodiscard]] uint32_t submit() const { return uint32_t(submit_); }

 private:
  [[nodiscard]] const std::vector<GraphTask>& graph(const Job& job) const {
    return job.groups[submit_]->graph();
  }

  size_t submits_;  // those that the client knows of
  size_t submit_ = 0;
  size_t task_ = 0;
};

}  // namespace

SubmitDescription reduced(const SubmitDescription& submit) {
  SubmitDescription out;
  out.submit_dir = submit.submit_dir;
  out.ids = submit.ids;
  out.task = submit.task;
  out.stream_path = submit.stream_path;
  out.log_path = submit.log_path;
  reduce(out.task.program);
  return out;
}

msg::JobStatus status_of(TaskState s) {
  switch (s) {
    case TaskState::kWaiting:
      return msg::JobStatus::kWaiting;
    case TaskState::kRunning:
      return msg::JobStatus::kRunning;
    case TaskState::kFinished:
      return msg::JobStatus::kFinished;
    case TaskState::kFailed:
      return msg::JobStatus::kFailed;
    case TaskState::kCanceled:
      return msg::JobStatus::kCanceled;
    case TaskState::kAborted:
      return msg::JobStatus::kAborted;
  }
  return msg::JobStatus::kWaiting;
}

msg::JobStatus status_of(const Job& job) {
  return msg::job_status(job.counts, job.open);
}

msg::JobSummary summary_of(const Job& job) {
  return {job.id, job.name, job.open, job.cancel_reason, job.task_count(), job.counts};
}

msg::WorkerDetail detail_of(const WorkerState& worker, const Scheduler& scheduler) {
  msg::WorkerDetail out;
  out.id = worker.id;
  out.config = *worker.config;
  out.started = worker.connected;
  out.lost = worker.lost;
  out.ended = worker.ended;
  out.last_task = worker.last_task;
  if (worker.last_task) out.last_task_time = worker.last_task_time;
  out.assigned_tasks = worker.slots + worker.running;
  out.running_tasks = worker.running;
  const auto reservation = scheduler.reservation(worker.id);
  out.reserved = reservation && reservation->gang;
  if (worker.gang) out.main_node = worker.gang->root == worker.id;
  return out;
}

void Server::Impl::on(PeerId from, RequestId id, msg::ListJobs&&) {
  // Jobs are named by number from page to page, so that nothing is held for a slow client.
  auto next = [this, at = uint32_t{1}, ended = false]() mutable -> std::optional<msg::ClientReply> {
    if (ended) return std::nullopt;
    msg::JobList page;
    for (; at <= state.last_job_id().value && page.jobs.size() < kJobsPerPage; ++at) {
      if (const Job* job = state.find_job(JobId(at))) page.jobs.push_back(summary_of(*job));
    }
    if (page.jobs.empty()) {
      ended = true;
      return msg::End{};
    }
    return page;
  };
  pages.add({from, id, std::move(next)});
}

void Server::Impl::on(PeerId from, RequestId id, msg::GetJobs&& request) {
  struct Progress {
    msg::GetJobs request;
    std::vector<JobId> jobs;
    size_t at = 0;
    std::optional<GraphRest> graph;  // of the job whose descriptions are being sent
    std::optional<TaskRows> rows;    // of the job whose rows are being sent
    bool ended = false;
  };
  auto progress = std::make_shared<Progress>();
  progress->jobs = selected_jobs(state, request.jobs);
  progress->request = std::move(request);
  auto next = [this, progress]() -> std::optional<msg::ClientReply> {
    Progress& p = *progress;
    if (p.ended) return std::nullopt;
    if (p.graph) {
      msg::GraphPage page;
      page.job = p.jobs[p.at];
      page.submit = p.graph->submit();
      if (const Job* job = state.find_job(page.job)) {
        size_t room = limits::kTextBytesPerPage;
        p.graph->take(*job, room, page.graph);
        page.more_graph = !p.graph->at_end(*job);
      }
      if (!page.more_graph) {
        p.graph.reset();
        if (!p.rows) ++p.at;
      }
      return page;
    }
    if (p.rows) {  // more of the job that was begun
      msg::TaskPage page;
      page.job = p.jobs[p.at];
      const Job* job = state.find_job(page.job);
      if (job != nullptr) page.tasks = p.rows->take(*job, limits::kTasksPerPage);
      page.more_tasks = job != nullptr && !p.rows->at_end(*job);
      if (!page.more_tasks) {
        p.rows.reset();
        ++p.at;
      }
      return page;
    }
    if (p.at == p.jobs.size()) {
      p.ended = true;
      return msg::End{};
    }
    const Job* job = state.find_job(p.jobs[p.at]);
    if (job == nullptr) return msg::JobNotFound{p.jobs[p.at++]};
    msg::JobDetail detail;
    detail.info = summary_of(*job);
    detail.max_fails = job->max_fails;
    detail.submitted = job->submitted;
    detail.finished = job->finished;
    for (const auto& group : job->groups) detail.submits.push_back(reduced(*group->submit()));
    GraphRest graph(*job);
    for (size_t room = limits::kTextBytesPerPage; room > 0 && !graph.at_end(*job);) {
      graph.take(*job, room, detail.submits[graph.submit()].graph);
    }
    detail.more_graph = !graph.at_end(*job);
    if (detail.more_graph) p.graph = graph;
    for (WorkerId worker : job->workers) {
      detail.workers.emplace_back(worker, state.find_worker(worker)->config->hostname);
    }
    detail.failed_total = job->count(TaskState::kFailed);
    if (p.request.tasks != msg::GetJobs::Tasks::kNone) detail.failure_groups = failure_groups(*job);
    if (p.request.tasks == msg::GetJobs::Tasks::kFirstFailed && detail.failed_total > 0) {
      TaskRows failed(*job, std::nullopt, {TaskState::kFailed}, p.request.texts);
      detail.tasks = failed.take(*job, kFirstFailed);
    }
    if (p.request.tasks == msg::GetJobs::Tasks::kAll) {
      p.rows.emplace(*job, p.request.ids, p.request.states, p.request.texts);
      detail.tasks = p.rows->take(*job, limits::kTasksPerPage);
      detail.more_tasks = !p.rows->at_end(*job);
      if (!detail.more_tasks) p.rows.reset();
    }
    if (!detail.more_tasks && !detail.more_graph) ++p.at;
    return detail;
  };
  pages.add({from, id, std::move(next)});
}

std::vector<msg::FailureGroup> Server::Impl::failure_groups(const Job& job) const {
  std::vector<std::pair<Job::FailureGroup, Job::FailureGroupSize>> sorted(job.failures.begin(),
                                                                          job.failures.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.tasks > b.second.tasks; });
  sorted.resize(std::min(sorted.size(), kShownFailureGroups));
  std::vector<msg::FailureGroup> out;
  for (const auto& [group, size] : sorted) {
    const auto place = job.find(size.first);
    out.push_back({group.kind, group.code, group.worker, host_of(group.worker),
                   failure_watch.find(group.worker) != nullptr, size.tasks, size.first,
                   failure_line(job.failure_of(size.first, *place))});
  }
  return out;
}

void Server::Impl::on(PeerId from, RequestId id, msg::ListWorkers&& request) {
  auto next = [this, after = WorkerId(0), offline = request.offline,
               ended = false]() mutable -> std::optional<msg::ClientReply> {
    if (ended) return std::nullopt;
    msg::WorkerList page;
    for (auto it = state.workers().upper_bound(after); it != state.workers().end(); ++it) {
      if (page.workers.size() == kWorkersPerPage) break;
      after = it->first;
      if (it->second->alive() || offline) page.workers.push_back(shown_worker(*it->second));
    }
    if (page.workers.empty()) {
      ended = true;
      return msg::End{};
    }
    return page;
  };
  pages.add({from, id, std::move(next)});
}

void Server::Impl::on(PeerId from, RequestId id, msg::GetWorkers&& request) {
  msg::WorkerList list;
  std::vector<WorkerId> unknown;
  auto flush = [&] {
    if (!list.workers.empty()) answer(from, id, list);
    list.workers.clear();
  };
  for (WorkerId worker_id : selected_workers(state, request.workers)) {
    if (const WorkerState* worker = state.find_worker(worker_id)) {
      list.workers.push_back(shown_worker(*worker));
      if (auto said = last_lines.find(worker_id); said != last_lines.end()) {
        list.workers.back().last_lines = said->second;
      }
      if (auto measured = overviews.find(worker_id); measured != overviews.end()) {
        list.workers.back().overview = measured->second;
      }
    } else {
      unknown.push_back(worker_id);
    }
    if (list.workers.size() == kWorkersPerPage) flush();
  }
  flush();
  for (WorkerId worker_id : unknown) answer(from, id, msg::WorkerNotFound{worker_id});
  answer(from, id, msg::End{});
}

// --- why a task does not run -----------------------------------------------------------------------------

void Server::Impl::on(PeerId from, RequestId id, msg::ExplainTask&& request) {
  const std::vector<JobId> jobs = selected_jobs(state, request.job);
  const Job* job = jobs.size() == 1 ? state.find_job(jobs[0]) : nullptr;
  if (job == nullptr) return answer(from, id, msg::Failed{"Job not found"});
  const auto place = job->find(request.task);
  if (!place) return answer(from, id, msg::Failed{"Task not found"});
  const TaskState now_state = place->group->state(place->position);
  if (is_final(now_state)) {
    return answer(from, id, msg::Failed{"Explain command works only for tasks in WAITING or RUNNING state"});
  }
  msg::TaskExplanation out;
  out.job = job->id;
  out.task = request.task;
  if (place->group->is_graph()) out.deps = place->group->dependencies(place->position).size();
  const auto unmet = job->unmet.find(request.task);
  if (unmet != job->unmet.end()) out.waiting_deps = unmet->second;
  const ClassId klass = place->group->klass(place->position);
  out.workers = conditions(state, klass, now_.wall);
  const bool waits = place->group->columns.state(place->position) == RowState::kWaiting;
  if (waits && out.waiting_deps == 0)
    note_why_not_now(klass, place->group->priority(place->position), out.workers);
  for (WorkerConditions& worker : out.workers) {
    if (const Suspicion* suspicion = failure_watch.find(worker.worker))
      worker.suspect = suspicion_text(*suspicion);
  }
  answer(from, id, std::move(out));
}

// Why a pass leaves out workers that could run this class, worker by worker.
void Server::Impl::note_why_not_now(ClassId klass, int32_t priority, std::vector<WorkerConditions>& workers) {
  const char* nobody = why_paused();
  for (WorkerConditions& worker : workers) {
    if (worker.enabled() == 0) continue;
    worker.now = nobody == nullptr ? not_now(klass, priority, *state.find_worker(worker.worker)) : nobody;
  }
  note_too_few(state, klass, workers);
}

std::string Server::Impl::not_now(ClassId klass, int32_t priority, const WorkerState& worker) const {
  if (closed.contains(worker.id)) return "it is stopping";
  if (away.contains(worker.id)) return "it has no connection at present";
  if (worker.gang) return "it has the multi-node task " + worker.gang->task.text();
  if (const auto found = quarantined.find(worker.id);
      found != quarantined.end() && now_.mono < found->second.next_probe)
    return "it is suspect, and gets one probe task a minute";
  if (held_workers.contains(worker.id)) return "its tasks fail, and it is looked at whether it is suspect";
  if (std::string text = not_free_text(state, klass, worker, now_.wall); !text.empty()) return text;
  if (refused.contains({worker.id, klass})) return "what is free there does not lie as the request wants it";
  return kept_text(state, scheduler, klass, priority, worker, now_.wall);
}

}  // namespace hq
