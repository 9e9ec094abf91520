// The client messages: each one's "type" and its description (docs/protocol.md, Client messages).
#pragma once

#include "hq/protocol/client_messages.h"
#include "protocol/describe_core.h"

namespace hq {

template <class M>
inline constexpr std::string_view kTypeName{};

// --- requests ------------------------------------------------------------------------------------------

template <>
inline constexpr std::string_view kTypeName<msg::GetServerInfo> = "get_server_info";
template <class V, Is<msg::GetServerInfo> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::StopServer> = "stop_server";
template <class V, Is<msg::StopServer> S>
void describe(V& v, S& s) {
  v.field("keep_workers", s.keep_workers);
}

template <>
inline constexpr std::string_view kTypeName<msg::DebugDump> = "debug_dump";
template <class V, Is<msg::DebugDump> S>
void describe(V& v, S& s) {
  v.field("path", s.path);
}

// What a submit without ids means: task 0, or one task per entry from 0 on; in an open job the ids follow the
// largest that exists.
inline void complete_submit(const MapValue& map, msg::Submit& s) {
  SubmitDescription& submit = s.submit;
  const bool has_entries = submit.entries || s.uploaded > 0;
  const uint64_t entries = uint64_t{s.uploaded} + (submit.entries ? submit.entries->size() : 0);
  if (!map.has("ids") && !submit.is_graph()) {
    const uint64_t count = has_entries ? entries : 1;
    if (count > UINT32_MAX) return map.fail("too many entries");
    submit.ids = IdArray::consecutive(0, uint32_t(count));
    if (!map.has("ids_after_existing")) s.ids_after_existing = s.job.has_value();
  }
  if (submit.is_graph() && (!submit.ids.empty() || has_entries))
    return map.fail("a graph has neither 'ids' nor 'entries'");
  if (has_entries && entries != submit.ids.count()) map.fail("'entries' and 'ids' differ in number");
}

template <>
inline constexpr std::string_view kTypeName<msg::Submit> = "submit";
template <class V, Is<msg::Submit> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("name", s.name);
  v.field("max_fails", s.max_fails);
  describe(v, s.submit);
  v.field("ids_after_existing", s.ids_after_existing);
  v.field("notices", s.notices);
  v.field("uploaded", s.uploaded);
  if constexpr (V::kDecodes) {
    if (v.map().ok()) complete_submit(v.map(), s);
  }
}

template <>
inline constexpr std::string_view kTypeName<msg::UploadEntries> = "upload_entries";
template <class V, Is<msg::UploadEntries> S>
void describe(V& v, S& s) {
  v.field("entries", s.entries);
  v.field("expected_bytes", s.expected_bytes);
}

template <>
inline constexpr std::string_view kTypeName<msg::ResubmitJob> = "resubmit_job";
template <class V, Is<msg::ResubmitJob> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("states", s.states);
}

template <>
inline constexpr std::string_view kTypeName<msg::OpenJob> = "open_job";
template <class V, Is<msg::OpenJob> S>
void describe(V& v, S& s) {
  v.field("name", s.name);
  v.field("max_fails", s.max_fails);
}

template <>
inline constexpr std::string_view kTypeName<msg::CloseJobs> = "close_jobs";
template <class V, Is<msg::CloseJobs> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
}

template <>
inline constexpr std::string_view kTypeName<msg::CancelJobs> = "cancel_jobs";
template <class V, Is<msg::CancelJobs> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
  v.field("reason", s.reason);
}

template <>
inline constexpr std::string_view kTypeName<msg::ForgetJobs> = "forget_jobs";
template <class V, Is<msg::ForgetJobs> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
  v.field("states", s.states);
}

template <>
inline constexpr std::string_view kTypeName<msg::ListJobs> = "list_jobs";
template <class V, Is<msg::ListJobs> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::GetJobs> = "get_jobs";
template <class V, Is<msg::GetJobs> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
  v.field("tasks", s.tasks);
  v.field("ids", s.ids);
  v.field("states", s.states);
  v.field("texts", s.texts);
}

template <>
inline constexpr std::string_view kTypeName<msg::WaitJobs> = "wait_jobs";
template <class V, Is<msg::WaitJobs> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
  v.field("without_close", s.without_close);
  v.field("progress", s.progress);
  v.field("notices", s.notices);
}

template <>
inline constexpr std::string_view kTypeName<msg::ListWorkers> = "list_workers";
template <class V, Is<msg::ListWorkers> S>
void describe(V& v, S& s) {
  v.field("offline", s.offline);
}

