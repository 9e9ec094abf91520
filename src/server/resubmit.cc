// `job resubmit`: a job anew, of those of its tasks that are in certain states.
#include <algorithm>
#include <memory>
#include <utility>

#include "hq/core/text/placeholders.h"
#include "server/impl.h"

namespace hq {

namespace {

class Again {
 public:
  Again(const Job& job, const std::vector<TaskState>& states) : job_(job), states_(states) {}

  // What is submitted anew, one part for each submit that has such tasks; an Error says why it can't be.
  Result<std::vector<SubmitDescription>> take() {
    std::vector<SubmitDescription> out;
    for (const auto& group : job_.groups) {
      SubmitDescription part;
      if (group->is_graph()) {
        auto taken = graph_of(*group);
        if (!taken) return taken.error();
        part = std::move(*taken);
      } else {
        part = array_of(*group);
      }
      if (part.task_count() == 0) continue;
      restore_job_paths(part);
      out.push_back(std::move(part));
    }
    return out;
  }

 private:
  [[nodiscard]] bool wants(TaskState s) const {
    return states_.empty() || std::find(states_.begin(), states_.end(), s) != states_.end();
  }

  static void add(IdArray& ids, IdRange range) {
    if (!ids.parts.empty() && range.step == 1) {
      IdArray::Part& last = ids.parts.back();
      if (last.range.step == 1 && last.range.last + 1 == range.first && last.range.last != UINT32_MAX) {
        last.range.last = last.bound = range.last;
        return;
      }
    }
    ids.parts.push_back({range, range.last});
  }

  [[nodiscard]] IdArray ids_of(const TaskGroup& group) const {
    IdArray ids;
    for (uint64_t position = 0; position < group.task_count();) {
      if (group.columns.find(position) != nullptr) {
        const uint32_t id = group.id_at(position).value;
        if (wants(group.state(position))) add(ids, {id, id, 1});
        ++position;
        continue;
      }
      // Nothing in this chunk has ever left waiting: a stretch of ids at a time.
      const IdRange run = group.run_from(position);
      const uint64_t chunk_end = (position / TaskChunk::kRows + 1) * TaskChunk::kRows;
      const uint64_t n = std::min(run.count(), chunk_end - position);
      if (wants(group.rest)) {
        add(ids, {run.first, uint32_t(run.first + (n - 1) * run.step), n == 1 ? 1 : run.step});
      }
      position += n;
    }
    return ids;
  }

  [[nodiscard]] SubmitDescription array_of(const TaskGroup& group) const {
    const auto submit = group.submit();
    const SubmitDescription& old = *submit;
    SubmitDescription out;
    out.submit_dir = old.submit_dir;
    out.task = old.task;
    out.stream_path = old.stream_path;
    out.log_path = old.log_path;
    out.templates = old.templates;
    out.ids = ids_of(group);
    if (!old.entries) return out;
    out.entries.emplace();
    for (const IdArray::Part& part : out.ids.parts) {
      for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step)
        out.entries->add(old.entries->at(group.entry_index(TaskId(uint32_t(id)))));
    }
    return out;
  }

  Result<SubmitDescription> graph_of(const TaskGroup& group) {
    const auto submit = group.submit();
    const SubmitDescription& old = *submit;
    SubmitDescription out;
    out.submit_dir = old.submit_dir;
    out.stream_path = old.stream_path;
    out.log_path = old.log_path;
    out.templates = old.templates;
    for (const GraphTask& task : old.graph) {
      if (!wants(group.state(*group.position(task.id)))) continue;
      GraphTask again{task.id, {}, task.task};
      for (TaskId dep : task.deps) {
        const Job::Place place = *job_.find(dep);
        const TaskState state = place.group->state(place.position);
        if (wants(state)) {
          again.deps.push_back(dep);
        } else if (state != TaskState::kFinished) {
          return Error("Task " + task.id.text() + " depends on task " + dep.text() + ", which is " +
                       std::string(task_state_text(state)) + ": resubmit the " +
                       std::string(task_state_text(state)) + " tasks with it");
        }
      }
      out.graph.push_back(std::move(again));
    }
    return out;
  }

  const Job& job_;
  const std::vector<TaskState>& states_;
};

size_t bytes_of(const std::vector<SubmitDescription>& submits) {
  constexpr size_t kRest = 1024;  // of a submit, or of a task in a graph
  size_t bytes = 0;
  for (const SubmitDescription& submit : submits) {
    bytes += kRest * (1 + submit.graph.size()) + submit.ids.parts.size() * sizeof(IdArray::Part);
    if (submit.entries) bytes += submit.entries->bytes();
  }
  return bytes;
}

}  // namespace

void Server::Impl::on(PeerId from, RequestId id, msg::ResubmitJob&& request) {
  const auto refuse = [&](const std::string& why) { reply(from, id, msg::Failed{why}); };
  const std::vector<JobId> jobs = selected_jobs(state, request.job);
  const Job* job = jobs.size() == 1 ? state.find_job(jobs[0]) : nullptr;
  if (job == nullptr)
    return refuse(jobs.size() == 1 ? "Job " + jobs[0].text() + " not found" : "Job not found");
  auto submits = Again(*job, request.states).take();
  if (!submits) return refuse(submits.error().message);
  if (submits->empty()) return refuse("Job " + job->id.text() + " has no tasks in these states");
  request_bytes = bytes_of(*submits);
  if (auto refusal = refuse_for_room()) return refuse(*refusal);
  reply(from, id, msg::Submitted{submit_again(*job, std::move(*submits))});
}

// Several submits need a job that is open for a moment.
JobId Server::Impl::submit_again(const Job& old, std::vector<SubmitDescription> submits) {
  const JobId made = state.next_job_id();
  const JobUid uid(ports.random.next());
  const bool several = submits.size() > 1;
  const std::string name = old.name;  // the state changes below
  const std::optional<uint32_t> max_fails = old.max_fails;
  if (several) record(JobOpened{made, uid, name, max_fails});
  for (SubmitDescription& submit : submits) {
    JobSubmitted event;
    event.job = made;
    event.uid = uid;
    event.attach = several;
    event.name = name;
    event.max_fails = max_fails;
    event.submit = std::make_shared<const SubmitDescription>(
        resolve_job_paths(std::move(submit), made, state.server_uid()));
    record(std::move(event));
  }
  if (several) record(JobClosed{made});
  return made;
}

}  // namespace hq
