// The parts of a server and what its handlers share. Handlers (on_client.cc, on_worker.cc, on_timer.cc,
// dispatch.cc) get what happened and `now_`, and decide; record() and the send functions are the only ways in
// which they change anything.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hq/core/failure_watch.h"
#include "hq/core/scheduler.h"
#include "hq/protocol/client_codec.h"
#include "hq/protocol/worker_codec.h"
#include "hq/server/server.h"
#include "server/alloc_work.h"
#include "server/outbox.h"
#include "server/outputs.h"
#include "server/pages.h"
#include "server/sessions.h"
#include "server/waiters.h"

namespace hq {

// A worker ends its tasks when its window is over; SIGINT to SIGKILL take it a second, and the message its
// time.
inline constexpr Duration kFenceGrace = 1500ms;

struct Server::Impl {
  Impl(ServerOptions options, ServerPorts ports, Now start, State restored);

  // --- the turn (server.cc) -------------------------------------------------------------------------------
  std::optional<TimePoint> turn(Now now);
  WorkerLink& add_link(WorkerId worker, const WorkerConfig& config);
  [[nodiscard]] Now without_steps(Now now) const;
  void read_workers();
  void read_clients();
  // Before something new is accepted; what the client is told if the journal has no room for it.
  [[nodiscard]] std::optional<std::string> refuse_for_room();
  void begin_stopping();
  void commit_turn();
  void commit_and_send();
  void end_stopping();
  std::optional<TimePoint> next_deadline();

  // --- what handlers may do (server.cc) -------------------------------------------------------------------
  // Applies a durable fact and what follows from it, and puts it into this turn's commit.
  Effects record(Event event);
  void send(PeerId worker_peer, SessionId session, const msg::ToWorker& message);
  void send_now(PeerId worker_peer, SessionId session, const msg::ToWorker& message);
  void send_ahead(PeerId worker_peer, SessionId session, const msg::ToWorker& message);
  void reply(PeerId client, RequestId id, const msg::ClientReply& message);
  // The answer to a question. It rests on what has been recorded too, but when the disk stands still it does
  // not wait for that.
  void answer(PeerId client, RequestId id, const msg::ClientReply& message);
  [[nodiscard]] bool journal_stalls() const;
  void after_event(const Effects& effects);
  // What a task's failure brings with it: max-fails, dependents.
  void after_failures(const std::vector<JobTask>& failed);
  void end_dependents(JobId id, const std::vector<TaskId>& ended);
  void judge_max_fails(JobId id);
  void cancel_on_workers(const Job& job, const std::vector<TaskId>& tasks);

  // --- what workers report (on_worker.cc) ------------------------------------------------------------------
  void on_worker_frame(PeerId from, BytesView frame);
  void note_ack(WorkerSession& session);
  void on_report(WorkerSession& session, const msg::Report& report);
  void on_started(WorkerId worker, const std::vector<msg::StartedTask>& rows);
  void on_ended(WorkerId worker, const std::vector<msg::EndedTask>& rows);
  void on_returned(WorkerSession& session, const msg::Returned& returned);
  void on_heartbeat(WorkerSession& session, const msg::Heartbeat& heartbeat);

  // --- workers that come (on_hello.cc) ---------------------------------------------------------------------
  void on_hello(PeerId from, msg::Hello&& page);
  void complete_hello(PeerId from);
  [[nodiscard]] const WorkerState* known_worker(const msg::Hello& hello) const;
  [[nodiscard]] const WorkerState* given_up_worker(const msg::Hello& hello) const;
  void fence_earlier_boots(const WorkerConfig& config);
  using KnownStarts = std::map<JobTask, WallTime>;
  KnownStarts reclaim(WorkerId worker, WorkerId lost, const msg::Hello& hello);
  // `in_doubt`: what was handed out to it before is not known for sure.
  void adopt(WorkerSession& session, const msg::Hello& hello, const KnownStarts& known_starts, bool in_doubt,
             msg::Welcome& welcome);
  void release_unlisted(WorkerId worker, const msg::Hello& hello);
  [[nodiscard]] bool is_held(WorkerId lost, const msg::HeldTask& held) const;
  void fence(WorkerId worker);
  // How long it may run its tasks after a heartbeat of which it has an answer.
  [[nodiscard]] Duration window_of(const WorkerConfig& config, Duration resume_window) const;

