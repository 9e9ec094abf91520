#include <doctest/doctest.h>

#include "cli/commands/job_printers.h"
#include "hq/base/log.h"
#include "unit/cli/golden.h"
#include "unit/cli/job_samples.h"

namespace hq::cli {
namespace {

struct Logged {
  std::vector<std::string> lines;
  Logged() {
    log::set_sink(
        [this](log::Level, std::string_view line) { lines.emplace_back(line.substr(line.find(' ') + 1)); });
  }
  ~Logged() { log::set_sink({}); }
};
using Lines = std::vector<std::string>;

// The job of many options that the golden files show.
msg::JobDetail job_with_options() {
  msg::JobSummary info = summary(1, "opts", TaskState::kFinished, 6);
  info.counts[size_t(TaskState::kFinished)] = 5;
  info.counts[size_t(TaskState::kFailed)] = 1;
  msg::JobDetail job =
      array_job(info, "1-3,10-20:5",
                {"bash", "-c",
                 "sleep 0.05; [ $HQ_TASK_ID != 2 ] || exit 7; : long argument of more than eighty columns so "
                 "that the table has to wrap it somewhere here",
                 "arg2"});
  TaskDescription& task = job.submits[0].task;
  task.program.env = {{"A", "x y"}, {"B", "2"}, {"HQ_X", "1"}};
  task.program.cwd = "/home/u/w/wd/1";
  task.program.stdout_spec.path = "/home/u/w/wd/1/%{TASK_ID}.o";
  task.program.stderr_spec = {StdioSpec::Kind::kNull, "", false};
  ResourceVariant& variant = task.request.variants[0];
  variant.entries = {{"cpus", Amount::units(2), Policy::kScatter},
                     {"gpus", Amount::from_scaled(5000), Policy::kCompact}};
  variant.min_time = 90s;
  variant.weight = 15'000;
  task.pin = PinMode::kOpenMp;
  task.priority = -3;
  task.time_limit = 90min;
  task.crash_limit.value = CrashLimit::kNeverRestart;
  task.task_dir = true;
  job.max_fails = 3;
  job.finished = kTen + 247ms;
  job.failed_total = 1;
  job.tasks = {failed(2, 50ms, 7)};
  return job;
}

std::string info_of(std::vector<msg::ClientReply> replies, OutputMode mode = OutputMode::kCli) {
  PrintedText printed(mode);
  Answers answers = answers_of(std::move(replies));
  REQUIRE(print_job_info(answers, kTen + 100ms, no_uid_wanted, printed.output));
  return printed.text;
}

TEST_CASE("a job with every option is shown as the original shows it") {
  CHECK(info_of({job_with_options()}) == golden("job_info.txt"));
}

TEST_CASE("a job as JSON begins as the original's") {
  const std::string head = golden("job_info_head.json");

  msg::JobDetail job = job_with_options();
  job.finished = kTen;

  const std::string json = info_of({job}, OutputMode::kJson);

  CHECK(json.substr(0, head.size()) == head);
  CHECK(json.ends_with(
      "    \"tasks\": [\n      {\n        \"cwd\": \"/home/u/w/wd/1\",\n        \"error\": \"Program "
      "terminated with "
      "exit code 7.\",\n        \"finished_at\": \"2026-01-01T10:00:00.173456789Z\",\n        \"id\": 2,\n   "
      "     "
      "\"started_at\": \"2026-01-01T10:00:00.123456789Z\",\n        \"state\": \"failed\",\n        "
      "\"stderr\": "
      "null,\n        \"stdout\": \"/home/u/w/wd/1/2.o\",\n        \"worker\": 1\n      }\n    ]\n  }\n]\n"));
}

msg::JobDetail job_with_failures(uint64_t failed_total, std::vector<msg::FailureGroup> groups) {
  msg::JobDetail job = array_job(summary(1, "a", TaskState::kFailed, failed_total), "0-99", {"prog"});
  job.failed_total = failed_total;
  job.failure_groups = std::move(groups);
  job.tasks = {failed(0, 1s, 1)};
  return job;
}

TEST_CASE("failed tasks that are too many to be listed are grouped") {
  const msg::JobDetail job = job_with_failures(
      3500, {{FailureKind::kExit, 1, WorkerId(3), "node3", true, 3400, TaskId(7), "Exit code 1."},
             {FailureKind::kLaunch, 2, WorkerId(12), "node12", false, 90, TaskId(1), "Cannot execute"}});

  CHECK(info_of({job}).ends_with(R"(3500 tasks failed. (1 shown)
+--------+--------------------+-----------+----------------+------------+
| Failed | Worker             | Exit code | Cause          | First task |
+--------+--------------------+-----------+----------------+------------+
| 3400   | 3 (node3), suspect | 1         | Exit code 1.   | 7          |
| 90     | 12 (node12)        |           | Cannot execute | 1          |
+--------+--------------------+-----------+----------------+------------+
10 tasks failed otherwise.
)"));
  const std::string json = info_of({job}, OutputMode::kJson);
  CHECK(json.find(R"(    "task_failures": [
      {
        "cause": "Exit code 1.",
        "count": 3400,
        "exit_code": 1,
        "first_task": 7,
        "hostname": "node3",
        "kind": "exit",
        "suspect": true,
        "worker": 3
      },
)") != std::string::npos);
  CHECK(json.find(R"("exit_code": null,)") != std::string::npos);
}

TEST_CASE("groups are not shown where they say no more than the list") {
  const msg::FailureGroup one{FailureKind::kExit, 1, WorkerId(3), "n", false, 1, TaskId(7), "Exit code 1."};
  CHECK(info_of({job_with_failures(6, {one, one, one, one, one, one})})
            .ends_with("6 tasks failed. (1 shown)\n"));
  CHECK(info_of({job_with_failures(1, {one})}).ends_with("1 tasks failed.\n"));
  CHECK(info_of({job_with_failures(0, {})}, OutputMode::kJson).find("task_failures") == std::string::npos);
}

TEST_CASE("an open job of several submits shows its ids in runs, and no description") {
  msg::JobSummary info = summary(3, "op", TaskState::kFinished, 9);
  info.is_open = true;
  info.counts[size_t(TaskState::kFinished)] = 5;
  info.counts[size_t(TaskState::kWaiting)] = 4;
  msg::JobDetail job = array_job(info, "10-14", {"true"});
  job.submits.push_back(job.submits[0]);
  job.submits[1].ids = *parse_id_array("1-3,20");

  CHECK(info_of({job}) == golden("job_info_open.txt"));
}

TEST_CASE("of many workers two are named") {
  msg::JobDetail job = array_job(summary(1, "a", TaskState::kFinished, 2), "1-2", {"true"});
  job.workers = {{WorkerId(1), "n1"}, {WorkerId(2), "n2"}, {WorkerId(3), "n3"}, {WorkerId(5), "n4"}};

  CHECK(info_of({job}).find("| n1,n2, … (4 total) ") != std::string::npos);
}

TEST_CASE("unknown jobs are logged, and the others still shown") {
  Logged logged;

  const std::string json = info_of({msg::JobNotFound{JobId(9)}}, OutputMode::kJson);

  CHECK(json == "[]\n");
  CHECK(logged.lines == Lines{"ERROR Job 9 not found"});
}

TEST_CASE("a connection that ends within a document leaves it well-formed") {
  msg::JobDetail job = array_job(summary(1, "a", TaskState::kWaiting, 5000), "1-5000", {"true"});
  job.tasks = {waiting(1, 2)};
  job.more_tasks = true;
  int calls = 0;
  Answers answers([&]() -> Result<msg::ClientReply> {
    if (calls++ == 0) return msg::ClientReply(job);
    return Error("gone");
  });
  PrintedText printed(OutputMode::kJson);

  auto result = print_job_info(answers, kTen, no_uid_wanted, printed.output);

  REQUIRE_FALSE(result);
  CHECK(result.error().message == "gone");
  CHECK(printed.text.ends_with("    ]\n  }\n]\n"));
}

TEST_CASE("canceled tasks that had started show their paths in JSON, aborted ones nothing") {
  msg::JobDetail job = array_job(summary(3, "a", TaskState::kCanceled, 3), "0-2", {"true"});
  msg::TaskRow never = waiting(2, 2);
  never.state = TaskState::kCanceled;
  job.tasks = {started(0, TaskState::kCanceled), started(1, TaskState::kAborted), never};

  const std::string json = info_of({job}, OutputMode::kJson);

  CHECK(
      json.find("      {\n        \"cwd\": \"/home/u/w\",\n        \"id\": 0,\n        \"state\": "
                "\"canceled\",\n        \"stderr\": \"/home/u/w/job-3/0.stderr\",\n        \"stdout\": "
                "\"/home/u/w/job-3/0.stdout\"\n      },\n      {\n        \"id\": 1,\n        \"state\": "
                "\"aborted\"\n      },\n      {\n        \"id\": 2,\n        \"state\": \"canceled\"\n      "
                "}\n    ]\n") != std::string::npos);
}

TEST_CASE("what an ended task used is told in JSON") {
  msg::JobDetail job = array_job(summary(3, "a", TaskState::kFinished, 1), "0", {"true"});
  job.tasks = {started(0, TaskState::kFinished)};
  job.tasks[0].usage = TaskUsage{2, 1.5, 0.25, 2048};

  const std::string json = info_of({job}, OutputMode::kJson);

  CHECK(json.find("\"peak_memory\": 2097152,\n") != std::string::npos);
  CHECK(json.find("\"system_time\": 0.25,\n        \"user_time\": 1.5,\n") != std::string::npos);
}

TEST_CASE("paths of a graph's tasks are filled with the uid of the server, asked for once") {
  msg::JobDetail job = array_job(summary(3, "a", TaskState::kFinished, 1), "0", {"true"});
  GraphTask task;
  task.id = TaskId(7);
  task.task = job.submits[0].task;
  task.task.program.cwd = "d/%{SERVER_UID}";
  task.task.program.stdout_spec.path = "%{TASK_ID}.o";
  job.submits[0].graph = {task};
  job.tasks = {started(7, TaskState::kFinished)};
  int asked = 0;
  PrintedText printed(OutputMode::kJson);
  Answers answers = answers_of({job, job});

  REQUIRE(print_job_info(
      answers, kTen,
      [&]() -> Result<std::string> {
        ++asked;
        return std::string("SrvUID");
      },
      printed.output));

  CHECK(asked == 1);
  CHECK(printed.text.find("\"stdout\": \"/home/u/w/d/SrvUID/7.o\"") != std::string::npos);
}

// --- lists
// --------------------------------------------------------------------------------------------------

TEST_CASE("all jobs with their cancel reasons") {
  msg::JobList list;
  list.jobs = {summary(1, "impossible", TaskState::kWaiting, 1),
               summary(2, "echo", TaskState::kFinished, 1),
               summary(3, "a-long-name-of-more-than-fifty-characters-for-the-table", TaskState::kFailed, 1),
               summary(4, "sleep", TaskState::kCanceled, 1),
               summary(5, "mix", TaskState::kRunning, 6),
               summary(6, "op1", TaskState::kFinished, 0),
               summary(7, "job", TaskState::kRunning, 3),
               summary(8, "bash", TaskState::kFailed, 9)};
  list.jobs[3].cancel_reason = "not needed";
  list.jobs[5].is_open = list.jobs[6].is_open = true;
  Answers answers = answers_of({list});
  PrintedText printed(OutputMode::kCli);

  REQUIRE(print_job_list(answers, {.all = true, .verbose = true}, printed.output));

  CHECK(printed.text == golden("job_list_verbose.txt"));
}

TEST_CASE("only jobs that have not ended are listed unless more is asked for") {
  msg::JobList first, second;
  first.jobs = {summary(1, "a", TaskState::kWaiting, 1), summary(2, "b", TaskState::kFinished, 1)};
  second.jobs = {summary(3, "c", TaskState::kFailed, 1), summary(4, "d", TaskState::kRunning, 1)};
  second.jobs[0].is_open = true;
  auto lines = [&](const JobListOptions& options) {
    Answers answers = answers_of({first, second});
    PrintedText printed(OutputMode::kQuiet);
    REQUIRE(print_job_list(answers, options, printed.output));
    return printed.text;
  };

  CHECK(lines({}) == "1 WAITING\n3 FAILED\n4 RUNNING\n");
  CHECK(lines({.all = true}) == "1 WAITING\n2 FINISHED\n3 FAILED\n4 RUNNING\n");
  CHECK(lines({.filter = {StatusFilter::kFinished}}) == "2 FINISHED\n");
}

TEST_CASE("a summary without jobs counts zero of each") {
  Answers answers = answers_of({});
  PrintedText printed(OutputMode::kCli);

  REQUIRE(print_job_statuses(answers, printed.output));

  CHECK(printed.text == golden("job_summary.txt"));
}

TEST_CASE("ids of tasks are runs, joined over rows and pages") {
  msg::JobDetail job = array_job(summary(5, "a", TaskState::kWaiting, 9), "0-8", {"true"});
  job.tasks = {failed(0, 0s, 1), waiting(1, 3)};
  job.more_tasks = true;
  msg::TaskRow stepped = waiting(6, 10);
  stepped.ids.step = 2;
  msg::TaskPage page{JobId(5), {waiting(4, 4), stepped}, false};
  auto text = [&](const std::vector<StatusFilter>& filter, std::vector<msg::ClientReply> replies) {
    Answers answers = answers_of(std::move(replies));
    PrintedText printed(OutputMode::kCli);
    REQUIRE(print_task_ids(answers, filter, printed.output));
    return printed.text;
  };
  const msg::JobDetail empty = array_job(summary(2, "b", TaskState::kWaiting, 0), "0", {"true"});

  CHECK(text({}, {job, page}) == "0-4,6,8,10\n");
  CHECK(text({StatusFilter::kOpened}, {job, page}) == "\n");
  CHECK(text({StatusFilter::kFailed}, {job, page, empty}) == "2: \n5: 0\n");
}

TEST_CASE("ids of several jobs as JSON are ordered as texts") {
  std::vector<msg::ClientReply> replies;
  for (auto [id, first, last] : {std::tuple{2u, 0u, 0u}, {5u, 0u, 5u}, {8u, 1u, 9u}}) {
    msg::JobDetail job = array_job(summary(id, "a", TaskState::kWaiting, last - first + 1), "0", {"true"});
    job.tasks = {waiting(first, last)};
    replies.emplace_back(std::move(job));
  }
  Answers answers = answers_of(replies);
  PrintedText printed(OutputMode::kJson);

  REQUIRE(print_task_ids(answers, {}, printed.output));

  CHECK(printed.text == golden("task_ids.json"));
}

// --- tasks
// ----------------------------------------------------------------------------------------------------

const std::vector<std::string> kScript{
    "bash", "-c",
    "echo out$HQ_TASK_ID; echo err >&2; case $HQ_TASK_ID in 0|1) ;; 2) exit 3;; 3) exec no-such-program;; *) "
    "sleep 100;; esac"};

msg::JobDetail job_of_six() {
  msg::JobDetail job = array_job(summary(1, "a", TaskState::kRunning, 6), "0-5", kScript);
  job.tasks = {started(0, TaskState::kFinished, 9ms),
               started(1, TaskState::kFinished, 9ms),
               failed(2, 9ms, 3),
               failed(3, 9ms, 127),
               started(4, TaskState::kRunning),
               started(5, TaskState::kRunning)};
  return job;
}

msg::JobDetail waiting_job() {
  msg::JobDetail job = array_job(summary(2, "w", TaskState::kWaiting, 1), "0", {"sleep", "1"});
  TaskDescription& task = job.submits[0].task;
  task.program.env = {{"HQ_Y", "2"}, {"X", "1"}};
  task.time_limit = 1h;
  task.priority = 7;
  task.task_dir = true;
  task.request = ResourceRequest::cpus(8);
  job.tasks = {waiting(0, 0)};
  job.workers.clear();
  return job;
}

std::string tasks_of(std::vector<msg::ClientReply> replies, const TaskListOptions& options, WallTime now,
                     OutputMode mode = OutputMode::kCli) {
  Answers answers = answers_of(std::move(replies));
  PrintedText printed(mode);
  REQUIRE(print_task_list(answers, options, now, no_uid_wanted, printed.output));
  return printed.text;
}

TEST_CASE("the tasks of a job are listed with cut errors") {
  Logged logged;

  CHECK(tasks_of({job_of_six()}, {}, kTen + 15ms) == golden("task_list.txt"));
  CHECK(logged.lines == Lines{"INFO An error message was truncated. Use -v to display the full error."});
}

TEST_CASE("several jobs have a column of ids, and unknown ones are logged") {
  Logged logged;

  CHECK(tasks_of({job_of_six(), waiting_job()}, {.verbosity = 0}, kTen + 45ms) ==
        golden("task_list_jobs.txt"));
  CHECK(tasks_of({msg::JobNotFound{JobId(9)}}, {}, kTen).starts_with("+--------+---------+"));
  CHECK(logged.lines.back() == "WARN Job 9 not found");
}

TEST_CASE("tasks as JSON, by job") {
  msg::JobDetail job = job_of_six();
  job.tasks = {job.tasks[0], job.tasks[4]};
  job.tasks[0].end = kTen;

  CHECK(tasks_of({job, waiting_job()}, {}, kTen, OutputMode::kJson) == golden("task_list.json"));
}

std::string info_of_tasks(std::vector<msg::ClientReply> replies, const std::string& ids, bool full_errors,
                          OutputMode mode = OutputMode::kCli) {
  Answers answers = answers_of(std::move(replies));
  PrintedText printed(mode);
  TaskInfoOptions options;
  options.tasks = *parse_id_array(ids);
  options.verbosity = full_errors ? 1 : 0;
  REQUIRE(print_task_info(answers, options, kTen, no_uid_wanted, printed.output));
  return printed.text;
}

TEST_CASE("a task in detail, before and after it ran") {
  msg::JobDetail job = job_of_six();
  job.tasks = {job.tasks[2]};
  setenv("TZ", "UTC", 1);
  tzset();

  CHECK(info_of_tasks({waiting_job()}, "0", false) == golden("task_info_waiting.txt"));
  CHECK(info_of_tasks({job}, "2", false) == golden("task_info_failed.txt"));
}

TEST_CASE("what a task used stands below all other rows") {
  msg::JobDetail job = job_of_six();
  job.tasks = {job.tasks[0]};
  job.tasks[0].usage = TaskUsage{2, 1.5, 0.25, 3 * 1024};

  const std::string text = info_of_tasks({job}, "0", false);

  const size_t rows = text.find("| User time    | 1s 500ms ");
  REQUIRE(rows != std::string::npos);
  CHECK(rows > text.find("| Error "));
  const size_t peak = text.find("| Peak memory  | 3 MiB ", rows);
  REQUIRE(peak != std::string::npos);
  CHECK(text.find("| System time  | 250ms ", rows) < peak);
}

TEST_CASE("long errors are cut unless all of them is asked for") {
  Logged logged;
  msg::JobDetail job = job_of_six();
  job.tasks = {failed(2, 0s, 0)};
  job.tasks[0].failure = Failure{FailureKind::kLaunch, 0, std::string(300, 'e')};

  CHECK(info_of_tasks({job}, "2", false).find(" " + std::string(237, 'e') + "... ") != std::string::npos);
  CHECK(info_of_tasks({job}, "2", true).find(" " + std::string(300, 'e') + " ") != std::string::npos);
  CHECK(logged.lines.size() == 1);
}

TEST_CASE("unknown tasks and jobs of task info are logged") {
  Logged logged;
  msg::JobDetail job = waiting_job();
  job.tasks.clear();

  CHECK(info_of_tasks({job}, "77", false, OutputMode::kJson) == "[]\n");
  CHECK(info_of_tasks({msg::JobNotFound{JobId(9)}}, "0", false).empty());

  CHECK(logged.lines == Lines{"WARN Task 77 not found", "ERROR Cannot find job 9"});
}

TEST_CASE("task info of the last job when there is none is an error") {
  Answers answers = answers_of({});
  PrintedText printed(OutputMode::kCli);

  CHECK_FALSE(print_task_info(answers, {}, kTen, no_uid_wanted, printed.output));
}

// --- output
// ---------------------------------------------------------------------------------------------------

class MemoryFiles final : public LocalFiles {
 public:
  std::map<std::string, std::string> contents;
  Content read(const std::string& path, size_t limit) override {
    const auto found = contents.find(path);
    return found == contents.end() ? Content{{}, ENOENT} : Content{found->second.substr(0, limit), 0};
  }
  int read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take) override {
    const auto found = contents.find(path);
    if (found == contents.end()) return ENOENT;
    take(found->second);
    return 0;
  }
  size_t size_of(const std::string& path) override { return contents[path].size(); }
};

struct Cat {
  MemoryFiles files;
  Logged logged;
  std::string text;
  Result<void> result;
  void run(std::vector<msg::ClientReply> replies, const JobCatOptions& options,
           OutputMode mode = OutputMode::kCli) {
    Answers answers = answers_of(std::move(replies));
    PrintedText printed(mode);
    result = print_job_output(
        answers, options, no_uid_wanted, files, [](JobId, TaskId) -> Result<bool> { return false; },
        printed.output);
    text = printed.text;
  }
};

TEST_CASE("output of tasks is printed as it is, with headers on request") {
  Cat cat;
  cat.files.contents = {{"/home/u/w/job-1/0.stdout", "out0\n"}, {"/home/u/w/job-1/2.stdout", "out2"}};
  JobCatOptions options;
  options.print_task_header = true;
  options.task_status = {StatusFilter::kFinished, StatusFilter::kFailed};

  cat.run({job_of_six()}, options);

  CHECK(cat.text == "# Job 1, task 0\nout0\n# Job 1, task 1\n# Job 1, task 2\nout2# Job 1, task 3\n");
  CHECK(
      cat.logged.lines.front() ==
      "WARN File at `/home/u/w/job-1/1.stdout` cannot be opened: Os { code: 2, kind: NotFound, message: \"No "
      "such file or directory\" }");
}

TEST_CASE("tasks without output, unknown tasks and unknown jobs are warned about") {
  Cat cat;
  JobCatOptions options;
  options.tasks = *parse_id_array("0,9");

  cat.run({waiting_job(), msg::JobNotFound{JobId(9)}}, options);

  CHECK(cat.result);
  CHECK(cat.logged.lines == Lines{"WARN Task 0 has no `stdout` stream associated with it",
                                  "WARN Task 9 of job 2 not found", "ERROR Job 9 was not found"});
}

TEST_CASE("nothing selected and no job at all are told") {
  Cat cat;
  JobCatOptions options;
  options.task_status = {StatusFilter::kCanceled};

  cat.run({waiting_job()}, options);
  cat.run({}, options);

  CHECK(cat.logged.lines == Lines{"WARN No tasks were selected for job 2, there is nothing to print",
                                  "ERROR No jobs were found"});
}

TEST_CASE("JSON has no place for output") {
  Cat cat;

  cat.run({waiting_job()}, {}, OutputMode::kJson);

  REQUIRE_FALSE(cat.result);
  CHECK(cat.result.error().message == "JSON output mode doesn't support job output");
}

// --- progress
// ---------------------------------------------------------------------------------------------------

TEST_CASE("progress is announced once and drawn at each change") {
  Logged logged;
  msg::JobProgress progress;
  progress.jobs_total = 1;
  progress.tasks_total = 1;
  progress.counts[size_t(TaskState::kRunning)] = 1;
  msg::JobProgress end = progress;
  end.jobs_done = 1;
  end.counts = {};
  end.counts[size_t(TaskState::kFinished)] = 1;
  Answers answers = answers_of({progress, end, msg::WaitFinished{}});
  PrintedText printed(OutputMode::kQuiet);

  auto shown = print_progress(answers, printed.output);

  REQUIRE(shown);
  CHECK(*shown);
  CHECK(printed.text ==
        "\r\x1b[2K[########################################] 0/1 jobs, 0/1 tasks 1 RUNNING"
        "\r\x1b[2K[########################################] 1/1 jobs, 1/1 tasks 1 FINISHED");
  CHECK(logged.lines == Lines{"INFO Waiting for 1 job with 1 task"});
}

}  // namespace
}  // namespace hq::cli
