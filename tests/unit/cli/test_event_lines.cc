#include <doctest/doctest.h>

#include <sstream>

#include "cli/commands/event_lines.h"
#include "support/builders.h"

using namespace hq;
using namespace hq::cli;
using test::submit;

namespace {

constexpr WallTime kTime{1'767'261'600'123'456'789};

// Events in, lines out; lines without their frame and time.
class Told {
 public:
  void add(Event event) { lines_.take({kTime, std::move(event)}); }
  void end(uint32_t job, uint32_t task, bool finished, WorkerId worker = WorkerId(1)) {
    add(TasksAssigned{worker, {{JobId(job), {task, task, 1}, InstanceId(0), 0, true}}});
    TaskEnd e;
    e.task = {JobId(job), TaskId(task)};
    e.at = kTime;
    e.finished = finished;
    if (!finished) e.failure = {FailureKind::kExit, 1, {}};
    add(TasksEnded{worker, {e}});
  }
  void worker() {
    add(WorkerConnected{WorkerId(1), WorkerUid(1), std::make_shared<WorkerConfig>(test::worker_config(4))});
  }
  void job(uint32_t id, const test::SubmitBuilder& builder, std::optional<uint32_t> max_fails = {}) {
    add(JobSubmitted{JobId(id), JobUid(1), false, "j", max_fails, builder.shared()});
  }
  std::vector<std::string> take() {
    std::vector<std::string> out;
    std::istringstream in(std::exchange(text_, ""));
    for (std::string line; std::getline(in, line);) {
      const std::string frame = R"({"event":)";
      const std::string end = R"(,"time":"2026-01-01T10:00:00.123Z"})";
      REQUIRE(line.starts_with(frame));
      REQUIRE(line.ends_with(end));
      out.push_back(line.substr(frame.size(), line.size() - frame.size() - end.size()));
    }
    return out;
  }

 private:
  std::string text_;
  EventLines lines_{[this](std::string_view piece) { text_ += piece; }};
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("events of servers, workers and submits are told as the original tells them") {
  Told told;
  told.add(ServerStarted{"abcdef"});
  told.worker();
  told.job(1, submit().array(1, 2).cpus(3));
  told.add(WorkerLost{WorkerId(1), LossReason::kHeartbeatLost});
  told.add(ServerStopped{});

  CHECK(
      told.take() ==
      Lines{
          R"({"server_uid":"abcdef","type":"server-start"})",
          R"({"configuration":{"extra":{"ProcessPid":"0"},"group":"default","heartbeat_interval":{"nanos":0,"secs":8},"hostname":"n1","idle_timeout":null,"listen_address":"","min_utilization":0.0,"on_server_lost":"Stop","overview_configuration":{"gpu_families":[],"send_interval":null},"resources":{"coupling":{"weights":[]},"resources":[{"kind":{"Range":{"end":3,"start":0}},"name":"cpus"}]},"retract_check_interval":{"nanos":0,"secs":30},"time_limit":null,"work_dir":""},"id":1,"type":"worker-connected"})",
          R"({"closed_job":true,"job":1,"job_desc":{"max_fails":null,"name":"j"},"submit_desc":{"stream_path":null,"submit_dir":"/home/u","task_desc":{"crash_limit":{"MaxCrashes":5},"ids":{"ranges":[{"count":2,"start":1,"step":1}]},"priority":0,"resources":{"variants":[{"min_time":{"nanos":0,"secs":0},"n_nodes":0,"resources":[{"policy":{"Compact":30000},"resource":"cpus"}],"weight":10000}]},"time_limit":null}},"type":"job-created"})",
          R"({"id":1,"reason":"HeartbeatLost","type":"worker-lost"})",
          R"({"type":"server-stop"})",
      });
}

TEST_CASE(
    "a task that started and ended in one report is told to have started, and the last one ends the job") {
  Told told;
  told.worker();
  told.job(1, submit());
  told.take();

  told.end(1, 0, true);

  CHECK(told.take() == Lines{
                           R"({"instance":0,"job":1,"task":0,"type":"task-started","worker":1})",
                           R"({"job":1,"task":0,"type":"task-finished"})",
                           R"({"job":1,"type":"job-completed"})",
                       });
}

TEST_CASE("what falls with a failed task is told before it, once") {
  Told told;
  told.worker();
  told.job(1, submit().task(1).task(2, {1}).task(3, {2}));
  told.take();

  told.end(1, 1, false);
  told.add(TasksAborted{JobId(1), {TaskId(2), TaskId(3)}});

  CHECK(told.take() ==
        Lines{
            R"({"instance":0,"job":1,"task":1,"type":"task-started","worker":1})",
            R"({"tasks":[{"job_id":1,"job_task_id":2},{"job_id":1,"job_task_id":3}],"type":"task-aborted"})",
            R"({"error":"Program terminated with exit code 1.","job":1,"task":1,"type":"task-failed"})",
            R"({"job":1,"type":"job-completed"})",
        });
}

TEST_CASE("max-fails: the failure, then what it aborts, then the end of the job") {
  Told told;
  told.worker();
  told.job(1, submit().array(0, 3), 0);
  told.take();

  told.end(1, 1, false);
  told.add(JobAborted{JobId(1)});

  CHECK(told.take() ==
        Lines{
            R"({"instance":0,"job":1,"task":1,"type":"task-started","worker":1})",
            R"({"error":"Program terminated with exit code 1.","job":1,"task":1,"type":"task-failed"})",
            R"({"tasks":[{"job_id":1,"job_task_id":0},{"job_id":1,"job_task_id":2}],"type":"task-aborted"})",
            R"({"job":1,"type":"job-completed"})",
        });
}

TEST_CASE("an open job is canceled, and ends when it is closed") {
  Told told;
  told.add(JobOpened{JobId(1), JobUid(1), "o", 4});
  told.add(JobSubmitted{JobId(1), JobUid(1), true, "", {}, submit().program({"/bin/true"}).shared()});
  Lines lines = told.take();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == R"({"job_id":1,"max_fails":4,"name":"o","type":"job-open"})");
  CHECK(lines[1].starts_with(R"({"closed_job":false,"job":1,"job_desc":{"max_fails":null,"name":"true"})"));

  told.add(JobCanceled{JobId(1), "r"});
  told.add(JobClosed{JobId(1)});

  CHECK(told.take() == Lines{
                           R"({"job_id":1,"reason":"r","type":"job-cancel"})",
                           R"({"tasks":[{"job_id":1,"job_task_id":0}],"type":"task-canceled"})",
                           R"({"job_id":1,"type":"job-close"})",
                           R"({"job":1,"type":"job-completed"})",
                       });
}

TEST_CASE("a task that a loss makes fail is told after the loss") {
  Told told;
  told.worker();
  told.job(1, submit().crash_limit(1));
  told.add(TasksAssigned{WorkerId(1), {{JobId(1), {0, 0, 1}, InstanceId(0), 0, true}}});
  told.add(TasksStarted{WorkerId(1), {{{JobId(1), TaskId(0)}, InstanceId(0), 0, kTime}}});
  told.take();

  told.add(WorkerLost{WorkerId(1), LossReason::kConnectionLost});

  const Lines lines = told.take();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == R"({"id":1,"reason":"ConnectionLost","type":"worker-lost"})");
  CHECK(lines[1].ends_with(R"("job":1,"task":0,"type":"task-failed"})"));
  CHECK(lines[2] == R"({"job":1,"type":"job-completed"})");
}
