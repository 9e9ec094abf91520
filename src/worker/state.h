// All that a worker knows, and its handlers. worker.cc has the turn; on_server.cc, on_process.cc and
// on_timer.cc take inputs; start.cc decides what runs; ending.cc how the worker ends.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hq/core/resource_pool.h"
#include "hq/protocol/worker_messages.h"
#include "hq/worker/worker.h"
#include "worker/backlog.h"
#include "worker/launch_plan.h"
#include "worker/launches.h"
#include "worker/output_session.h"
#include "worker/reports.h"
#include "worker/session.h"
#include "worker/task.h"

namespace hq {

// kServing until it is decided that the worker ends:
//   kFinishing: the server is lost; what runs may end by itself, nothing else starts
//   kStopping:  the tasks were stopped; waiting for their ends
//   kLeaving:   no task left; the server hears the rest and our goodbye
enum class Phase : uint8_t { kServing, kFinishing, kStopping, kLeaving, kFinished };

// Follows the goodbye, so that its answer proves that the goodbye was read.
inline constexpr uint64_t kFarewellBeat = UINT64_MAX;

struct Ending {
  int exit_code = 0;
  std::optional<Error> error;
  std::optional<msg::Goodbye> goodbye;  // nothing to say when the server is lost
};

struct PendingRetract {
  uint64_t number = 0;
  size_t outstanding = 0;  // successors asked back from the launcher
  std::vector<Attempt> given;
};

// A task whose process has ended and whose output is not safe yet.
struct Keeping {
  Task task;
  msg::EndedTask::Outcome outcome = msg::EndedTask::Outcome::kFinished;
  TaskUsage usage;
  Failure failure;
};

struct Prepared {
  LaunchRequest request;
  std::string token;
};

struct Worker::State {
  State(WorkerOptions options, WorkerPorts ports, Now start);

  // on_server.cc
  bool handle_server(Now now);  // true if more may be waiting
  void on_notice(Session::Opened, Now now);
  void on_notice(Session::Lost lost, Now now);
  void on_notice(Session::GaveUp gave_up, Now now);
  void on_notice(msg::ToWorker message, Now now);
  void on(const msg::Welcome& message, Now now);
  void on(const msg::Refused&, Now) {}      // the session's business
  void on(const msg::HelloPlease&, Now) {}  //   "
  void on(const msg::Define& message, Now now);
  void on(const msg::Undefine& message, Now now);
  void on(const msg::RunTasks& message, Now now);
  void on(const msg::Retract& message, Now now);
  void on(const msg::CancelTasks& message, Now now);
  void on(const msg::Ack& message, Now now);
  void on(const msg::HeartbeatAck& message, Now now);
  void on(const msg::StopWorker& message, Now now);
  void on(const msg::OutputWelcome&, Now) {}  // of the other connection
  void on(const msg::OutputKept&, Now) {}     //   "
  void on(const msg::PeekOutput& message, Now now);
  void on(const msg::NoticeAck& message, Now now);
  void on(const msg::MeasureEvery& message, Now now);
  bool take_in(const msg::Run& run);
  [[nodiscard]] std::vector<msg::Hello> make_hello(Now now);
  void send_returned(uint64_t retract, std::vector<Attempt> attempts);
  void answer_retract_if_complete();
  // Waiting ones are forgotten, running ones stopped and their ends reported.
  void drop_or_stop(const std::function<bool(const Attempt&)>& wanted, Now now);
  void renew_fence(Now now);

  // on_process.cc
  bool handle_processes(Now now);
  void on_started(Launch& launch, Now now);
  void on_exited(LaunchId id, const ProcessEvent& event, Now now);
  void on_failed(LaunchId id, const ProcessEvent& event, Now now);
  void on_dropped(LaunchId id, Now now);
  void on_launcher_gone(Now now);
  void report_end(const Task& task, msg::EndedTask::Outcome outcome, const TaskUsage& usage, Failure failure,
                  Now now);