  // --- workers that go (worker_loss.cc) --------------------------------------------------------------------
  void on_goodbye(WorkerSession& session, const msg::Goodbye& goodbye);
  void keep_last_lines(WorkerId worker, const std::vector<std::string>& lines);
  // Whether its processes are known to have ended.
  enum class Proof { kEnded, kNone };
  void lose_worker(WorkerId worker, LossReason reason, const std::string& why, Proof proof);
  // The loss that ends this multi-node task, if one of its workers is gone.
  [[nodiscard]] std::optional<LossReason> broken_gang(const JobTask& task) const;
  void end_broken_gang(const WorkerState& root);
  void probe_workers();
  void plan_probe();
  void on_gone(PeerId peer);

  // --- after damage (after_damage.cc) ----------------------------------------------------------------------
  void conclude_failures();
  [[nodiscard]] bool waits_for_inventories();
  void claim_unknown(WorkerId worker, const msg::Hello& hello);

  // --- output that is kept here (output.cc) ----------------------------------------------------------------
  void on_output_hello(PeerId from, SessionId number, const msg::OutputHello& hello);
  void on_output_data(PeerId from, msg::OutputData&& data);
  // Rests on no commit, and nothing of it may be lost.
  void send_output(PeerId peer, SessionId session, const msg::ToWorker& message);
  void confirm_output();
  void on_batch_done(const LogBatchDone& done);
  bool drop_output_peer(PeerId peer);

  // --- clients that look at output (peek.cc)
  // ----------------------------------------------------------------
  [[nodiscard]] std::optional<PeekTarget> target_of(const Job& job, const Job::Place& place, TaskId id,
                                                    OutputChannel channel) const;
  void on_peeked(WorkerSession& session, msg::OutputPeeked&& peeked);
  void answer_peek(Peeked&& peeked);
  void take_peeked();
  void give_up_peeks();

  // --- workers whose tasks fail oddly often (suspects.cc) --------------------------------------------------
  void watch_failures(const Effects& effects);
  void judge_suspects();
  void hold_questionable();
  void on_suspects(const std::vector<WorkerId>& found);
  // At most so many new tasks for these.
  [[nodiscard]] std::map<WorkerId, uint64_t> tasks_for_quarantined() const;
  [[nodiscard]] std::optional<TimePoint> next_probe() const;
  void note_probe(const Placed& placed, const std::vector<AssignedRange>& ranges);
  void note_probe_end(WorkerId worker, const msg::EndedTask& row);
  void clear_suspicion(WorkerId worker);
  [[nodiscard]] std::string host_of(WorkerId worker) const;
  [[nodiscard]] msg::WorkerDetail shown_worker(const WorkerState& worker) const;

  // --- what tasks say (notices.cc) -------------------------------------------------------------------------
  void on_notice(WorkerSession& session, msg::Notice&& notice);
  void pass_on_notices();
  void pass_on_notices(WorkerId worker);
  [[nodiscard]] bool has_listener_without_room(JobId job) const;
  void tell(const msg::Notice& notice, WorkerId worker);
  void tell_all_of(const Waiter& waiter);

  // --- allocations (allocs.cc) -----------------------------------------------------------------------------
  void recall_submissions();
  void run_allocations();
  [[nodiscard]] std::optional<TimePoint> next_alloc_deadline() const;
  void decide_on_allocations();
  void submit_next(AllocQueueId queue);
  void end_allocation(const AllocationKey& key, AllocationEndKind kind, bool failed, const std::string& cause,
                      const BatchStatus& told = {});
  void cancel_allocation(const AllocQueue& queue, const Allocation& allocation);
  void note_alloc_worker(WorkerId worker, const WorkerConfig& config);
  void note_alloc_worker_lost(WorkerId worker, const WorkerConfig& config);
  // At the server's end; what is being submitted meanwhile is canceled too.
  void cancel_all_allocations();
  [[nodiscard]] bool allocations_settled() const;
  [[nodiscard]] msg::AllocQueueInfo shown_queue(const AllocQueue& queue) const;

  // --- what batch systems answer (alloc_answers.cc) --------------------------------------------------------
  void refresh_allocations();
  void ask_batch(BatchRequest request, AllocWork::Purpose purpose);
  void release_batch_requests(CommitNumber committed);
  void take_batch_answers();
  void on_batch(BatchAnswer&& answer, const AllocWork::Submitting& purpose);
  void on_batch(BatchAnswer&& answer, const AllocWork::Recalling& purpose);
  void on_batch(BatchAnswer&& answer, const AllocWork::Trying& purpose);
  void on_batch(BatchAnswer&& answer, const AllocWork::Asking& purpose);
  void on_batch(BatchAnswer&& answer, const AllocWork::Canceling& purpose);
  void on_batch(BatchAnswer&& answer, const AllocWork::Discarding& purpose);
  void note_queued(AllocQueueId queue, uint32_t number, const std::string& id);
  void note_status(const Allocation& allocation, const BatchStatus& status);

