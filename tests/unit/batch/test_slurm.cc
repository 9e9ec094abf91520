// What Slurm 22.05 printed, and what it means.
#include <doctest/doctest.h>

#include <deque>

#include "batch/calls.h"

using namespace hq;
using State = BatchStatus::State;

namespace {

CommandOutput printed(std::string out) {
  return {0, 0, std::move(out), ""};
}
CommandOutput refused(std::string err) {
  return {1, 0, "", std::move(err)};
}
const CommandOutput kUnknown = refused("slurm_load_jobs error: Invalid job id specified\n");
const CommandOutput kDown =
    refused("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n");

// Commands answered in this order.
struct Script {
  std::deque<std::pair<std::string, Result<CommandOutput>>> expected;

  BatchStatuses query(const std::vector<std::string>& ids) {
    auto statuses = query_slurm(ids, [this](const std::vector<std::string>& argv) {
      std::string line;
      for (const std::string& word : argv) line += (line.empty() ? "" : " ") + word;
      REQUIRE_FALSE(expected.empty());
      CHECK(line == expected.front().first);
      Result<CommandOutput> output = expected.front().second;
      expected.pop_front();
      return output;
    });
    CHECK(expected.empty());
    return statuses;
  }
};

const char* const kSqueue = "squeue --states=all -h -j 23,24,25 -o %i|%T|%S|%e";

}  // namespace

TEST_CASE("the id of a job is found in what sbatch prints") {
  CHECK(sbatch_id("Submitted batch job 2\n") == "2");
  CHECK(sbatch_id("sbatch: some notice\nsubmitted BATCH job 17 on cluster x\n") == "17");
  CHECK(sbatch_id("3\n") == "3");
  CHECK(sbatch_id("12;mini\n") == "12");
  CHECK_FALSE(sbatch_id(""));
  CHECK_FALSE(sbatch_id("Submitted batch job\n"));
  CHECK_FALSE(sbatch_id("sbatch: error: invalid partition specified: nope\n"));
}

TEST_CASE("scontrol tells the state and the times of a job") {
  const BatchStatus waiting = scontrol_status(
      "JobId=24 JobName=waits\n   JobState=PENDING Reason=Resources Dependency=(null)\n"
      "   StartTime=2026-11-22T22:48:55 EndTime=2026-11-22T22:53:55 Deadline=N/A\n");
  CHECK(waiting.state == State::kQueued);
  CHECK_FALSE(waiting.started);
  const BatchStatus running = scontrol_status(
      "JobId=23 JobName=whole\n   JobState=RUNNING Reason=None\n   StartTime=2026-11-22T22:43:55 "
      "EndTime=2026-"
      "11-22T22:48:55\n");
  CHECK(running.state == State::kRunning);
  CHECK(running.started);
  CHECK_FALSE(running.ended);
  const BatchStatus failed = scontrol_status(
      "   JobState=FAILED Reason=NonZeroExitCode\n   StartTime=2026-11-22T22:43:55 EndTime=2026-11-22T22:48:"
      "55\n");
  CHECK(failed.state == State::kFailed);
  CHECK(failed.text == "Slurm says FAILED");
  CHECK(*failed.ended - *failed.started == 5min);
}

TEST_CASE("every way to end is an end, and a state that is not known is said so") {
  CHECK(scontrol_status("JobState=TIMEOUT StartTime=Unknown").state == State::kFinished);
  CHECK(scontrol_status("JobState=OUT_OF_MEMORY").state == State::kFailed);
  CHECK(scontrol_status("JobState=NODE_FAIL").state == State::kFailed);
  const BatchStatus odd = scontrol_status("JobState=DANCING");
  CHECK(odd.state == State::kUnclear);
  CHECK(odd.text == "Unknown Slurm job status DANCING");
  CHECK(scontrol_status("").state == State::kUnclear);
}

TEST_CASE("one job is asked for with scontrol") {
  Script script;
  script.expected = {{"scontrol show job 23", printed("JobId=23\n JobState=RUNNING\n")}};

  CHECK(script.query({"23"}).at("23").state == State::kRunning);
}

