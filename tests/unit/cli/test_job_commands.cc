#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/commands/job_commands.h"
#include "hq/os/local_notices.h"
#include "unit/cli/job_samples.h"
#include "unit/cli/played_server.h"

namespace hq::cli {
namespace {

using Replies = std::vector<msg::ClientReply>;
using Texts = std::vector<std::string>;

SubmitOptions submit_true() {
  SubmitOptions options;
  options.command = {"true"};
  return options;
}

Selector job(uint32_t id) {
  return {Selector::Kind::kIds, IdArray::single(id)};
}

TEST_CASE("a submit prints the id of its job in each mode") {
  auto printed = [](OutputMode mode) {
    PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::Submitted{JobId(7)}}; });
    CHECK(server.run(run_submit, submit_true(), mode) == 0);
    return server.out;
  };

  CHECK(printed(OutputMode::kCli) == "Job submitted successfully, job ID: 7\n");
  CHECK(printed(OutputMode::kJson) == "{\n  \"id\": 7\n}\n");
  CHECK(printed(OutputMode::kQuiet) == "7\n");
}

TEST_CASE("a refused submit is an error") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::Failed{"Job 9 not found."}}; });

  CHECK(server.run(run_submit, submit_true(), OutputMode::kJson) == 1);

  CHECK(server.out == "{\n  \"error\": \"Job 9 not found.\"\n}\n");
}

TEST_CASE("submit --wait --on-notify runs a program for each message, in order") {
  PlayedServer server([](const msg::ClientRequest& request) {
    if (std::holds_alternative<msg::GetServerInfo>(request)) return Replies{};
    CHECK(std::get<msg::Submit>(request).notices);
    const auto notice = [](const char* text) {
      return msg::TaskNotice{JobId(33), TaskId(0), InstanceId(0), WorkerId(1), text, {}};
    };
    return Replies{msg::Submitted{JobId(33)}, notice("hi x"), notice("second"), notice("third"),
                   msg::WaitFinished{}};
  });
  server.program_ends = {{"", ""}, {"exit status: 3", ""}, {"", "No such file or directory (os error 2)"}};
  SubmitOptions options = submit_true();
  options.wait = true;
  options.on_notify = "echo 'it says'";

  CHECK(server.run(run_submit, options) == 0);

  CHECK(server.programs ==
        std::vector<Texts>{{"echo", "it says", "hi x", "HQ_JOB_ID=33", "HQ_TASK_ID=0", "HQ_WORKER_ID=1"},
                           {"echo", "it says", "second", "HQ_JOB_ID=33", "HQ_TASK_ID=0", "HQ_WORKER_ID=1"},
                           {"echo", "it says", "third", "HQ_JOB_ID=33", "HQ_TASK_ID=0", "HQ_WORKER_ID=1"}});
  REQUIRE(server.logged.size() == 5);
  CHECK(server.logged[0] ==
        "INFO Running on_notify callback: echo [\"it says\"]: TaskNotification { task_id: 33@0, worker_id: "
        "WorkerId(1), message: [104, 105, 32, 120] }");
  CHECK(server.logged[2] == "WARN on_notify callback finished with exit code: exit status: 3");
  CHECK(server.logged[4] == "WARN Failed to run on_notify callback: No such file or directory (os error 2)");
}

TEST_CASE("without --wait nobody listens to notifications") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::Submitted{JobId(7)}}; });
  SubmitOptions options = submit_true();
  options.on_notify = "echo";

  CHECK(server.run(run_submit, options) == 0);
  CHECK(server.requests == Texts{"submit"});
}

TEST_CASE("a notification needs a task around it and has a limit") {
  PlayedServer server;
  const auto error_of = [&](const std::string& message, std::optional<std::string> key) {
    server.err.clear();
    server.set_variable(kAccessKeyVariable, std::move(key));
    CHECK(server.run(run_task_notify, TaskNotifyOptions{message}) == 1);
    return server.err;
  };

  CHECK(error_of("x", std::nullopt) ==
        "HQ_ACCESS_KEY variable not found. Are you running this command inside a task?\n");
  CHECK(error_of("x", "/tmp/socket") == "Value of HQ_ACCESS_KEY has a wrong format\n");
  CHECK(error_of("x", "/nonexistent/s:hq0-a") == "IO error: No such file or directory (os error 2)\n");
  CHECK(error_of(std::string(1025, 'x'), "/nonexistent/s:hq0-a") ==
        "Notify message limit exceeded. Message has 1025 bytes, the limit is 1024 bytes\n");
}

// A file of a test's own.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, content.data(), content.size()) == ssize_t(content.size()));
    ::close(fd);
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/hq-test-XXXXXX";
};