  // --- how busy workers are (overviews.cc) -----------------------------------------------------------------
  void on_measured(WorkerSession& session, msg::Measured&& measured);
  // Temporary overviews are wanted while a client follows them.
  void follow_overviews();

  // --- handing out (dispatch.cc) ---------------------------------------------------------------------------
  [[nodiscard]] const char* why_paused();
  [[nodiscard]] bool pause_is_over() { return paused && why_paused() == nullptr; }
  void schedule();
  void hand_out(const Placed& placed);
  void forget_refusals(WorkerId worker);
  void define(WorkerSession& session, const TaskGroup& group, uint64_t position);

  // --- clients (on_client.cc, on_query.cc) -----------------------------------------------------------------
  void on_client_frame(PeerId from, Bytes frame);
  void on(PeerId from, RequestId id, msg::GetServerInfo&& request);
  void on(PeerId from, RequestId id, msg::StopServer&& request);
  void on(PeerId from, RequestId id, msg::DebugDump&& request);
  void on(PeerId from, RequestId id, msg::FlushJournal&& request);
  void on(PeerId from, RequestId id, msg::PruneJournal&& request);
  void on(PeerId from, RequestId id, msg::FollowEvents&& request);
  void on(PeerId from, RequestId id, msg::Submit&& request);
  void on(PeerId from, RequestId id, msg::UploadEntries&& request);
  void on(PeerId from, RequestId id, msg::ResubmitJob&& request);
  void on(PeerId from, RequestId id, msg::OpenJob&& request);
  void on(PeerId from, RequestId id, msg::CloseJobs&& request);
  void on(PeerId from, RequestId id, msg::CancelJobs&& request);
  void on(PeerId from, RequestId id, msg::ForgetJobs&& request);
  void on(PeerId from, RequestId id, msg::ListJobs&& request);
  void on(PeerId from, RequestId id, msg::GetJobs&& request);
  void on(PeerId from, RequestId id, msg::WaitJobs&& request);
  void on(PeerId from, RequestId id, msg::ListWorkers&& request);
  void on(PeerId from, RequestId id, msg::GetWorkers&& request);
  void on(PeerId from, RequestId id, msg::StopWorkers&& request);
  void on(PeerId from, RequestId id, msg::ResumeWorkers&& request);
  void on(PeerId from, RequestId id, msg::ReadOutput&& request);
  void on(PeerId from, RequestId id, msg::ExplainTask&& request);
  void on(PeerId from, RequestId id, msg::AddAllocQueue&& request);
  void on(PeerId from, RequestId id, msg::TryAllocation&& request);
  void on(PeerId from, RequestId id, msg::ListAllocQueues&& request);
  void on(PeerId from, RequestId id, msg::GetAllocations&& request);
  void on(PeerId from, RequestId id, msg::FindAllocation&& request);
  void on(PeerId from, RequestId id, msg::PauseAllocQueue&& request);
  void on(PeerId from, RequestId id, msg::ResumeAllocQueue&& request);
  void on(PeerId from, RequestId id, msg::RemoveAllocQueue&& request);
  void add_queue(PeerId from, RequestId id, std::shared_ptr<const AllocParams> params);
  void try_allocation(PeerId from, RequestId id, const AllocParams& params, bool add);
  [[nodiscard]] std::vector<msg::FailureGroup> failure_groups(const Job& job) const;
  JobId submit_again(const Job& old, std::vector<SubmitDescription> submits);
  void note_why_not_now(ClassId klass, int32_t priority, std::vector<WorkerConditions>& workers);
  [[nodiscard]] std::string not_now(ClassId klass, int32_t priority, const WorkerState& worker) const;
  void abort_hopeless(JobId job);
  void pump_pages();
  [[nodiscard]] bool has_room_for_page(PeerId client) const;
  void probe_clients();
  void drop_client(PeerId client);
  void answer_prunes();
  void end_events();

  // --- entries ahead of their submit (uploads.cc) ----------------------------------------------------------
  // Puts them into the submit; else what the client is told.
  [[nodiscard]] std::optional<std::string> take_uploaded(PeerId from, RequestId id, msg::Submit& request);
  [[nodiscard]] std::optional<std::string> refuse_more(const Entries& entries, const Entries& more) const;

  // --- time (on_timer.cc) ----------------------------------------------------------------------------------
  void on_timer();
  void judge_silence();
  void end_fences();
  void judge_idleness();
  void answer_waiters();

