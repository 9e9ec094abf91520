#include "support/protocol_samples.h"

#include "hq/protocol/client_codec.h"
#include "hq/protocol/worker_codec.h"
#include "support/builders.h"

namespace hq::samples {

namespace {

const WallTime kThen{1'700'000'000'123'456'789};

IdArray ids() {
  IdArray out;
  out.parts.push_back({{1, 9, 2}, 10});
  out.parts.push_back({{70'000, 70'000, 1}, 70'000});
  return out;
}

Entries entries(size_t count) {
  Entries out;
  for (size_t i = 0; i < count; ++i) out.add("line " + std::to_string(i));
  return out;
}

SubmitDescription array_submit() {
  SubmitDescription out;
  out.submit_dir = "/home/ann/project";
  out.ids = ids();
  out.task = task();
  out.entries = entries(6);
  out.stream_path = "/scratch/ann/stream";
  out.templates = {{"/scratch/ann/stream", "/scratch/ann/%{JOB_ID}"}};
  return out;
}

// Of seven entries, three of which went ahead.
SubmitDescription uploaded_submit() {
  SubmitDescription out;
  out.submit_dir = "/home/ann/project";
  out.ids = IdArray::consecutive(0, 7);
  out.task = task();
  out.entries = entries(4);
  return out;
}

SubmitDescription graph_submit() {
  SubmitDescription out;
  out.submit_dir = "/home/ann/project";
  out.graph.push_back({TaskId(4), {}, task()});
  out.graph.push_back({TaskId(7), {TaskId(4)}, TaskDescription{}});
  return out;
}

WorkerConfig config() {
  WorkerConfig out;
  out.resources.items = {
      {"cpus", ResourceGroups{{{"0", "1"}, {"2", "3"}}}},
      {"gpus/nvidia", ResourceList{{"GPU-1f", "GPU-2a"}}},
      {"mem", ResourceSum{Amount::from_scaled(1'234'567)}},
      {"ports", ResourceSpan{8000, 8010}},
  };
  out.resources.coupling = {{0, 1, 1, 0, 128}};
  out.hostname = "node17";
  out.listen_address = "node17:40123";
  out.group = "fast";
  out.work_dir = "/tmp/hq-work";
  out.heartbeat_interval = 4s;
  out.overview_interval = 1500ms;
  out.idle_timeout = 5min;
  out.time_limit = 2h;
  out.retract_check_interval = 10s;
  out.on_server_lost = OnServerLost::kFinishRunning;
  out.min_utilization = 0.5;
  out.manager = ManagerKind::kSlurm;
  out.manager_job_id = "4711";
  out.pid = 31'000;
  out.boot_id = "3d1c6d6e-0f5e-4a4b-9d8e-111111111111";
  return out;
}

msg::JobSummary summary() {
  msg::JobSummary out;
  out.id = JobId(12);
  out.name = "simulate";
  out.is_open = true;
  out.cancel_reason = "wrong input";
  out.task_count = 21;
  out.counts = {1, 2, 3, 4, 5, 6};
  return out;
}

std::vector<msg::TaskRow> mixed_rows() {
  std::vector<msg::TaskRow> rows = task_rows(5, 2);
  rows[0].workers = {WorkerId(3), WorkerId(4)};
  rows[0].variant = 1;
  rows[1].state = TaskState::kFailed;
  rows[1].instance = InstanceId(2);
  rows[1].exit_code = 1;
  rows[1].submit = 1;
  rows[1].failure = Failure{FailureKind::kErrorFile, 1, "disk full"};
  msg::TaskRow waiting;
  waiting.ids = {99, 9'999'999, 3};
  rows.push_back(waiting);
  return rows;
}

msg::Selection of_ids() {
  return {msg::Selection::Kind::kIds, ids()};
}

msg::JobDetail job_detail() {
  msg::JobDetail out;
  out.info = summary();
  out.max_fails = 3;
  out.submitted = kThen;
  out.finished = kThen + 90s;
  out.submits = {array_submit(), graph_submit()};
  out.workers = {{WorkerId(3), "node17"}, {WorkerId(4), "node18"}};
  out.failed_total = 4;
  out.failure_groups = {
      {FailureKind::kExit, -11, WorkerId(3), "node17", true, 3, TaskId(7), "Received signal 11"},
      {FailureKind::kBeforeLaunch, 2, WorkerId(4), "node18", false, 1, TaskId(70'000), "No directory"}};
  out.tasks = mixed_rows();
  out.more_tasks = true;
  return out;
}

HardwareOverview overview() {
  HardwareOverview out;
  out.cpu_percent = {0, 12.5, 100};
  out.memory = {68'719'476'736, 4'096};
  out.network = {1, 2, 3, 4, 5, 6};
  out.nvidia = {{"00000000:3B:00.0", 87, 12.5}};
  return out;
}

msg::WorkerDetail worker_detail() {
  msg::WorkerDetail out;
  out.id = WorkerId(3);
  out.config = config();
  out.started = kThen;
  out.lost = LossReason::kHeartbeatLost;
  out.ended = kThen + 60s;
  out.last_task = JobTask{JobId(12), TaskId(6)};
  out.last_task_time = kThen + 30s;
  out.assigned_tasks = 64;
  out.running_tasks = 4;
  out.reserved = true;
  out.last_lines = {"first", "l\xc3\xa4st"};
  Suspicion facts{kThen + 40s, JobId(12), {11, 12, 1, 300}, -17.25, TaskId(7), "exit code 1", 9, 8};
  out.suspicion = msg::WorkerSuspicion{facts, "11 of its 12 tasks failed", true};
  out.overview = overview();
  return out;
}

AllocParams alloc_params() {
  AllocParams out = test::full_alloc_params();
  out.resources = config().resources;
  return out;
}

msg::AllocQueueInfo alloc_queue() {
  msg::AllocQueueInfo out;
  out.id = AllocQueueId(3);
  out.params = alloc_params();
  out.paused = out.paused_by_failures = true;
  out.known_resources = config().resources;
  out.failed_submissions = 1;
  out.failed_allocations = 3;
  out.last_failure = "no partition";
  out.next_attempt = kThen + 60s;
  return out;
}

msg::AllocationInfo allocation() {
  msg::AllocationInfo out;
  out.id = "1234.host";
  out.number = 7;
  out.workers = 4;
  out.directory = "/home/ann/.hq-server/001/autoalloc/3-q/007";
  out.state = AllocationState::kFailed;
  out.queued = kThen;
  out.started = kThen + 1s;
  out.ended = kThen + 2s;
  out.end = AllocationEndKind::kUnexpected;
  out.cause = "Slurm says FAILED";
  return out;
}

std::vector<msg::HeldTask> held() {
  const JobUid uid(0x0123'4567'89ab'cdef);
  return {{uid, JobId(1), TaskId(2), InstanceId(0), true, 1},
          {uid, JobId(1), TaskId(3), InstanceId(1), false, 0},
          {JobUid(7), JobId(2), TaskId(0), InstanceId(0), false, 0}};
}

msg::Hello hello() {
  msg::Hello out;
  out.protocol = 1;
  out.min_protocol = 1;
  out.version = "1.0.0";
  out.server_uid = "a1B2c3";
  out.worker_uid = WorkerUid(0xfedc'ba98'7654'3210);
  out.worker = WorkerId(3);
  out.counter = 4;
  out.page = 1;
  out.last_page = false;
  out.config = config();
  out.age_s = 12.5F;
  out.held = held();
  out.ended = report(2).ended;
  out.last_report = 77;
  return out;
}

msg::Define define() {
  msg::Define out;
  out.definition = DefinitionId(9);
  out.job = JobId(12);
  out.job_uid = JobUid(0x0123'4567'89ab'cdef);
  out.server_uid = "a1B2c3";
  out.submit_dir = "/home/ann/project";
  out.job_name = "simulate";
  out.stream_path = "/scratch/ann/stream";
  out.task = std::make_shared<const TaskDescription>(task());
  return out;
}

msg::RunTasks run_tasks() {
  msg::RunTasks out;
  out.runs.push_back({DefinitionId(9), {0, 63, 1}, InstanceId(0), 0, false, false, std::nullopt, {}});
  out.runs.push_back({DefinitionId(9), {70, 80, 5}, InstanceId(2), 1, true, true, entries(3), {}});
  out.runs.push_back(
      {DefinitionId(10), {5, 5, 1}, InstanceId(0), 0, true, false, std::nullopt, {"n1.site", "n2.site"}});
  return out;
}

msg::Returned returned() {
  return {5, {{JobId(1), {10, 19, 1}, InstanceId(0)}, {JobId(2), {0, 8, 4}, InstanceId(1)}}};
}

msg::TaskExplanation task_explanation() {
  Condition cpus;
  cpus.resource = "cpus";
  cpus.asked = Amount::units(8);
  cpus.offered = Amount::units(4);
  Condition time;
  time.kind = Condition::Kind::kTime;
  time.met = true;
  time.min_time = 60s;
  time.remaining = 3600s;
  return {JobId(2),
          TaskId(7),
          3,
          1,
          {{WorkerId(1), {{cpus}, {time, cpus}}, "", "12 of its 12 tasks failed"},
           {WorkerId(4), {{}, {}}, "it is stopping", ""}}};
}

template <class Message, class Id>
void add_frames(std::vector<Frame>& out, const char* side, const std::vector<Sample<Message>>& all, Id id) {
  for (const auto& sample : all)
    out.push_back({std::string(side) + "/" + sample.name, encode(id, sample.message)});
}

}  // namespace

TaskDescription task() {
  TaskDescription out;
  out.program.args = {"./simulate", "--n", "12", "caf\xc3\xa9", "\xff\xfe"};
  out.program.env = {{"EMPTY", ""}, {"MODE", "fast"}};
  out.program.cwd = "/home/ann/project/run";
  out.program.stdout_spec = {StdioSpec::Kind::kFile, "out/%{TASK_ID}", true};
  out.program.stderr_spec = {StdioSpec::Kind::kNull, "", false};
  out.program.stdin_data = std::string("a\0b", 3);
  ResourceVariant first;
  first.entries = {{"cpus", Amount::units(2), Policy::kForceCompact},
                   {"gpus/nvidia", Amount::from_scaled(5'000), Policy::kScatter},
                   {"mem", Amount::from_scaled(9'007'199'254'740'993), Policy::kCompact},
                   {"ports", Amount(), Policy::kAll}};
  first.min_time = 90s;
  first.weight = 15'000;
  ResourceVariant second;
  second.nodes = 2;
  out.request.variants = {first, second};
  out.pin = PinMode::kOpenMp;
  out.task_dir = true;
  out.time_limit = 1min;
  out.memory_limit = 2'147'483'648;
  out.priority = -4;
  out.crash_limit = {CrashLimit::kUnlimited};
  return out;
}

msg::Report report(size_t tasks) {
  msg::Report out;
  out.number = 78;
  for (size_t i = 0; i < tasks; ++i) {
    const JobId job(i * 4 < tasks * 3 ? 1 : 2);
    const TaskId id(uint32_t(70'000 + i));
    const InstanceId instance(uint32_t(i % 2));
    const auto variant = uint8_t(i % 2);
    out.started.push_back({job, id, instance, variant, 0.002F});
    msg::EndedTask ended{JobUid(0x0123'4567'89ab'cdef), job, id, instance, variant};
    ended.ago_s = 0.0005F;
    ended.usage = {0.0015F, 0.00075F, 0.0004F, 1'640};
    out.ended.push_back(ended);
  }
  return out;
}

std::vector<msg::TaskRow> task_rows(uint32_t first, uint32_t count) {
  std::vector<msg::TaskRow> rows(count);
  for (uint32_t i = 0; i < count; ++i) {
    msg::TaskRow& row = rows[i];
    row.ids = {first + i, first + i, 1};
    row.state = TaskState::kFinished;
    row.started = true;
    row.start = kThen + Duration(i * 1000);
    row.end = row.start + 2ms;
    row.workers = {WorkerId(1 + i % 3)};
    row.usage = TaskUsage{0.002F, 0.00075F, 0.0004F, 1'640};
  }
  return rows;
}

std::vector<Sample<msg::ClientRequest>> requests() {
  const msg::Selection all{msg::Selection::Kind::kAll, {}};
  const msg::Selection last{msg::Selection::Kind::kLast, {}};
  msg::Submit graph{std::nullopt, "graph", std::nullopt, graph_submit(), false};
  return {
      {"get_server_info", msg::GetServerInfo{}},
      {"stop_server", msg::StopServer{true}},
      {"debug_dump", msg::DebugDump{"/tmp/dump.json"}},
      {"submit", msg::Submit{JobId(12), "simulate", 3, array_submit(), true, true}},
      {"submit_graph", graph},
      {"submit_uploaded",
       msg::Submit{std::nullopt, "lines", std::nullopt, uploaded_submit(), false, false, 3}},
      {"upload_entries", msg::UploadEntries{entries(3), 200'000'000}},
      {"resubmit_job", msg::ResubmitJob{last, {TaskState::kFailed, TaskState::kCanceled}}},
      {"open_job", msg::OpenJob{"later", 7}},
      {"close_jobs", msg::CloseJobs{last}},
      {"cancel_jobs", msg::CancelJobs{of_ids(), "wrong input"}},
      {"forget_jobs", msg::ForgetJobs{all, {TaskState::kFinished, TaskState::kCanceled}}},
      {"list_jobs", msg::ListJobs{}},
      {"flush_journal", msg::FlushJournal{}},
      {"prune_journal", msg::PruneJournal{}},
      {"follow_events", msg::FollowEvents{true, "Ab3dE6", 70'000, true}},
      {"get_jobs", msg::GetJobs{of_ids(), msg::GetJobs::Tasks::kAll, ids(), {TaskState::kFailed}, false}},
      {"wait_jobs", msg::WaitJobs{all, true, true, true}},
      {"list_workers", msg::ListWorkers{true}},
      {"get_workers", msg::GetWorkers{of_ids()}},
      {"explain_task", msg::ExplainTask{of_ids(), TaskId(7)}},
      {"stop_workers", msg::StopWorkers{all, true}},
      {"resume_workers", msg::ResumeWorkers{of_ids()}},
      {"add_alloc_queue", msg::AddAllocQueue{alloc_params(), true}},
      {"try_allocation", msg::TryAllocation{alloc_params()}},
      {"list_alloc_queues", msg::ListAllocQueues{}},
      {"get_allocations", msg::GetAllocations{AllocQueueId(3)}},
      {"find_allocation", msg::FindAllocation{"1234.host"}},
      {"pause_alloc_queue", msg::PauseAllocQueue{AllocQueueId(3)}},
      {"resume_alloc_queue", msg::ResumeAllocQueue{AllocQueueId(3)}},
      {"remove_alloc_queue", msg::RemoveAllocQueue{AllocQueueId(3), true}},
      {"read_output",
       msg::ReadOutput{JobId(12), TaskId(3), msg::ReadOutput::Channel::kStderr, 70'000, false, 4096}},
  };
}

std::vector<Sample<msg::ClientReply>> replies() {
  using Outcome = msg::ItemResult::Outcome;
  msg::ServerInfo info{"a1B2c3",    "login1", 40'001,
                       "login1-ib", 40'002,   "1.0.0",
                       4711,        kThen,    "/home/ann/hq.journal",
                       10min,       12s,      "/home/ann/hq.journal: No space left on device (os error 28)"};
  return {
      {"failed", msg::Failed{"Job 99 not found"}},
      {"done", msg::Done{}},
      {"end", msg::End{}},
      {"event_block", msg::EventBlock{std::string("\x01\x07\xff\0", 4), 70'001}},
      {"server_info", info},
      {"submitted", msg::Submitted{JobId(12)}},
      {"job_list", msg::JobList{{summary()}}},
      {"job_detail", job_detail()},
      {"graph_page", msg::GraphPage{JobId(12), 1, graph_submit().graph, true}},
      {"task_page", msg::TaskPage{JobId(12), mixed_rows(), true}},
      {"job_not_found", msg::JobNotFound{JobId(99)}},
      {"item_results", msg::ItemResults{{{1, Outcome::kOk, 4, 2}, {2, Outcome::kNotFound, 0, 0}}}},
      {"forgotten", msg::Forgotten{5, 2}},
      {"job_progress", msg::JobProgress{1, 2, {1, 2, 3, 4, 5, 6}, 21}},
      {"wait_finished", msg::WaitFinished{true}},
      {"worker_list", msg::WorkerList{{worker_detail()}}},
      {"worker_not_found", msg::WorkerNotFound{WorkerId(5)}},
      {"output_piece",
       msg::OutputPiece{TaskState::kRunning, InstanceId(1), true, true, 70'000, 70'005, "hello", 0}},
      {"task_explanation", task_explanation()},
      {"alloc_queue_added", msg::AllocQueueAdded{AllocQueueId(3)}},
      {"alloc_queue_list", msg::AllocQueueList{{alloc_queue()}}},
      {"allocation_list", msg::AllocationList{alloc_queue(), {allocation()}}},
      {"allocation_place", msg::AllocationPlace{"/home/ann/.hq-server/001/autoalloc/3-q/007"}},
      {"worker_overview", msg::WorkerOverview{WorkerId(5), overview(), kThen}},
      {"task_notice",
       msg::TaskNotice{JobId(12), TaskId(3), InstanceId(1), WorkerId(5), "half \xff done", kThen}},
  };
}

std::vector<Sample<msg::FromWorker>> from_worker() {
  msg::Report ends = report(4);
  ends.ended[1].outcome = msg::EndedTask::Outcome::kFailed;
  ends.ended[1].failure = {FailureKind::kExit, -9, ""};
  ends.ended[2].outcome = msg::EndedTask::Outcome::kStopped;
  return {
      {"hello", hello()},
      {"report", ends},
      {"returned", returned()},
      {"heartbeat", msg::Heartbeat{300}},
      {"goodbye", msg::Goodbye{msg::Goodbye::Reason::kTimeLimit, "time limit", {"one", "two"}}},
      {"output_hello", msg::OutputHello{WorkerUid(0xfedcba9876543210), 4}},
      {"output_data",
       msg::OutputData{9, JobId(12), JobUid(0x1122334455667788), "/scratch/ann/log", "records"}},
      {"output_peeked", msg::OutputPeeked{6, 70'000, 70'005, "hello", 0}},
      {"measured", msg::Measured{overview()}},
      {"notice", msg::Notice{8, JobId(12), TaskId(3), InstanceId(1), "half \xff done"}},
  };
}

std::vector<Sample<msg::ToWorker>> to_worker() {
  return {
      {"welcome", msg::Welcome{1, "a1B2c3", WorkerId(3), 30s, true, 77, held()}},
      {"refused", msg::Refused{"protocol 9 is not served here (1 to 1 are)"}},
      {"hello_please", msg::HelloPlease{}},
      {"define", define()},
      {"undefine", msg::Undefine{{DefinitionId(9), DefinitionId(70'000)}}},
      {"run_tasks", run_tasks()},
      {"retract", msg::Retract{5, DefinitionId(9), 40}},
      {"cancel_tasks", msg::CancelTasks{JobId(12), {{0, 63, 1}, {70, 80, 5}}}},
      {"ack", msg::Ack{78}},
      {"heartbeat_ack", msg::HeartbeatAck{300}},
      {"stop_worker", msg::StopWorker{msg::StopWorker::Reason::kIdle}},
      {"output_welcome", msg::OutputWelcome{8, 262'144, {5, 7}}},
      {"output_kept", msg::OutputKept{9, 131'072, {{TaskId(3), InstanceId(1), "no room"}}}},
      {"peek_output", msg::PeekOutput{6, 1, "/scratch/ann/stream", "a1B2c3", JobId(12), TaskId(3),
                                      InstanceId(1), 1, 70'000, false, 65'536}},
      {"notice_ack", msg::NoticeAck{8}},
      {"measure_every", msg::MeasureEvery{2s}},
  };
}

std::vector<Frame> frames() {
  std::vector<Frame> out;
  add_frames(out, "request", requests(), RequestId(41));
  add_frames(out, "reply", replies(), RequestId(41));
  add_frames(out, "from_worker", from_worker(), SessionId(1'000'001));
  add_frames(out, "to_worker", to_worker(), SessionId(1'000'001));
  return out;
}

}  // namespace hq::samples