template <>
inline constexpr std::string_view kTypeName<msg::GetWorkers> = "get_workers";
template <class V, Is<msg::GetWorkers> S>
void describe(V& v, S& s) {
  v.field("workers", s.workers);
}

template <>
inline constexpr std::string_view kTypeName<msg::ExplainTask> = "explain_task";
template <class V, Is<msg::ExplainTask> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("task", s.task);
}

template <class V, Is<Condition> S>
void describe(V& v, S& s) {
  v.field("kind", s.kind);
  v.field("met", s.met);
  v.field("resource", s.resource);
  v.field("asked", s.asked);
  v.field("offered", s.offered);
  v.field("min_time", s.min_time);
  v.field("remaining", s.remaining);
  v.field("nodes", s.nodes);
  v.field("group_size", s.group_size);
}

template <class V, Is<WorkerConditions> S>
void describe(V& v, S& s) {
  v.field("worker", s.worker);
  v.field("variants", s.variants);
  v.field("now", s.now);
  v.field("suspect", s.suspect);
}

template <>
inline constexpr std::string_view kTypeName<msg::TaskExplanation> = "task_explanation";
template <class V, Is<msg::TaskExplanation> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("task", s.task);
  v.field("deps", s.deps);
  v.field("waiting_deps", s.waiting_deps);
  v.field("workers", s.workers);
}

template <>
inline constexpr std::string_view kTypeName<msg::StopWorkers> = "stop_workers";
template <class V, Is<msg::StopWorkers> S>
void describe(V& v, S& s) {
  v.field("workers", s.workers);
  v.field("force", s.force);
}

template <>
inline constexpr std::string_view kTypeName<msg::ResumeWorkers> = "resume_workers";
template <class V, Is<msg::ResumeWorkers> S>
void describe(V& v, S& s) {
  v.field("workers", s.workers);
}

template <>
inline constexpr std::string_view kTypeName<msg::ReadOutput> = "read_output";
template <class V, Is<msg::ReadOutput> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("task", s.task);
  v.field("channel", s.channel);
  v.field("position", s.position);
  v.field("from_end", s.from_end);
  v.field("most", s.most);
}

template <>
inline constexpr std::string_view kTypeName<msg::FlushJournal> = "flush_journal";
template <class V, Is<msg::FlushJournal> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::PruneJournal> = "prune_journal";
template <class V, Is<msg::PruneJournal> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::FollowEvents> = "follow_events";
template <class V, Is<msg::FollowEvents> S>
void describe(V& v, S& s) {
  v.field("live", s.live);
  v.field("server_uid", s.server_uid);
  v.field("after", s.after);
  v.field("overviews", s.overviews);
}

template <>
inline constexpr std::string_view kTypeName<msg::AddAllocQueue> = "add_alloc_queue";
template <class V, Is<msg::AddAllocQueue> S>
void describe(V& v, S& s) {
  v.field("params", s.params);
  v.field("no_trial", s.no_trial);
}

template <>
inline constexpr std::string_view kTypeName<msg::TryAllocation> = "try_allocation";
template <class V, Is<msg::TryAllocation> S>
void describe(V& v, S& s) {
  v.field("params", s.params);
}

template <>
inline constexpr std::string_view kTypeName<msg::ListAllocQueues> = "list_alloc_queues";
template <class V, Is<msg::ListAllocQueues> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::GetAllocations> = "get_allocations";
template <class V, Is<msg::GetAllocations> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
}

template <>
inline constexpr std::string_view kTypeName<msg::FindAllocation> = "find_allocation";
template <class V, Is<msg::FindAllocation> S>
void describe(V& v, S& s) {
  v.field("allocation", s.id);
}

template <>
inline constexpr std::string_view kTypeName<msg::PauseAllocQueue> = "pause_alloc_queue";
template <class V, Is<msg::PauseAllocQueue> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
}

template <>
inline constexpr std::string_view kTypeName<msg::ResumeAllocQueue> = "resume_alloc_queue";
template <class V, Is<msg::ResumeAllocQueue> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
}

template <>
inline constexpr std::string_view kTypeName<msg::RemoveAllocQueue> = "remove_alloc_queue";
template <class V, Is<msg::RemoveAllocQueue> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
  v.field("force", s.force);
}

// --- replies -------------------------------------------------------------------------------------------

template <>
inline constexpr std::string_view kTypeName<msg::Failed> = "failed";
template <class V, Is<msg::Failed> S>
void describe(V& v, S& s) {
  v.field("message", s.message);
}

template <>
inline constexpr std::string_view kTypeName<msg::Done> = "done";
template <class V, Is<msg::Done> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::End> = "end";
template <class V, Is<msg::End> S>
void describe(V&, S&) {}

