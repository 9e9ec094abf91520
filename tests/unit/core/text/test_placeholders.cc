#include <doctest/doctest.h>

#include "hq/core/text/placeholders.h"
#include "message.h"

using namespace hq;

namespace {

constexpr JobPathValues kValues{JobId(7), "abcdef", "/w"};

ProgramDescription program(std::string cwd, std::string out, std::string err = std::string(kDefaultStderr)) {
  ProgramDescription p;
  p.cwd = std::move(cwd);
  p.stdout_spec.path = std::move(out);
  p.stderr_spec.path = std::move(err);
  return p;
}

TaskPaths both_phases(const ProgramDescription& templ) {
  const auto at_once = resolve_task_paths(templ, kValues, TaskId(3), InstanceId(1));
  CHECK(resolve_task_paths(resolve_job_paths(templ, kValues), kValues, TaskId(3), InstanceId(1)) == at_once);
  return at_once;
}

}  // namespace

TEST_CASE("known placeholders are filled in one pass, others stay") {
  CHECK(fill_placeholders("a%{X}b%{Y}%{", {{"X", "%{Y}"}}) == "a%{Y}b%{Y}%{");
  CHECK(placeholders_in("%{A}/%{B}%{}x%{open") == std::vector<std::string>{"A", "B", ""});
  CHECK(has_placeholder("a/%{TASK_ID}", "TASK_ID"));
  CHECK_FALSE(has_placeholder("a/%{TASK_ID", "TASK_ID"));
}

TEST_CASE("unknown placeholders are told per option") {
  CHECK(*unknown_placeholder_warning("x%{NOPE}", PathContext::kStdout) ==
        "Found unknown placeholder `NOPE` in stdout path");
  CHECK(*unknown_placeholder_warning("%{NADA}", PathContext::kCwd) ==
        "Found unknown placeholder `NADA` in working directory path");
  CHECK(*unknown_placeholder_warning("%{BAR}/%{BAZ}", PathContext::kStderr) ==
        "Found unknown placeholders `BAR, BAZ` in stderr path");
  CHECK(*unknown_placeholder_warning("%{FOO}", PathContext::kStream) ==
        "Found unknown placeholder `FOO` in log path");
  CHECK_FALSE(unknown_placeholder_warning("%{TASK_ID}", PathContext::kStream));
  CHECK_FALSE(unknown_placeholder_warning(kDefaultStdout, PathContext::kStdout));
  CHECK(message(check_cwd_template("%{CWD}/x")) ==
        "Working directory path cannot contain the working directory placeholder `%{CWD}`.");
  CHECK(check_cwd_template("%{SUBMIT_DIR}"));
}

TEST_CASE("the default paths are below the submit directory") {
  const auto templ = program(std::string(kDefaultCwd), std::string(kDefaultStdout));

  const auto job = resolve_job_paths(templ, kValues);
  CHECK(job.cwd == "/w");
  CHECK(job.stdout_spec.path == "/w/job-7/%{TASK_ID}.stdout");
  CHECK(job.stderr_spec.path == "/w/job-7/%{TASK_ID}.stderr");

  CHECK(both_phases(templ) == TaskPaths{"/w", "/w/job-7/3.stdout", "/w/job-7/3.stderr"});
}

TEST_CASE("relative outputs are below the working directory, and that below the submit directory") {
  const auto templ = program("sub", "out/%{TASK_ID}.txt", "k");

  const auto job = resolve_job_paths(templ, kValues);
  CHECK(job.cwd == "/w/sub");
  CHECK(job.stdout_spec.path == "out/%{TASK_ID}.txt");
  CHECK(job.stderr_spec.path == "/w/sub/k");

  CHECK(both_phases(templ) == TaskPaths{"/w/sub", "/w/sub/out/3.txt", "/w/sub/k"});
}

TEST_CASE("a working directory of its own for each task is known when the task runs") {
  const auto templ = program("wd/%{TASK_ID}", "%{CWD}/o-%{INSTANCE_ID}", "e");

  const auto job = resolve_job_paths(templ, kValues);
  CHECK(job.cwd == "wd/%{TASK_ID}");
  CHECK(job.stdout_spec.path == "%{CWD}/o-%{INSTANCE_ID}");
  CHECK(job.stderr_spec.path == "e");

  CHECK(both_phases(templ) == TaskPaths{"/w/wd/3", "/w/wd/3/o-1", "/w/wd/3/e"});
}

TEST_CASE("paths with unknown placeholders end where they would without them") {
  CHECK(both_phases(program("%{NADA}", "x%{NOPE}", "/e")) ==
        TaskPaths{"/w/%{NADA}", "/w/%{NADA}/x%{NOPE}", "/e"});
}

TEST_CASE("channels that are not files have no path") {
  auto templ = program("/c", "x");
  templ.stdout_spec.kind = StdioSpec::Kind::kStream;
  templ.stderr_spec.kind = StdioSpec::Kind::kNull;
  CHECK(both_phases(templ) == TaskPaths{"/c", "", ""});
}

TEST_CASE("the stream directory and arrays are resolved at submit, graphs are not") {
  SubmitDescription submit;
  submit.submit_dir = "/w";
  submit.ids = IdArray::single(0);
  submit.task.program = program("%{SUBMIT_DIR}", "%{JOB_ID}");
  submit.stream_path = "s-%{SERVER_UID}-%{TASK_ID}";

  auto resolved = resolve_job_paths(submit, JobId(7), "abcdef");
  CHECK(*resolved.stream_path == "/w/s-abcdef-%{TASK_ID}");
  CHECK(resolved.task.program.stdout_spec.path == "/w/7");

  submit.ids = {};
  submit.graph.push_back({TaskId(1), {}, submit.task});
  resolved = resolve_job_paths(submit, JobId(7), "abcdef");
  CHECK(resolved.graph[0].task.program.stdout_spec.path == "%{JOB_ID}");
}

TEST_CASE("paths that name the job are known as they were written, for another job with them") {
  SubmitDescription submit;
  submit.submit_dir = "/w";
  submit.ids = IdArray::single(0);
  submit.task.program = program("sub", std::string(kDefaultStdout));
  submit.stream_path = "s-%{JOB_ID}";

  SubmitDescription again = resolve_job_paths(submit, JobId(7), "abcdef");
  CHECK(again.task.program.stdout_spec.path == "/w/sub/job-7/%{TASK_ID}.stdout");
  restore_job_paths(again);
  CHECK(again == submit);
  again = resolve_job_paths(again, JobId(8), "abcdef");
  CHECK(again.task.program.stdout_spec.path == "/w/sub/job-8/%{TASK_ID}.stdout");
  CHECK(*again.stream_path == "/w/s-8");
}

TEST_CASE("paths that do not name the job are not kept twice") {
  SubmitDescription submit;
  submit.submit_dir = "/w";
  submit.ids = IdArray::single(0);
  submit.task.program = program("%{SUBMIT_DIR}", "out/%{TASK_ID}");
  submit.task.program.stderr_spec.kind = StdioSpec::Kind::kNull;

  CHECK(resolve_job_paths(submit, JobId(7), "abcdef").templates.empty());
}
