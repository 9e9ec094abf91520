// A job anew, of some of its tasks.
#include "hq/core/text/placeholders.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct Again : TestServer {
  TestWorker& worker;
  Again() : worker(add_worker(64)) {}

  msg::ResubmitJob request_for(JobId job, std::vector<TaskState> states = {}) {
    return {selection(job.value), std::move(states)};
  }
  JobId resubmit(JobId job, std::vector<TaskState> states = {}) {
    return ask<msg::Submitted>(request_for(job, std::move(states))).job;
  }
  std::string refused(JobId job, std::vector<TaskState> states = {}) {
    return ask<msg::Failed>(request_for(job, std::move(states))).message;
  }
  SubmitDescription submit_of(JobId id, size_t group = 0) { return *job(id).groups.at(group)->submit(); }
};

}  // namespace

TEST_CASE("the failed tasks of an array run again with their entries, in directories of the new job") {
  Again s;
  msg::Submit message;
  message.name = "lines";
  message.max_fails = 7;
  message.submit = submit().array(10, 6).value();
  message.submit.entries.emplace();
  for (const char* line : {"a", "b", "c", "d", "e", "f"}) message.submit.entries->add(line);
  message.submit.task.program.cwd = std::string(kDefaultCwd);
  message.submit.task.program.stdout_spec = {StdioSpec::Kind::kFile, std::string(kDefaultStdout), false};
  const JobId first = s.ask<msg::Submitted>(message).job;
  (void)s.worker.runs();
  for (uint32_t task : {11U, 12U, 15U}) s.worker.failed(first, task);
  s.worker.ended(first, 10);
  s.cancel(first);

  const JobId again = s.resubmit(first, {TaskState::kFailed});

  const SubmitDescription& made = s.submit_of(again);
  CHECK(made.ids.text() == "11-12,15");
  REQUIRE(made.entries);
  CHECK(made.entries->at(0) == "b");
  CHECK(made.entries->at(1) == "c");
  CHECK(made.entries->at(2) == "f");
  CHECK(made.task.program.stdout_spec.path == "/home/u/job-2/%{TASK_ID}.stdout");
  CHECK(s.job(again).name == "lines");
  CHECK(s.job(again).max_fails == 7);
  CHECK_FALSE(s.job(again).open);
  CHECK(s.submit_of(s.resubmit(first, {TaskState::kFailed, TaskState::kCanceled})).ids.text() == "11-15");
  CHECK(s.submit_of(s.resubmit(again)).task.program.stdout_spec.path == "/home/u/job-4/%{TASK_ID}.stdout");
}

TEST_CASE("without states all tasks are taken, and ranges stay ranges") {
  Again s;
  IdArray ids;
  ids.parts = {{IdRange{0, 999'999, 1}, 999'999}, {IdRange{2'000'000, 2'000'010, 5}, 2'000'010}};
  const JobId first = s.submit(submit().ids(ids).cpus(100));

  const JobId again = s.resubmit(first);

  CHECK(s.job(again).task_count() == 1'000'003);
  CHECK(s.submit_of(again).ids.contains(2'000'005));
  CHECK(s.submit_of(again).ids.parts.size() < 10);
}

TEST_CASE("a graph loses the dependencies that have finished") {
  Again s;
  const JobId first = s.submit(submit().task(1).task(2, {1}).task(3, {2}).task(4, {3}));
  (void)s.worker.runs();
  s.worker.ended(first, 1);
  (void)s.worker.runs();
  s.worker.failed(first, 2);

  const JobId again = s.resubmit(first, {TaskState::kFailed, TaskState::kAborted});

  const auto& graph = s.submit_of(again).graph;
  REQUIRE(graph.size() == 3);
  CHECK(graph[0].id == TaskId(2));
  CHECK(graph[0].deps.empty());
  CHECK(graph[1].deps == std::vector{TaskId(2)});
  CHECK(graph[2].deps == std::vector{TaskId(3)});
}

TEST_CASE("a task is not resubmitted without what it waits for") {
  Again s;
  const JobId first = s.submit(submit().task(1).task(2, {1}));
  (void)s.worker.runs();
  s.worker.failed(first, 1);

  CHECK(s.refused(first, {TaskState::kAborted}) ==
        "Task 2 depends on task 1, which is failed: resubmit the failed tasks with it");
  CHECK(s.state().last_job_id() == first);
}

TEST_CASE("the submits of an open job come in one new job, which is closed") {
  Again s;
  const JobId open = s.ask<msg::Submitted>(msg::OpenJob{"open", std::nullopt}).job;
  for (uint32_t first : {0U, 10U}) {
    msg::Submit more;
    more.job = open;
    more.submit = submit().array(first, 3).value();
    s.ask<msg::Submitted>(more);
  }
  msg::Submit graph;
  graph.job = open;
  graph.submit = submit().task(20, {11}).value();
  s.ask<msg::Submitted>(graph);

  const JobId again = s.resubmit(open);

  CHECK(s.job(again).groups.size() == 3);
  CHECK(s.job(again).task_count() == 7);
  CHECK(s.submit_of(again, 2).graph[0].deps == std::vector{TaskId(11)});
  CHECK_FALSE(s.job(again).open);
  CHECK(s.job(again).name == "open");
}

TEST_CASE("jobs that are not there and states that no task is in are refused") {
  Again s;
  CHECK(s.ask<msg::Failed>(msg::ResubmitJob{{msg::Selection::Kind::kLast, {}}, {}}).message ==
        "Job not found");
  CHECK(s.refused(JobId(9)) == "Job 9 not found");
  const JobId job = s.submit(submit());
  CHECK(s.refused(job, {TaskState::kFailed}) == "Job 1 has no tasks in these states");
}

TEST_CASE("a full disk refuses it") {
  TestServer s(true);
  const JobId job = s.submit(submit());
  s.journal.trouble = "no room";
  CHECK(s.ask<msg::Failed>(msg::ResubmitJob{TestServer::selection(job.value), {}}).message.find("no room") !=
        std::string::npos);
}
