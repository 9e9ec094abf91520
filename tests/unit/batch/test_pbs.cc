// What OpenPBS 23.06 printed, and what it means.
#include <doctest/doctest.h>

#include "batch/calls.h"

using namespace hq;
using State = BatchStatus::State;

namespace {

std::string job(const std::string& id, const std::string& members) {
  return "\t\t\"" + id +
         "\":\t{\n\t\t\t\"Job_Name\":\t\"STDIN\",\n\t\t\t\"resources_used\":\t{\n"
         "\t\t\t\t\"walltime\":\t\"00:00:00\"\n\t\t\t},\n" +
         members + "\n\t\t}";
}
std::string answer(const std::string& jobs) {
  return "{\n\t\"timestamp\":\t1795389460,\n\t\"pbs_version\":\t\"23.06.06\",\n\t\"pbs_server\":\t\"pbs\"" +
         (jobs.empty() ? std::string() : ",\n\t\"Jobs\":\t{\n" + jobs + "\n\t}") + "\n}\n";
}
BatchStatus one(const std::string& members) {
  return qstat_statuses({"27.pbs"}, {0, 0, answer(job("27.pbs", members)), ""}).at("27.pbs");
}

}  // namespace

TEST_CASE("all that qsub prints is the id") {
  CHECK(qsub_id("2.pbs\n") == "2.pbs");
  CHECK(qsub_id("10[].pbs\n") == "10[].pbs");
  CHECK_FALSE(qsub_id("\n"));
}

TEST_CASE("qstat tells the state and the times of a job") {
  CHECK(one("\"job_state\":\t\"Q\"").state == State::kQueued);
  CHECK(one("\"job_state\":\t\"H\"").state == State::kQueued);
  CHECK(one("\"job_state\":\t\"E\"").state == State::kRunning);
  const BatchStatus finished =
      one("\"job_state\":\t\"F\",\n\"mtime\":\t\"Sun Nov 22 23:17:40 2026\",\n\"stime\":\t\"Sun Nov 22 "
          "23:17:38 2026\",\n\"Exit_status\":\t0");
  CHECK(finished.state == State::kFinished);
  CHECK(*finished.ended - *finished.started == 2s);
  const BatchStatus failed = one("\"job_state\":\t\"F\",\n\"Exit_status\":\t271");
  CHECK(failed.state == State::kFailed);
  CHECK(failed.text == "PBS says exit status 271");
  CHECK(one("\"job_state\":\t\"F\"").state == State::kFailed);
  CHECK(one("\"job_state\":\t\"Z\"").text == "Unknown PBS job status Z");
}

TEST_CASE("the end of the walltime is no failure") {
  CHECK(one("\"job_state\":\t\"F\",\n\"comment\":\t\"Job run at Sun Nov 22 at 22:56 on (n2:ncpus=1) and "
            "exceeded resource walltime\",\n\"Exit_status\":\t-29")
            .state == State::kFinished);
}

TEST_CASE("all jobs are one question, and one that is not known does not hide the others") {
  std::string line;
  const BatchStatuses found = query_pbs({"22.pbs", "4242.pbs"}, [&](const std::vector<std::string>& argv) {
    for (const std::string& word : argv) line += (line.empty() ? "" : " ") + word;
    return Result<CommandOutput>(CommandOutput{153, 0, answer(job("22.pbs", "\"job_state\":\t\"R\"")),
                                               "qstat: Unknown Job Id 4242.pbs\n"});
  });

  CHECK(line == "qstat -f 22.pbs -f 4242.pbs -F json -x");
  CHECK(found.at("22.pbs").state == State::kRunning);
  CHECK(found.at("4242.pbs").state == State::kGone);
}

TEST_CASE("a server that keeps no history has forgotten what is over") {
  const BatchStatuses found = qstat_statuses(
      {"69.pbs"}, {0, 0, answer(""), "qstat: PBS is not configured to maintain job history 69.pbs\n"});

  CHECK(found.at("69.pbs").state == State::kGone);
}

TEST_CASE("a server that can't be reached tells nothing of any job") {
  const BatchStatuses found = qstat_statuses(
      {"1.pbs"},
      {255, 0, answer(""), "Connection refused\nqstat: cannot connect to server pbs (errno=15010)\n"});

  CHECK(found.at("1.pbs").state == State::kUnclear);
  CHECK(found.at("1.pbs").text == "Connection refused");
}

TEST_CASE("the host in an id may be written with its domain") {
  const BatchStatuses found =
      qstat_statuses({"22.pbs"}, {0, 0, answer(job("22.pbs.example.org", "\"job_state\":\t\"R\"")), ""});

  CHECK(found.at("22.pbs").state == State::kRunning);
}

TEST_CASE("what is no JSON is said so") {
  const BatchStatuses found = qstat_statuses({"22.pbs"}, {0, 0, "{ \"Jobs\":", ""});

  CHECK(found.at("22.pbs").state == State::kUnclear);
}