TEST_CASE("several jobs are one question, and each that squeue has forgotten one more") {
  Script script;
  script.expected = {
      {kSqueue, printed("23|RUNNING|2026-11-22T22:43:55|2026-11-22T22:48:55\n24|PENDING|N/A|N/A\n")},
      {"scontrol show job 25",
       printed("JobId=25\n JobState=COMPLETED StartTime=2026-11-22T22:43:55 EndTime=2026-11-22T22:43:56\n")}};

  const BatchStatuses found = script.query({"23", "24", "25"});

  CHECK(found.at("23").state == State::kRunning);
  CHECK(found.at("24").state == State::kQueued);
  CHECK(found.at("25").state == State::kFinished);
}

TEST_CASE("what Slurm has forgotten is looked up in the accounting, once for all") {
  Script script;
  script.expected = {{kSqueue, printed("")},
                     {"scontrol show job 23", kUnknown},
                     {"scontrol show job 24", kUnknown},
                     {"scontrol show job 25", kUnknown},
                     {"sacct -X -n -P -j 23,24,25 -o JobID,State,Start,End",
                      printed("23|COMPLETED|2026-11-22T23:14:25|2026-11-22T23:14:25\n"
                              "24|CANCELLED by 0|2026-11-22T23:14:25|2026-11-22T23:14:29\n")}};

  const BatchStatuses found = script.query({"23", "24", "25"});

  CHECK(found.at("23").state == State::kFinished);
  CHECK(found.at("24").state == State::kFailed);
  CHECK(found.at("24").text == "Slurm says CANCELLED by 0");
  CHECK(found.at("25").state == State::kGone);
}

TEST_CASE("without an accounting, what is forgotten is gone") {
  Script script;
  script.expected = {
      {"scontrol show job 23", kUnknown},
      {"sacct -X -n -P -j 23 -o JobID,State,Start,End", refused("Slurm accounting storage is disabled\n")}};

  CHECK(script.query({"23"}).at("23").state == State::kGone);
}

TEST_CASE("a controller that can't be reached tells nothing of any job") {
  Script script;
  script.expected = {{"scontrol show job 23", kDown}};

  const BatchStatus status = script.query({"23"}).at("23");

  CHECK(status.state == State::kUnclear);
  CHECK(status.text == "slurm_load_jobs error: Unable to contact slurm controller (connect failure)");
}

TEST_CASE("without squeue each job is asked for by itself") {
  Script script;
  script.expected = {{kSqueue, Error("No such file or directory (os error 2)")},
                     {"scontrol show job 23", printed("JobState=RUNNING")},
                     {"scontrol show job 24", printed("JobState=PENDING")},
                     {"scontrol show job 25", Error("`scontrol show job 25` did not end within 30 s")}};

  const BatchStatuses found = script.query({"23", "24", "25"});

  CHECK(found.at("23").state == State::kRunning);
  CHECK(found.at("24").state == State::kQueued);
  CHECK(found.at("25").text == "`scontrol show job 25` did not end within 30 s");
}

TEST_CASE("tasks of an array and parts of a heterogeneous job count together, the most alive first") {
  const BatchStatuses found = slurm_table(
      "30_1|COMPLETED|2026-11-22T23:14:25|2026-11-22T23:14:25\n"
      "30_[2-4]|PENDING|N/A|N/A\n"
      "31+0|RUNNING|2026-11-22T23:14:25|N/A\n"
      "31+1|COMPLETED|2026-11-22T23:14:25|2026-11-22T23:14:25\n");

  CHECK(found.at("30").state == State::kQueued);
  CHECK(found.at("31").state == State::kRunning);
}

TEST_CASE("failures of commands are told in one line, with what they mean") {
  const auto failure =
      failure_of("sbatch", CommandOutput{1, 0, "",
                                         "sbatch: error: invalid partition specified: nope\nsbatch: error: "
                                         "Batch job submission failed: Invalid partition name specified\n"});
  REQUIRE(failure);
  CHECK(failure->headline == "sbatch execution failed");
  CHECK(failure->details ==
        "Exit code: 1\nStderr: sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job "
        "submission failed: Invalid partition name specified\nStdout: ");
  CHECK(batch_failure_line(*failure) ==
        "sbatch execution failed: Exit code: 1; Stderr: sbatch: error: invalid partition specified: nope; "
        "sbatch: error: Batch job submission failed: Invalid partition name specified (there is no such "
        "partition)");
  CHECK(
      batch_failure_line(*failure_of("qsub", Error("No such file or directory (os error 2)"))) ==
      "qsub start failed: No such file or directory (os error 2) (the program is not in the server's PATH)");
  CHECK_FALSE(failure_of("sbatch", CommandOutput{}));
}
