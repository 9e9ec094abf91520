// PBS: qsub, qstat.
#include <fmt/format.h>

#include <algorithm>

#include "batch/calls.h"
#include "hq/base/text_parts.h"
#include "hq/os/json_scan.h"

namespace hq {

namespace {

using State = BatchStatus::State;

constexpr const char* kPbsTime = "%a %b %d %H:%M:%S %Y";

// The attributes of one job that are looked at; empty where there is none.
struct JobFields {
  std::string state;
  std::string exit;
  std::string started;
  std::string changed;
  std::string comment;
};

BatchStatus status_of(const JobFields& job) {
  BatchStatus status;
  const char letter = job.state.size() == 1 ? job.state[0] : '\0';
  switch (letter) {
    case 'Q':
    case 'H':
    case 'W':
    case 'T':
      status.state = State::kQueued;
      return status;
    case 'R':
    case 'E':
    case 'B':
    case 'S':
    case 'U':
      status.state = State::kRunning;
      status.started = local_time(job.started, kPbsTime);
      return status;
    case 'F':
    case 'X':
      break;
    default:
      status.text = fmt::format("Unknown PBS job status {}", job.state);
      return status;
  }
  // The end of its walltime is an end like any other.
  const bool timed_out = job.comment.find("exceeded resource walltime") != std::string::npos;
  status.state = job.exit == "0" || timed_out ? State::kFinished : State::kFailed;
  if (status.state == State::kFailed) {
    status.text = job.exit.empty() ? "PBS says that it ended without having run"
                                   : fmt::format("PBS says exit status {}", job.exit);
  }
  status.started = local_time(job.started, kPbsTime);
  status.ended = local_time(job.changed, kPbsTime);
  return status;
}

// By id, as qstat writes it.
std::map<std::string, JobFields> jobs_in(const std::vector<JsonLeaf>& leaves) {
  std::map<std::string, JobFields> jobs;
  for (const JsonLeaf& leaf : leaves) {
    if (leaf.path.size() < 3 || leaf.path[0] != "Jobs") continue;
    JobFields& job = jobs[leaf.path[1]];
    if (leaf.path.size() != 3) continue;
    const std::string& key = leaf.path[2];
    if (key == "job_state") job.state = leaf.text;
    if (key == "Exit_status") job.exit = leaf.text;
    if (key == "stime") job.started = leaf.text;
    if (key == "mtime") job.changed = leaf.text;
    if (key == "comment") job.comment = leaf.text;
  }
  return jobs;
}

// Servers write the name of their host with or without its domain.
bool same_job(std::string_view a, std::string_view b) {
  return a == b ||
         (a.substr(0, a.find('.')) == b.substr(0, b.find('.')) && (a.starts_with(b) || b.starts_with(a)));
}

}  // namespace

std::optional<std::string> qsub_id(std::string_view output) {
  const std::string_view id = trim(output);
  if (id.empty()) return std::nullopt;
  return std::string(id);
}

BatchStatuses qstat_statuses(const std::vector<std::string>& ids, const CommandOutput& output) {
  BatchStatuses out;
  const auto leaves = scan_json(output.out);
  const auto jobs = leaves ? jobs_in(*leaves) : std::map<std::string, JobFields>();
  const bool no_history = output.err.find("not configured to maintain job history") != std::string::npos;
  for (const std::string& id : ids) {
    const auto found =
        std::find_if(jobs.begin(), jobs.end(), [&](const auto& job) { return same_job(job.first, id); });
    if (found != jobs.end()) {
      out[id] = status_of(found->second);
    } else if (!leaves) {
      out[id].text = "`qstat` gives no valid JSON: " + said(output);
    } else if (output.succeeded() || no_history ||
               output.err.find("Unknown Job Id " + id) != std::string::npos) {
      out[id].state = State::kGone;
      out[id].text = "PBS does not know it any more";
    } else {
      out[id].text = said(output);
    }
  }
  return out;
}

BatchStatuses query_pbs(const std::vector<std::string>& ids, const RunBatchCommand& run) {
  std::vector<std::string> argv = {"qstat"};
  for (const std::string& id : ids) {
    argv.emplace_back("-f");
    argv.push_back(id);
  }
  for (const char* word : {"-F", "json", "-x"}) argv.emplace_back(word);
  const auto output = run(argv);
  if (output) return qstat_statuses(ids, *output);
  BatchStatuses out;
  for (const std::string& id : ids) out[id].text = said(output);
  return out;
}

}  // namespace hq
