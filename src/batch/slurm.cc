// Slurm: sbatch, scontrol, squeue, sacct.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "batch/calls.h"
#include "hq/base/text_parts.h"

namespace hq {

namespace {

using State = BatchStatus::State;

constexpr const char* kSlurmTime = "%Y-%m-%dT%H:%M:%S";
constexpr std::string_view kNoSuchJob = "Invalid job id specified";

struct Word {
  std::string_view text;
  State state;
};
constexpr auto kWords = std::to_array<Word>({
    {"PENDING", State::kQueued},       {"CONFIGURING", State::kQueued},   {"REQUEUED", State::kQueued},
    {"REQUEUE_HOLD", State::kQueued},  {"REQUEUE_FED", State::kQueued},   {"SPECIAL_EXIT", State::kQueued},
    {"RESV_DEL_HOLD", State::kQueued}, {"RUNNING", State::kRunning},      {"COMPLETING", State::kRunning},
    {"SUSPENDED", State::kRunning},    {"STOPPED", State::kRunning},      {"SIGNALING", State::kRunning},
    {"STAGE_OUT", State::kRunning},    {"RESIZING", State::kRunning},     {"COMPLETED", State::kFinished},
    {"TIMEOUT", State::kFinished},     {"PREEMPTED", State::kFinished},   {"CANCELLED", State::kFailed},
    {"FAILED", State::kFailed},        {"BOOT_FAIL", State::kFailed},     {"DEADLINE", State::kFailed},
    {"NODE_FAIL", State::kFailed},     {"OUT_OF_MEMORY", State::kFailed}, {"REVOKED", State::kFailed},
});

bool is_id(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<WallTime> moment(std::string_view text) {
  return local_time(std::string(text), kSlurmTime);
}

// `word` may go on: "CANCELLED by 0".
BatchStatus status_of(std::string_view word, std::string_view start, std::string_view end) {
  BatchStatus status;
  const std::string_view first = word.substr(0, word.find(' '));
  const auto known =
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& w) { return w.text == first; });
  if (known == kWords.end()) {
    status.text = fmt::format("Unknown Slurm job status {}", first);
    return status;
  }
  status.state = known->state;
  if (status.state == State::kFailed) status.text = fmt::format("Slurm says {}", word);
  if (status.state != State::kQueued) status.started = moment(start);
  if (status.state == State::kFinished || status.state == State::kFailed) status.ended = moment(end);
  return status;
}

// Of what comes together (the tasks of an array, the parts of a heterogeneous job) that counts which is most
// alive.
int liveliness(State state) {
  switch (state) {
    case State::kRunning:
      return 5;
    case State::kQueued:
      return 4;
    case State::kUnclear:
      return 3;
    case State::kFailed:
      return 2;
    case State::kFinished:
      return 1;
    case State::kGone:
      break;
  }
  return 0;
}

BatchStatus unclear(std::string text) {
  return {State::kUnclear, std::move(text), std::nullopt, std::nullopt};
}

// All in one question; what it does not name is left out.
BatchStatuses ask_squeue(const std::vector<std::string>& ids, const RunBatchCommand& run) {
  const auto output = run(
      {"squeue", "--states=all", "-h", "-j", fmt::format("{}", fmt::join(ids, ",")), "-o", "%i|%T|%S|%e"});
  if (!output || !output->succeeded()) return {};
  return slurm_table(output->out);
}

// What squeue and scontrol have forgotten, the accounting may know, where there is one.
void ask_accounting(const std::vector<std::string>& gone, const RunBatchCommand& run, BatchStatuses& out) {
  if (gone.empty()) return;
  BatchStatuses known;
  const auto output = run({"sacct", "-X", "-n", "-P", "-j", fmt::format("{}", fmt::join(gone, ",")), "-o",
                           "JobID,State,Start,End"});
  if (output && output->succeeded()) known = slurm_table(output->out);
  for (const std::string& id : gone) {
    const auto found = known.find(id);
    out[id] = found != known.end()
                  ? found->second
                  : BatchStatus{State::kGone, "Slurm does not know it any more", std::nullopt, std::nullopt};
  }
}

}  // namespace

std::optional<std::string> sbatch_id(std::string_view output) {
  constexpr std::string_view kBegin = "submitted batch job";
  constexpr size_t kIdAt = 3;
  for (const std::string_view line : split(output, '\n')) {
    const std::string_view text = trim(line);
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a - 'A' + 'a') : a) == b; };
    if (text.size() < kBegin.size() ||
        !std::equal(kBegin.begin(), kBegin.end(), text.begin(), [&](char b, char a) { return same(a, b); }))
      continue;
    const auto parts = split(text, ' ');
    if (parts.size() > kIdAt && !parts[kIdAt].empty()) return std::string(parts[kIdAt]);
  }
  // With --parsable: "12" or "12;cluster".
  for (const std::string_view line : split(output, '\n')) {
    const std::string_view text = trim(line);
    if (const std::string_view id = text.substr(0, text.find(';')); is_id(id)) return std::string(id);
  }
  return std::nullopt;
}

BatchStatus scontrol_status(std::string_view output) {
  std::map<std::string_view, std::string_view> fields;
  for (const std::string_view line : split(output, '\n')) {
    for (const std::string_view item : split(line, ' ')) {
      const auto parts = split(item, '=');
      if (parts.size() > 1) fields.emplace(parts[0], parts[1]);
    }
  }
  const auto state = fields.find("JobState");
  if (state == fields.end()) return unclear("`scontrol` gives no JobState");
  return status_of(state->second, fields["StartTime"], fields["EndTime"]);
}

BatchStatuses slurm_table(std::string_view output) {
  BatchStatuses out;
  for (const std::string_view line : split(output, '\n')) {
    const auto columns = split(trim(line), '|');
    if (columns.size() < 4) continue;
    const std::string id(columns[0].substr(0, columns[0].find_first_of("_+[.")));
    const BatchStatus status = status_of(columns[1], columns[2], columns[3]);
    const auto [known, fresh] = out.emplace(id, status);
    if (!fresh && liveliness(status.state) > liveliness(known->second.state)) known->second = status;
  }
  return out;
}

BatchStatuses query_slurm(const std::vector<std::string>& ids, const RunBatchCommand& run) {
  BatchStatuses out;
  if (ids.size() > 1) out = ask_squeue(ids, run);
  std::vector<std::string> gone;
  for (const std::string& id : ids) {
    if (out.contains(id)) continue;
    const auto output = run({"scontrol", "show", "job", id});
    if (output && output->succeeded()) {
      out[id] = scontrol_status(output->out);
    } else if (output && output->err.find(kNoSuchJob) != std::string::npos) {
      gone.push_back(id);
    } else {
      out[id] = unclear(said(output));
    }
  }
  ask_accounting(gone, run, out);
  std::erase_if(
      out, [&](const auto& entry) { return std::find(ids.begin(), ids.end(), entry.first) == ids.end(); });
  return out;
}

}  // namespace hq
