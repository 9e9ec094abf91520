#include <doctest/doctest.h>

#include "hq/base/log.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;
using Outcome = msg::EndedTask::Outcome;

namespace {

// A server under a policy, whose log is kept.
struct World {
  std::vector<std::string> logged;
  TestServer s;

  explicit World(SuspectPolicy policy, bool durable = false) : s(durable) {
    log::set_sink([this](log::Level level, std::string_view line) {
      if (level <= log::Level::kInfo) logged.emplace_back(line.substr(line.find(' ') + 1));
    });
    s.options.suspects = policy;
    s.server.reset();
    s.restart();
    logged.clear();
  }
  ~World() { log::set_sink({}); }

  TestWorker& add_worker(uint32_t cpus, const std::string& host) {
    WorkerConfig config = worker_config(cpus);
    config.hostname = host;
    return s.add_worker(config);
  }
  // All that it was handed has started.
  std::vector<JobTask> start_all(TestWorker& worker, JobId job) {
    std::vector<JobTask> tasks;
    for (const msg::Run& run : worker.runs()) {
      for (uint64_t id = run.ids.first; id <= run.ids.last; id += run.ids.step) {
        tasks.push_back({job, TaskId(uint32_t(id))});
        worker.started(job, uint32_t(id));
      }
    }
    return tasks;
  }
  // It fails what it is handed, up to so many tasks; how many it got.
  uint32_t fail_all(TestWorker& worker, JobId job, uint32_t most) {
    uint32_t failed = 0;
    while (failed < most) {
      s.turn();
      const auto runs = worker.runs();
      if (runs.empty()) break;
      msg::Report report{++worker.reports, {}, {}};
      for (const msg::Run& run : runs) {
        for (uint64_t id = run.ids.first; id <= run.ids.last; id += run.ids.step) {
          msg::EndedTask end = worker.end_of(job, uint32_t(id), Outcome::kFailed);
          end.usage.ran_s = 0.005F;
          report.ended.push_back(end);
          ++failed;
        }
      }
      worker.say(report);
      s.sleep(5ms);
      s.turn();
      s.sleep(300ms);  // long enough to be judged by it
      s.turn();
      while (!worker.heard_nothing() && s.workers.sent[worker.peer].size() > 0) {
        auto next = decode_to_worker(s.workers.sent[worker.peer].front());
        if (!std::holds_alternative<msg::Ack>(next->message)) break;
        worker.heard<msg::Ack>();
      }
    }
    return failed;
  }
  std::optional<msg::WorkerSuspicion> suspicion_of(const TestWorker& worker) {
    const PeerId client = s.new_client();
    s.request(client, msg::ListWorkers{});
    for (const auto& reply : s.replies(client)) {
      const auto* page = std::get_if<msg::WorkerList>(&reply.message);
      if (page == nullptr) continue;
      for (const msg::WorkerDetail& detail : page->workers) {
        if (detail.id == worker.id) return detail.suspicion;
      }
    }
    return {};
  }
  [[nodiscard]] bool has_logged(const std::string& part) const {
    return std::any_of(logged.begin(), logged.end(),
                       [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }
};

// Twenty tasks run on a good node, and a bad one beside it fails what it gets.
struct BadNode : World {
  TestWorker& good;
  TestWorker& bad;
  JobId job;

  explicit BadNode(SuspectPolicy policy, bool durable = false)
      : World(policy, durable), good(add_worker(20, "good1")), bad(add_worker(4, "bad7")) {
    job = s.submit(submit().array(0, 2000));
    start_all(good, job);
    s.sleep(100ms);
  }
};

}  // namespace

TEST_CASE("a suspect worker is logged and listed, with the reason, and gets tasks as before") {
  BadNode w(SuspectPolicy::kReport);

  CHECK(w.fail_all(w.bad, w.job, 100) >= 100);

  CHECK(w.has_logged(
      "WARN Worker 2 (bad7) is suspect: 40 of its 40 tasks of job 1 failed, 0 of 20 on other workers"));
  const auto suspicion = w.suspicion_of(w.bad);
  REQUIRE(suspicion);
  CHECK(suspicion->facts.job == w.job);
  CHECK(suspicion->facts.counts == FailureCounts{40, 40, 0, 20});
  CHECK(suspicion->facts.failed_since >= 60);
  CHECK_FALSE(suspicion->quarantined);
  CHECK(suspicion->reason.find("task ") != std::string::npos);
  CHECK_FALSE(w.suspicion_of(w.good));
}

TEST_CASE("with the policy off nobody is suspect") {
  BadNode w(SuspectPolicy::kOff);
  w.fail_all(w.bad, w.job, 100);
  CHECK_FALSE(w.suspicion_of(w.bad));
  CHECK_FALSE(w.has_logged("suspect"));
}

TEST_CASE("in quarantine a worker gets no backlog, and one task a minute") {
  BadNode w(SuspectPolicy::kQuarantine);

  const uint32_t eaten = w.fail_all(w.bad, w.job, 1000);

  CHECK(eaten == 40);  // what it held when its first ends were reported
  CHECK(w.has_logged("It gets one probe task a minute until `hq worker resume 2`."));
  CHECK(w.suspicion_of(w.bad)->quarantined);
  CHECK(w.s.worker(w.bad).idle());
  w.s.advance(59s);
  CHECK(w.bad.runs().empty());
  w.s.advance(2s);
  CHECK(w.fail_all(w.bad, w.job, 100) == 1);
  w.s.advance(61s);
  CHECK(w.fail_all(w.bad, w.job, 100) == 1);
  CHECK(w.suspicion_of(w.bad)->facts.failed_since == 2);
}

TEST_CASE("a worker whose probes finish, three in a row, is trusted again") {
  BadNode w(SuspectPolicy::kQuarantine);
  w.fail_all(w.bad, w.job, 1000);
  auto probe = [&](Outcome outcome) {
    w.s.advance(61s);
    const auto tasks = w.start_all(w.bad, w.job);
    REQUIRE(tasks.size() == 1);
    w.bad.ended(w.job, tasks[0].task.value, outcome);
    while (!w.bad.heard_nothing() &&
           std::holds_alternative<msg::Ack>(decode_to_worker(w.s.workers.sent[w.bad.peer].front())->message))
      w.bad.heard<msg::Ack>();
  };
  probe(Outcome::kFinished);
  probe(Outcome::kFinished);
  probe(Outcome::kFailed);
  probe(Outcome::kFinished);
  probe(Outcome::kFinished);
  REQUIRE(w.suspicion_of(w.bad));

  probe(Outcome::kFinished);

  CHECK_FALSE(w.suspicion_of(w.bad));
  CHECK(w.has_logged("Worker 2 (bad7) is no longer suspect: its last probe tasks have finished"));
  CHECK(w.s.worker(w.bad).slots + w.s.worker(w.bad).running > 0);
}

TEST_CASE("resume clears a suspicion, and the worker gets tasks at once") {
  BadNode w(SuspectPolicy::kQuarantine);
  w.fail_all(w.bad, w.job, 1000);
  REQUIRE(w.s.worker(w.bad).idle());

  const auto results =
      w.s.ask<msg::ItemResults>(msg::ResumeWorkers{{msg::Selection::Kind::kIds, IdArray::consecutive(1, 3)}});

  REQUIRE(results.items.size() == 3);
  CHECK(results.items[0].outcome == msg::ItemResult::Outcome::kAlreadyEnded);  // not suspect
  CHECK(results.items[1].outcome == msg::ItemResult::Outcome::kOk);
  CHECK(results.items[2].outcome == msg::ItemResult::Outcome::kNotFound);
  CHECK_FALSE(w.suspicion_of(w.bad));
  w.s.settle();
  CHECK(w.s.worker(w.bad).slots > 0);
  // It starts anew, and is found out anew.
  w.fail_all(w.bad, w.job, 1000);
  CHECK(w.suspicion_of(w.bad)->quarantined);
}

TEST_CASE("resuming all names the suspect ones only") {
  BadNode w(SuspectPolicy::kReport);
  w.fail_all(w.bad, w.job, 50);
  const msg::ResumeWorkers all{{msg::Selection::Kind::kAll, {}}};
  CHECK(w.s.ask<msg::ItemResults>(all).items ==
        std::vector<msg::ItemResult>{{2, msg::ItemResult::Outcome::kOk, 0, 0}});
  CHECK(w.s.ask<msg::ItemResults>(all).items.empty());
}

TEST_CASE("explain tells of suspect workers, and what quarantine keeps from a task") {
  BadNode w(SuspectPolicy::kQuarantine);
  w.fail_all(w.bad, w.job, 1000);

  const auto explained =
      w.s.ask<msg::TaskExplanation>(msg::ExplainTask{TestServer::selection(w.job.value), TaskId(1999)});

  REQUIRE(explained.workers.size() == 2);
  CHECK(explained.workers[0].suspect.empty());
  CHECK(explained.workers[1].suspect.find("tasks of job 1 failed") != std::string::npos);
  CHECK(explained.workers[1].now == "it is suspect, and gets one probe task a minute");
}

TEST_CASE("a server that comes back finds a bad worker out by its next failure") {
  BadNode w(SuspectPolicy::kReport, true);
  w.fail_all(w.bad, w.job, 50);
  REQUIRE(w.suspicion_of(w.bad));
  const uint64_t eaten = w.s.job(w.job).count(TaskState::kFailed);
  w.bad.beating = w.good.beating = false;
  w.s.restart();
  TestWorker& good = w.s.reconnect(w.good);
  msg::Hello hello = good.hello();
  for (uint32_t task = 0; task < 20; ++task) hello.held.push_back(good.held(w.job, task, true));
  good.say(hello);
  w.s.turn();
  TestWorker& bad = w.s.reconnect(w.bad);
  bad.register_now();
  REQUIRE_FALSE(w.suspicion_of(bad));
  w.s.sleep(100ms);

  w.fail_all(bad, w.job, 1);

  REQUIRE(w.suspicion_of(bad));
  CHECK(w.suspicion_of(bad)->facts.counts.failed_here > eaten);
}

TEST_CASE("failed tasks of a job are grouped by cause, code and worker, the largest group first") {
  BadNode w(SuspectPolicy::kReport);
  w.fail_all(w.bad, w.job, 40);
  for (uint32_t task = 0; task < 3; ++task) w.good.ended(w.job, task, Outcome::kFailed);
  msg::EndedTask killed = w.good.end_of(w.job, 3, Outcome::kFailed);
  killed.failure = {FailureKind::kExit, -9, ""};
  w.good.say(msg::Report{++w.good.reports, {}, {killed}});
  w.s.turn();
  const uint64_t failed = w.s.job(w.job).count(TaskState::kFailed);

  const PeerId client = w.s.new_client();
  w.s.request(client,
              msg::GetJobs{TestServer::selection(1), msg::GetJobs::Tasks::kFirstFailed, {}, {}, true});
  const auto replies = w.s.replies(client);
  const auto& detail = std::get<msg::JobDetail>(replies.at(0).message);

  REQUIRE(detail.failure_groups.size() == 3);
  const auto& [bad, good, signal] =
      std::tie(detail.failure_groups[0], detail.failure_groups[1], detail.failure_groups[2]);
  CHECK(bad == msg::FailureGroup{FailureKind::kExit, 1, WorkerId(2), "bad7", true, failed - 4, TaskId(20),
                                 "Program terminated with exit code 1."});
  CHECK(good == msg::FailureGroup{FailureKind::kExit, 1, WorkerId(1), "good1", false, 3, TaskId(0),
                                  "Program terminated with exit code 1."});
  CHECK(signal.code == -9);
  CHECK(signal.tasks == 1);
  CHECK(signal.cause == "Program terminated with exit code -1. Received signal 9 (SIGKILL).");
}