  // output.cc
  void begin_output(Launch& launch, const ProcessEvent& event);
  bool handle_output(Now now);  // true if more may be waiting
  void conclude(LaunchId id, const Launch& launch, msg::EndedTask::Outcome outcome, const TaskUsage& usage,
                Failure failure, Now now);
  void report_kept(const Keeping& kept, Now now);
  void tell_without_output(const std::function<bool(const Attempt&)>& wanted);
  void report_told(Now now);
  void answer_peeks();

  // notices.cc
  void pass_on_notices();
  void say_notices_again();
  [[nodiscard]] const Launch* speaker(const std::string& token) const;

  // on_timer.cc
  void on_timer(Now now);
  void end_if_idle(Now now);
  void tell_measurements(Now now);
  [[nodiscard]] bool ends_when_idle() const;
  [[nodiscard]] std::optional<TimePoint> known_end() const;
  void on_task_limits(Now now);
  void return_what_outlives_us(Now now);
  void free_stuck_successors(Now now);
  void send_reports(Now now);
  [[nodiscard]] std::optional<TimePoint> next_deadline(Now now) const;

  // start.cc
  void start_ready(Now now);
  void start_slots(Now now);
  void start_backlog(Now now);
  void hand_successors(Now now);
  void recall_for_free_resources();
  void recall_behind(int32_t priority);
  void launch(Task task, ResourceClaim claim, Now now);
  bool hand(uint64_t chain_number, Task task, Now now);
  bool prepare(Task& task, const ResourceClaim& claim, Prepared& prepared, Now now);
  [[nodiscard]] bool outlives(const ResourceVariant& variant, Now now) const;  // we live long enough for it
  [[nodiscard]] size_t waiting() const { return slots.size() + backlog.size() + launches.handed(); }
  void recall(Launch& launch, Recall purpose);
  void recall_from(const Chain& chain, size_t position, Recall purpose);
  void recall_all(Recall purpose);
  void stop(Launch& launch, StopCause cause);
  void forget(const Task& task) { known.erase(task.attempt); }

  // ending.cc
  void server_lost(Now now, std::string why, bool must_stop);
  void drop_waiting();
  void begin_stopping(Now now, Ending how);
  void on_ending(Now now);
  void leave(Now now);
  void finish();

  const WorkerOptions options;
  const WorkerPorts ports;
  const WorkerFacts facts;
  const TimePoint born;
  const WorkerUid uid;

  Session session;
  OutputSession output_session;
  WorkerId number;
  std::string server_uid;
  std::optional<Registration> registration;  // until it was taken
  bool signalled = false;
  std::optional<TimePoint> fence;

  std::unordered_map<DefinitionId, std::shared_ptr<Definition>> definitions;  // of this session
  // Of earlier sessions: taken up again if the server defines the same once more.
  std::unordered_map<DefinitionId, std::weak_ptr<Definition>> former_definitions;
  std::map<ResourceVariant, std::weak_ptr<const Request>> requests;
  size_t last_purge = 0;
  uint32_t last_request = 0;
  uint32_t last_template = 0;
  uint64_t last_launch = 0;
  std::shared_ptr<const Request> intern(const ResourceVariant& variant);

  ResourcePool pool;
  std::unordered_set<Attempt, AttemptHash> known;  // in slots, backlog or launches
  std::deque<Task> slots;                          // placed by the server, in order of arrival
  Backlog backlog;
  Launches launches;
  std::map<LaunchId, Keeping> keeping;
  std::vector<Keeping> told;        // no longer in `keeping`, to be reported in this turn
  std::vector<Task> ended_with_us;  // started, and stopped since this worker ends
  Reports reports;
  std::multimap<TimePoint, LaunchId> task_limits;
  std::deque<msg::Notice> notices;  // said to the server, not acknowledged
  uint64_t last_notice = 0;
  std::optional<PendingRetract> retract;
  std::deque<msg::Retract> later_retracts;
  std::vector<Attempt> unasked_returns;
  TimePoint next_retract_check;
  std::optional<TimePoint> idle_since;
  std::optional<Duration> measure_interval;  // of the configuration, or as the server said in this session
  TimePoint next_measurement{};

  Phase phase = Phase::kServing;
  Ending ending;
  TimePoint phase_deadline;
  bool goodbye_said = false;
};

}  // namespace hq