template <>
inline constexpr std::string_view kTypeName<msg::ServerInfo> = "server_info";
template <class V, Is<msg::ServerInfo> S>
void describe(V& v, S& s) {
  v.field("server_uid", s.server_uid);
  v.field("client_host", s.client_host);
  v.field("client_port", s.client_port);
  v.field("worker_host", s.worker_host);
  v.field("worker_port", s.worker_port);
  v.field("version", s.version);
  v.field("pid", s.pid);
  v.field("started", s.started);
  v.field("journal_path", s.journal_path);
  v.field("resume_window", s.resume_window);
  v.field("journal_stalled", s.journal_stalled);
  v.field("journal_trouble", s.journal_trouble);
}

template <>
inline constexpr std::string_view kTypeName<msg::Submitted> = "submitted";
template <class V, Is<msg::Submitted> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
}

template <class V, Is<msg::JobSummary> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("name", s.name);
  v.field("is_open", s.is_open);
  v.field("cancel_reason", s.cancel_reason);
  v.field("task_count", s.task_count);
  v.field("counts", s.counts);
}

template <>
inline constexpr std::string_view kTypeName<msg::JobList> = "job_list";
template <class V, Is<msg::JobList> S>
void describe(V& v, S& s) {
  v.field("jobs", s.jobs);
}

template <class V, Is<msg::FailureGroup> S>
void describe(V& v, S& s) {
  v.field("kind", s.kind);
  v.field("code", s.code);
  v.field("worker", s.worker);
  v.field("hostname", s.hostname);
  v.field("suspect", s.suspect);
  v.field("tasks", s.tasks);
  v.field("first", s.first);
  v.field("cause", s.cause);
}

template <>
inline constexpr std::string_view kTypeName<msg::JobDetail> = "job_detail";
template <class V, Is<msg::JobDetail> S>
void describe(V& v, S& s) {
  v.field("info", s.info);
  v.field("max_fails", s.max_fails);
  v.field("submitted", s.submitted);
  v.field("finished", s.finished);
  v.field("submits", s.submits);
  v.field("workers", s.workers);
  v.field("failed_total", s.failed_total);
  v.field("failure_groups", s.failure_groups);
  v.field("tasks", s.tasks);
  v.field("more_tasks", s.more_tasks);
  v.field("more_graph", s.more_graph);
}

template <>
inline constexpr std::string_view kTypeName<msg::GraphPage> = "graph_page";
template <class V, Is<msg::GraphPage> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("submit", s.submit);
  v.field("graph", s.graph);
  v.field("more_graph", s.more_graph);
}

template <>
inline constexpr std::string_view kTypeName<msg::TaskPage> = "task_page";
template <class V, Is<msg::TaskPage> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("tasks", s.tasks);
  v.field("more_tasks", s.more_tasks);
}

template <>
inline constexpr std::string_view kTypeName<msg::JobNotFound> = "job_not_found";
template <class V, Is<msg::JobNotFound> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
}

template <class V, Is<msg::ItemResult> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("outcome", s.outcome);
  v.field("canceled", s.canceled);
  v.field("already_finished", s.already_finished);
}

template <>
inline constexpr std::string_view kTypeName<msg::ItemResults> = "item_results";
template <class V, Is<msg::ItemResults> S>
void describe(V& v, S& s) {
  v.field("items", s.items);
}

template <>
inline constexpr std::string_view kTypeName<msg::Forgotten> = "forgotten";
template <class V, Is<msg::Forgotten> S>
void describe(V& v, S& s) {
  v.field("forgotten", s.forgotten);
  v.field("ignored", s.ignored);
}

template <>
inline constexpr std::string_view kTypeName<msg::JobProgress> = "job_progress";
template <class V, Is<msg::JobProgress> S>
void describe(V& v, S& s) {
  v.field("jobs_done", s.jobs_done);
  v.field("jobs_total", s.jobs_total);
  v.field("counts", s.counts);
  v.field("tasks_total", s.tasks_total);
}

template <>
inline constexpr std::string_view kTypeName<msg::WaitFinished> = "wait_finished";
template <class V, Is<msg::WaitFinished> S>
void describe(V& v, S& s) {
  v.field("nothing_to_wait_for", s.nothing_to_wait_for);
}