// The entries that came before a submit and with it.
struct SubmittedLines {
  Entries ahead;
  std::optional<msg::Submit> submit;
  Replies operator()(const msg::ClientRequest& request) {
    if (const auto* upload = std::get_if<msg::UploadEntries>(&request)) {
      ahead.append(upload->entries);
      return {};
    }
    submit = std::get<msg::Submit>(request);
    return {msg::Submitted{JobId(7)}};
  }
};

TEST_CASE("the lines of a large file go ahead of their submit, those of a small one with it") {
  for (const size_t count : {size_t{10}, size_t{5'000}}) {
    CAPTURE(count);
    std::string content;
    for (size_t i = 0; i < count; ++i) content += std::to_string(i) + std::string(200, 'x') + "\n";
    const TemporaryFile file(content);
    SubmittedLines lines;
    PlayedServer server(std::ref(lines));
    SubmitOptions options = submit_true();
    options.config.each_line = file.path();

    CHECK(server.run(run_submit, options, OutputMode::kQuiet) == 0);

    CHECK(server.out == "7\n");
    REQUIRE(lines.submit);
    CHECK((server.requests.size() == 1) == (count == 10));
    CHECK(lines.submit->uploaded == lines.ahead.size());
    CHECK(lines.submit->submit.ids == IdArray::consecutive(0, uint32_t(count)));
    lines.ahead.append(*lines.submit->submit.entries);
    CHECK(lines.ahead.size() == count);
    std::string again;
    for (size_t i = 0; i < lines.ahead.size(); ++i) again.append(lines.ahead.at(i)).append("\n");
    CHECK(again == content);
  }
}

TEST_CASE("an array chooses among all lines, so none goes ahead") {
  const TemporaryFile file(std::string(400'000, 'x') + "\nsecond\n" + std::string(400'000, 'x') + "\n");
  SubmittedLines lines;
  PlayedServer server(std::ref(lines));
  SubmitOptions options = submit_true();
  options.config.each_line = file.path();
  options.config.array = IdArray::single(1);

  CHECK(server.run(run_submit, options) == 0);

  REQUIRE(lines.submit);
  CHECK(lines.ahead.size() == 0);
  CHECK(lines.submit->uploaded == 0);
  REQUIRE(lines.submit->submit.entries->size() == 1);
  CHECK(lines.submit->submit.entries->at(0) == "second");
}

TEST_CASE("a server that refuses entries ahead of their submit is heard") {
  std::string content;
  for (int i = 0; i < 500'000; ++i) content += "a line\n";
  const TemporaryFile file(content);
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::Failed{"no more"}}; });
  SubmitOptions options = submit_true();
  options.config.each_line = file.path();

  CHECK(server.run(run_submit, options, OutputMode::kJson) == 1);

  CHECK(server.out == "{\n  \"error\": \"no more\"\n}\n");
}

TEST_CASE("submit --wait returns when the job is done") {
  PlayedServer server([](const msg::ClientRequest& request) {
    if (std::holds_alternative<msg::Submit>(request)) return Replies{msg::Submitted{JobId(7)}};
    return Replies{msg::WaitFinished{}};
  });
  SubmitOptions options = submit_true();
  options.wait = true;

  CHECK(server.run(run_submit, options, OutputMode::kQuiet) == 0);

  CHECK(server.out == "7\n");
  CHECK(server.requests == Texts{"submit", "get_server_info", "wait_jobs"});
}

TEST_CASE("submit --progress shows the end of a job that was over at once") {
  PlayedServer server([](const msg::ClientRequest& request) {
    if (std::holds_alternative<msg::Submit>(request)) return Replies{msg::Submitted{JobId(7)}};
    if (std::holds_alternative<msg::WaitJobs>(request)) return Replies{msg::WaitFinished{true}};
    return Replies{array_job(summary(7, "true", TaskState::kFinished, 1), "0", {"true"}), msg::End{}};
  });
  SubmitOptions options = submit_true();
  options.progress = true;

  CHECK(server.run(run_submit, options, OutputMode::kQuiet) == 0);

  CHECK(server.out ==
        "7\n\r\x1b[2K[########################################] 1/1 jobs, 1/1 tasks 1 FINISHED");
  CHECK(server.logged == Texts{"INFO Waiting for 1 job with 1 task"});
}