  ServerOptions options;
  ServerPorts ports;
  State state;
  Sessions sessions;
  Outputs outputs;
  struct PendingPeek {
    PeerId client;
    RequestId request;
    msg::OutputPiece piece;  // as far as it is known
    TimePoint until{};
    WorkerId worker;  // that was asked; 0: we look ourselves
  };
  std::map<PeekId, PendingPeek> peeks;
  std::map<WorkerId, HardwareOverview> overviews;  // the newest of each worker that is there
  bool overviews_followed = false;                 // workers have been told to measure
  std::set<WorkerId> notices_held;                 // workers with notices that nobody has taken yet
  uint64_t last_peek = 0;
  AllocWork allocs;
  Outbox to_workers;
  Outbox to_clients;
  Waiters waiters;
  Pages pages;
  struct Upload {
    RequestId submit;
    Entries entries;
  };
  std::map<PeerId, Upload> uploads;  // not submitted so far; one of a client
  size_t late_upload_probes = 0;     // still to do
  struct PendingPrune {
    PeerId client;
    RequestId request;
    uint64_t number;  // of the journal
  };
  std::deque<PendingPrune> prunes;
  Now now_;
  std::vector<Record> turn_records;
  CommitNumber last_commit = 0;

  std::vector<PeerId> acks_due;  // peers whose session says so
  size_t request_bytes = 0;      // of the request in hand

  Scheduler scheduler;
  bool wake_scheduler = false;
  bool pass_under_way = false;  // of the scheduler; what wakes it meanwhile gets a pass of its own
  // Placed tasks that came back because their indices lie wrong; until something ends on that worker.
  std::set<std::pair<WorkerId, ClassId>> refused;
  std::optional<TimePoint> schedule_at;
  bool paused = false;  // the last pass was not made, whatever waits
  FailureWatch failure_watch;
  TimePoint next_judgement{};
  std::set<WorkerId> held_workers;  // get nothing until it is known whether they are suspect
  struct Quarantine {
    TimePoint next_probe{};
    std::map<JobTask, InstanceId> probes;  // handed out
    uint32_t finished = 0;                 // probes, one after the other
  };
  std::map<WorkerId, Quarantine> quarantined;
  // What workers said last in their log, for `worker info`; of the newest only.
  std::map<WorkerId, std::vector<std::string>> last_lines;
  std::set<WorkerId> closed;  // get no new tasks: stopping, or at their end
  std::set<WorkerId> away;    // without a connection now: get new tasks after their next hello
  // Lost workers whose tasks are held, and until when.
  std::map<WorkerId, TimePoint> fences;
  uint64_t next_session = 1;
  uint64_t next_retraction = 1;
  std::set<PeerId> asked_back;   // no other session has a retraction or waits to be asked again
  uint32_t heard = 0;            // frames in this turn
  uint32_t heartbeats = 0;       // of these
  bool workers_drained = false;  // the workers' socket was read to its end this turn
  TimePoint started_at{};
  TimePoint last_turn{};
  TimePoint next_check{};  // of silence and idleness
  std::optional<TimePoint> probe_again;
  size_t probes_planned = 0;  // since the last hint that a connection has closed
  TimePoint last_probe{};
  bool stopping = false;
  bool leaving = false;  // stopping, but to come back: workers go on
  TimePoint stopping_since{};
  // ServerStopped is recorded; from when it is safe on, peers that take nothing are waited for until then.
  bool stop_recorded = false;
  std::optional<TimePoint> stop_until;
  bool stop_sent = false;
  bool events_ended = false;  // all are safe, and none will come
  uint64_t bad_frames = 0;
};

// What is wrong with a submit, for the one who sent it; nothing if it can be taken.
[[nodiscard]] std::optional<std::string> refuse_submit(const State& state, const msg::Submit& request);
// A copy for display: no entries, no stdin, no graph, long arguments replaced by "<N bytes>", at most 128
// arguments.
[[nodiscard]] SubmitDescription reduced(const SubmitDescription& submit);
[[nodiscard]] msg::JobStatus status_of(TaskState state);
[[nodiscard]] msg::JobStatus status_of(const Job& job);
[[nodiscard]] msg::JobSummary summary_of(const Job& job);
[[nodiscard]] msg::WorkerDetail detail_of(const WorkerState& worker, const Scheduler& scheduler);
// The ids a selection means, ascending for last and all, in written order for ids (they may not exist).
[[nodiscard]] std::vector<JobId> selected_jobs(const State& state, const msg::Selection& selection);
[[nodiscard]] std::vector<WorkerId> selected_workers(const State& state, const msg::Selection& selection);

}  // namespace hq