template <class V, Is<msg::WorkerSuspicion> S>
void describe(V& v, S& s) {
  v.field("since", s.facts.since);
  v.field("job", s.facts.job);
  v.field("failed_here", s.facts.counts.failed_here);
  v.field("ended_here", s.facts.counts.ended_here);
  v.field("failed_elsewhere", s.facts.counts.failed_elsewhere);
  v.field("ended_elsewhere", s.facts.counts.ended_elsewhere);
  v.field("log10_chance", s.facts.log10_chance);
  v.field("example", s.facts.example);
  v.field("failure", s.facts.failure);
  v.field("failed_since", s.facts.failed_since);
  v.field("ended_since", s.facts.ended_since);
  v.field("reason", s.reason);
  v.field("quarantined", s.quarantined);
}

template <class V, Is<msg::WorkerDetail> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("config", s.config);
  v.field("started", s.started);
  v.field("lost", s.lost);
  v.field("ended", s.ended);
  v.field("last_task", s.last_task);
  v.field("last_task_time", s.last_task_time);
  v.field("assigned_tasks", s.assigned_tasks);
  v.field("running_tasks", s.running_tasks);
  v.field("reserved", s.reserved);
  v.field("main_node", s.main_node);
  v.field("last_lines", s.last_lines);
  v.field("suspicion", s.suspicion);
  v.field("overview", s.overview);
}

template <>
inline constexpr std::string_view kTypeName<msg::WorkerList> = "worker_list";
template <class V, Is<msg::WorkerList> S>
void describe(V& v, S& s) {
  v.field("workers", s.workers);
}

template <>
inline constexpr std::string_view kTypeName<msg::WorkerNotFound> = "worker_not_found";
template <class V, Is<msg::WorkerNotFound> S>
void describe(V& v, S& s) {
  v.field("worker", s.worker);
}

template <>
inline constexpr std::string_view kTypeName<msg::OutputPiece> = "output_piece";
template <class V, Is<msg::OutputPiece> S>
void describe(V& v, S& s) {
  v.field("state", s.state);
  v.field("instance", s.instance);
  v.field("started", s.started);
  v.field("kept", s.kept);
  v.field("position", s.position);
  v.field("length", s.length);
  v.field("bytes", s.bytes);
  v.field("errnum", s.errnum);
}

template <>
inline constexpr std::string_view kTypeName<msg::EventBlock> = "event_block";
template <class V, Is<msg::EventBlock> S>
void describe(V& v, S& s) {
  v.field("records", s.records);
  v.field("last", s.last);
}

template <>
inline constexpr std::string_view kTypeName<msg::TaskNotice> = "task_notice";
template <class V, Is<msg::TaskNotice> S>
void describe(V& v, S& s) {
  v.field("job", s.job);
  v.field("task", s.task);
  v.field("instance", s.instance);
  v.field("worker", s.worker);
  v.field("text", s.text);
  v.field("at", s.at);
}

template <>
inline constexpr std::string_view kTypeName<msg::WorkerOverview> = "worker_overview";
template <class V, Is<msg::WorkerOverview> S>
void describe(V& v, S& s) {
  v.field("worker", s.worker);
  v.field("overview", s.overview);
  v.field("at", s.at);
}

template <>
inline constexpr std::string_view kTypeName<msg::AllocQueueAdded> = "alloc_queue_added";
template <class V, Is<msg::AllocQueueAdded> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
}

template <class V, Is<msg::AllocQueueInfo> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("params", s.params);
  v.field("paused", s.paused);
  v.field("paused_by_failures", s.paused_by_failures);
  v.field("known_resources", s.known_resources);
  v.field("failed_submissions", s.failed_submissions);
  v.field("failed_allocations", s.failed_allocations);
  v.field("last_failure", s.last_failure);
  v.field("next_attempt", s.next_attempt);
}

template <>
inline constexpr std::string_view kTypeName<msg::AllocQueueList> = "alloc_queue_list";
template <class V, Is<msg::AllocQueueList> S>
void describe(V& v, S& s) {
  v.field("queues", s.queues);
}

template <class V, Is<msg::AllocationInfo> S>
void describe(V& v, S& s) {
  v.field("id", s.id);
  v.field("number", s.number);
  v.field("workers", s.workers);
  v.field("directory", s.directory);
  v.field("state", s.state);
  v.field("queued", s.queued);
  v.field("started", s.started);
  v.field("ended", s.ended);
  v.field("end", s.end);
  v.field("cause", s.cause);
}

template <>
inline constexpr std::string_view kTypeName<msg::AllocationList> = "allocation_list";
template <class V, Is<msg::AllocationList> S>
void describe(V& v, S& s) {
  v.field("queue", s.queue);
  v.field("allocations", s.allocations);
}

template <>
inline constexpr std::string_view kTypeName<msg::AllocationPlace> = "allocation_place";
template <class V, Is<msg::AllocationPlace> S>
void describe(V& v, S& s) {
  v.field("directory", s.directory);
}

}  // namespace hq