TEST_CASE("cancel logs what became of each job") {
  using Outcome = msg::ItemResult::Outcome;
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::ItemResults{
        {{1, Outcome::kOk, 2, 4}, {2, Outcome::kAlreadyEnded, 0, 0}, {99, Outcome::kNotFound, 0, 0}}}};
  });

  CHECK(server.run(run_job_cancel, JobCancelOptions{job(1), "why"}, OutputMode::kJson) == 0);

  CHECK(server.out == "{}\n");
  CHECK(server.logged == Texts{"INFO Job 1 canceled (2 tasks canceled, 4 tasks already finished)",
                               "ERROR Canceling job 2 failed; all tasks are already finished",
                               "ERROR Canceling job 99 failed; job not found"});
}

TEST_CASE("close and cancel of nothing say so") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::ItemResults{}}; });

  CHECK(server.run(run_job_close, JobCloseOptions{job(1)}) == 0);
  CHECK(server.run(run_job_cancel, JobCancelOptions{job(1), {}}) == 0);

  CHECK(server.logged == Texts{"INFO There is nothing to close", "INFO There is nothing to cancel"});
}

TEST_CASE("forget counts, in the original's grammar") {
  msg::Forgotten answer{1, 1};
  PlayedServer server([&](const msg::ClientRequest&) { return Replies{answer}; });
  CHECK(server.run(run_job_forget, JobForgetOptions{job(1), {}}) == 0);
  answer = {2, 0};
  CHECK(server.run(run_job_forget, JobForgetOptions{job(1), {}}) == 0);

  CHECK(server.logged == Texts{"INFO 1 job were forgotten, 1 were ignored due to wrong state or invalid ID",
                               "INFO 2 jobs were forgotten"});
}

TEST_CASE("open prints the new job") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::Submitted{JobId(6)}}; });

  CHECK(server.run(run_job_open, JobOpenOptions{}) == 0);

  CHECK(server.out == "Job 6 is open.\n");
}

TEST_CASE("progress of nothing is warned about") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{msg::WaitFinished{true}}; });

  CHECK(server.run(run_job_progress, JobProgressOptions{job(2)}) == 0);

  CHECK(server.logged == Texts{"WARN There are no jobs to wait for"});
}

TEST_CASE("ids of an unknown job are an error") {
  PlayedServer server([](const msg::ClientRequest&) {
    return Replies{msg::JobNotFound{JobId(9)}, msg::End{}};
  });

  CHECK(server.run(run_job_task_ids, JobTaskIdsOptions{job(9), {}}) == 1);

  CHECK(server.err == "Error: Job Id not found\n");
}

TEST_CASE("several jobs as JSON are asked for in the order of their keys") {
  PlayedServer server([](const msg::ClientRequest& request) {
    const auto& wanted = std::get<msg::GetJobs>(request);
    Replies replies;
    for (uint32_t id : wanted.jobs.ids.expand()) {
      replies.emplace_back(array_job(summary(id, "a", TaskState::kWaiting, 1), "0", {"true"}));
    }
    replies.emplace_back(msg::End{});
    return replies;
  });
  TaskListOptions options;
  options.selector = {Selector::Kind::kIds, *parse_id_array("10,9")};

  CHECK(server.run(run_task_list, options, OutputMode::kJson) == 0);

  CHECK(server.out == "{\n  \"10\": [],\n  \"9\": []\n}\n");
}

TEST_CASE("a server that goes away while we wait is an error") {
  PlayedServer server([](const msg::ClientRequest&) { return Replies{}; });
  server.at(1s, [&] { server.die(); });

  CHECK(server.run(run_job_wait, JobWaitOptions{job(1), false}) == 1);
}

TEST_CASE("a command that waits follows a server that comes back with its journal") {
  int waits = 0;
  std::string uid = "abcdef";
  PlayedServer server([&](const msg::ClientRequest& request) {
    if (std::holds_alternative<msg::GetServerInfo>(request)) {
      msg::ServerInfo info;
      info.server_uid = uid;
      info.resume_window = 60s;
      return Replies{info};
    }
    if (++waits == 1) return Replies{};
    return Replies{msg::WaitFinished{}};
  });
  server.at(1s, [&] { server.die(); });
  JobWaitOptions options;

  SUBCASE("after a while") {
    server.at(20s, [&] { server.start(); });
    CHECK(server.run(run_job_wait, options) == 0);
    CHECK(waits == 2);
    CHECK(server.elapsed() < 25s);
  }
  SUBCASE("but not another one") {
    server.at(20s, [&] {
      uid = "other";
      server.start();
    });
    CHECK(server.run(run_job_wait, options) == 1);
    CHECK(waits == 1);
  }
  SUBCASE("and not for ever") {
    CHECK(server.run(run_job_wait, options) == 1);
    CHECK(server.elapsed() > 60s);
    CHECK(server.elapsed() < 70s);
  }
}

}  // namespace
}  // namespace hq::cli
