#include "cli/commands/event_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "cli/commands/event_json.h"
#include "hq/base/json_writer.h"
#include "hq/core/text/failure_text.h"

namespace hq::cli {

namespace {

std::string milliseconds_text(WallTime time) {
  int64_t ms = time.ns / 1'000'000 % 1'000;
  auto seconds = time_t(time.ns / 1'000'000'000);
  if (ms < 0) {
    ms += 1'000;
    --seconds;
  }
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms);
}

const char* reason_text(LossReason reason) {
  switch (reason) {
    case LossReason::kStopped:
      return "Stopped";
    case LossReason::kConnectionLost:
      return "ConnectionLost";
    case LossReason::kHeartbeatLost:
      return "HeartbeatLost";
    case LossReason::kIdleTimeout:
      return "IdleTimeout";
    case LossReason::kTimeLimitReached:
      break;
  }
  return "TimeLimitReached";
}

// The job would be called so if this submit had made it.
std::string default_name(const SubmitDescription& submit) {
  const auto& args = submit.task.program.args;
  return submit.is_graph() || args.empty() ? "job" : std::filesystem::path(args[0]).filename().string();
}

// All workers of a multi-node task; empty for one of a single node.
std::vector<WorkerId> nodes_of(const WorkerState& holder, JobId job, TaskId task) {
  for (const AssignedRange& range : holder.assigned) {
    if (!range.nodes.empty() && range.job == job && range.ids.contains(task.value)) return range.nodes;
  }
  return {};
}

}  // namespace

template <class Members>
void EventLines::line(WallTime time, Members members) {
  JsonWriter json(JsonWriter::Layout::kCompact, write_);
  json.begin_object();
  json.key("event");
  json.begin_object();
  members(json);
  json.end_object();
  json.member("time", milliseconds_text(time));
  json.end_object();
  json.finish();
  write_("\n");
  ++lines_;
}

void EventLines::take(const Record& record) {
  if (state_.misfit(record)) return;
  const WallTime time = record.time;
  if (const auto* e = std::get_if<JobCanceled>(&record.event)) {
    line(time, [&](JsonWriter& json) {
      json.member("job_id", e->job.value);
      json.member("reason", e->reason);
      json.member("type", "job-cancel");
    });
    end_rest("task-canceled", e->job, time);
  } else if (const auto* aborted_job = std::get_if<JobAborted>(&record.event)) {
    end_rest("task-aborted", aborted_job->job, time);
  } else if (const auto* some = std::get_if<TasksAborted>(&record.event)) {
    aborted(*some, time);
  }
  std::visit([&](const auto& event) { before(event, time); }, record.event);
  const Effects effects = state_.apply(record);
  std::visit([&](const auto& event) { after(event, time); }, record.event);
  if (!std::holds_alternative<TasksEnded>(record.event)) {
    for (const JobTask& task : effects.failed) {
      const Job& job = *state_.find_job(task.job);
      failed(job, task.task, job.failure_of(task.task, *job.find(task.task)), time);
    }
  }
  completed(effects, time);
}

void EventLines::take(const msg::TaskNotice& notice) {
  line(notice.at, [&](JsonWriter& json) {
    json.key("message");
    json.begin_array();
    for (const char c : notice.text) json.value(uint32_t{uint8_t(c)});
    json.end_array();
    json.key("task_id");
    json.begin_object();
    json.member("job_id", notice.job.value);
    json.member("job_task_id", notice.task.value);
    json.end_object();
    json.member("worker_id", notice.worker.value);
  });
}

void EventLines::before(const TasksStarted& e, WallTime) {
  for (const TaskStart& start : e.tasks) {
    auto row = state_.assigned_row(e.worker, start.task, start.instance);
    if (!row || row->second.group->columns.state(row->second.position) == RowState::kRunning) continue;
    started(*row->first, row->second, start.task.task, e.worker, start.variant, start.at);
  }
}

void EventLines::before(const TasksEnded& e, WallTime) {
  // In the order of time: tasks of one report ran beside and after each other.
  struct Moment {
    WallTime at;
    const TaskEnd* task;
    bool start;
  };
  std::vector<Moment> moments;
  for (const TaskEnd& end : e.tasks) {
    auto row = state_.assigned_row(e.worker, end.task, end.instance);
    if (!row) continue;
    const bool was_started = end.finished || end.failure.kind != FailureKind::kBeforeLaunch;
    if (was_started && row->second.group->columns.state(row->second.position) != RowState::kRunning)
      moments.push_back({end.at - Duration(int64_t(double{end.usage.ran_s} * 1e9)), &end, true});
    moments.push_back({end.at, &end, false});
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at < b.at; });
  for (const Moment& moment : moments) {
    auto row = state_.assigned_row(e.worker, moment.task->task, moment.task->instance);
    if (moment.start) {
      started(*row->first, row->second, moment.task->task.task, e.worker, moment.task->variant, moment.at);
    } else {
      ended(*row->first, *moment.task);
    }
  }
}

void EventLines::ended(const Job& job, const TaskEnd& end) {
  if (!end.finished) return failed(job, end.task.task, end.failure, end.at);
  line(end.at, [&](JsonWriter& json) {
    json.member("job", end.task.job.value);
    json.member("task", end.task.task.value);
    json.member("type", "task-finished");
  });
}

void EventLines::started(const Job& job, const Job::Place& place, TaskId task, WorkerId worker,
                         uint8_t variant, WallTime time) {
  const std::vector<WorkerId> nodes = nodes_of(*state_.find_worker(worker), job.id, task);
  line(time, [&](JsonWriter& json) {
    json.member("instance", place.group->instance(place.position).value);
    json.member("job", job.id.value);
    json.member("task", task.value);
    json.member("type", "task-started");
    if (variant > 0) json.member("variant", uint32_t{variant});
    if (nodes.empty()) return json.member("worker", worker.value);
    json.key("workers");
    json.begin_array();
    for (WorkerId node : nodes) json.value(node.value);
    json.end_array();
  });
}

// What falls with a task is told before it.
void EventLines::failed(const Job& job, TaskId task, const Failure& failure, WallTime time) {
  if (!job.consumers.empty()) {
    std::set<TaskId>& told = told_[job.id];
    std::vector<TaskId> fallen;
    for (TaskId id : state_.dependents(job, {task})) {
      if (told.insert(id).second) fallen.push_back(id);
    }
    if (!fallen.empty()) task_list("task-aborted", job.id, fallen, time);
  }
  line(time, [&](JsonWriter& json) {
    json.member("error", failure_text(failure));
    json.member("job", job.id.value);
    json.member("task", task.value);
    json.member("type", "task-failed");
  });
}

void EventLines::aborted(const TasksAborted& e, WallTime time) {
  std::set<TaskId>& told = told_[e.job];
  std::vector<TaskId> news;
  for (TaskId id : e.tasks) {
    if (told.erase(id) == 0) news.push_back(id);
  }
  if (!news.empty()) task_list("task-aborted", e.job, news, time);
}

// All tasks of a job that have not ended.
void EventLines::end_rest(const char* type, JobId id, WallTime time) {
  const Job& job = *state_.find_job(id);
  std::vector<TaskId> tasks;
  for (const auto& group : job.groups) {
    for (uint64_t position = 0; position < group->task_count(); ++position) {
      if (!is_final(group->state(position))) tasks.push_back(group->id_at(position));
    }
  }
  if (!tasks.empty()) task_list(type, id, tasks, time);
}

void EventLines::task_list(const char* type, JobId job, const std::vector<TaskId>& tasks, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.key("tasks");
    json.begin_array();
    for (TaskId task : tasks) {
      json.begin_object();
      json.member("job_id", job.value);
      json.member("job_task_id", task.value);
      json.end_object();
    }
    json.end_array();
    json.member("type", type);
  });
}

void EventLines::completed(const Effects& effects, WallTime time) {
  for (JobId id : effects.changed_jobs) {
    const Job* job = state_.find_job(id);
    if (job == nullptr || !job->terminated() || !completed_.insert(id).second) continue;
    told_.erase(id);
    line(time, [&](JsonWriter& json) {
      json.member("job", id.value);
      json.member("type", "job-completed");
    });
  }
}

void EventLines::after(const ServerStarted& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("server_uid", e.server_uid);
    json.member("type", "server-start");
  });
}

void EventLines::after(const ServerStopped&, WallTime time) {
  line(time, [](JsonWriter& json) { json.member("type", "server-stop"); });
}

void EventLines::after(const WorkerConnected& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.key("configuration");
    write_raw_config(json, *e.config);
    json.member("id", e.worker.value);
    json.member("type", "worker-connected");
  });
}

void EventLines::after(const WorkerLost& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("id", e.worker.value);
    json.member("reason", reason_text(e.reason));
    json.member("type", "worker-lost");
  });
}

void EventLines::after(const WorkerMeasured& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.key("hw-state");
    json.begin_object();
    json.key("state");
    write_overview(json, *e.overview, time);
    json.end_object();
    json.member("id", e.worker.value);
    json.member("type", "worker-overview");
  });
}

void EventLines::after(const JobSubmitted& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("closed_job", !e.attach);
    json.member("job", e.job.value);
    json.key("job_desc");
    json.begin_object();
    json.member("max_fails", e.attach ? std::nullopt : e.max_fails);
    json.member("name", e.attach ? default_name(*e.submit) : e.name);
    json.end_object();
    json.key("submit_desc");
    write_raw_submit(json, *e.submit);
    json.member("type", "job-created");
  });
}

void EventLines::after(const JobOpened& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("job_id", e.job.value);
    json.member("max_fails", e.max_fails);
    json.member("name", e.name);
    json.member("type", "job-open");
  });
}

void EventLines::after(const JobClosed& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("job_id", e.job.value);
    json.member("type", "job-close");
  });
}

void EventLines::after(const AllocQueueCreated& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.key("params");
    write_raw_alloc_params(json, *e.params);
    json.member("queue-id", e.queue.value);
    json.member("type", "autoalloc-queue-created");
  });
}

void EventLines::after(const AllocQueueRemoved& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("queue-id", e.queue.value);
    json.member("type", "autoalloc-queue-removed");
  });
}

void EventLines::allocation_line(const char* type, AllocQueueId queue, uint32_t number, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("allocation-id", state_.allocations().find(queue, number)->id);
    json.member("queue-id", queue.value);
    json.member("type", type);
  });
}

void EventLines::after(const AllocationQueued& e, WallTime time) {
  line(time, [&](JsonWriter& json) {
    json.member("allocation-id", e.allocation);
    json.member("queue-id", e.queue.value);
    json.member("type", "autoalloc-allocation-queued");
    json.member("worker-count", state_.allocations().find(e.queue, e.number)->workers);
  });
}

// As in the original: what the batch system says about a start gives no line, nor does what we cancel.
void EventLines::after(const AllocationStarted& e, WallTime time) {
  if (e.by_worker) allocation_line("autoalloc-allocation-started", e.queue, e.number, time);
}

void EventLines::after(const AllocationEnded& e, WallTime time) {
  if (e.kind == AllocationEndKind::kCanceled) return;
  allocation_line("autoalloc-allocation-finished", e.queue, e.number, time);
}

}  // namespace hq::cli
