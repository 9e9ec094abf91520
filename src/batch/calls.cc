#include "batch/calls.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "hq/base/assert.h"
#include "hq/base/text_parts.h"

namespace hq {

namespace {

struct Meaning {
  std::string_view words;
  std::string_view text;
};
// What batch systems say, and what it means for a queue of ours.
constexpr auto kMeanings = std::to_array<Meaning>({
    {"nvalid partition", "there is no such partition"},
    {"nvalid account", "the account is not valid, or may not use this partition"},
    {"nvalid qos", "there is no such quality of service, or the account may not use it"},
    {"SubmitJobLimit", "as many jobs are submitted as you may have"},
    {"SubmitLimit", "as many jobs are submitted as you may have"},
    {"configuration is not available", "the partition has no nodes like that, or not as many"},
    {"time limit is invalid", "the partition allows no job of that time limit"},
    {"TimeLimit", "the partition allows no job of that time limit"},
    {"nable to contact slurm controller", "Slurm's controller can't be reached"},
    {"Unknown queue", "there is no such queue"},
    {"cannot connect to server", "the PBS server can't be reached"},
    {"Bad UID for job execution", "you may not run jobs in PBS"},
    {"would exceed", "as many jobs are submitted as you may have"},
    {"os error 2)", "the program is not in the server's PATH"},
});

}  // namespace

const BatchCalls& batch_calls(ManagerKind manager) {
  static const BatchCalls slurm{"sbatch", "scancel", sbatch_id, query_slurm};
  static const BatchCalls pbs{"qsub", "qdel", qsub_id, query_pbs};
  HQ_ASSERT(manager != ManagerKind::kNone);
  return manager == ManagerKind::kPbs ? pbs : slurm;
}

std::optional<BatchFailure> failure_of(const std::string& program, const Result<CommandOutput>& output) {
  if (!output) return BatchFailure{program + " start failed", output.error().message};
  if (output->succeeded()) return std::nullopt;
  const std::string how = output->signal != 0 ? fmt::format("Signal: {}", output->signal)
                                              : fmt::format("Exit code: {}", output->exit_code);
  return BatchFailure{program + " execution failed",
                      fmt::format("{}\nStderr: {}\nStdout: {}", how, trim(output->err), trim(output->out))};
}

std::string said(const Result<CommandOutput>& output) {
  if (!output) return output.error().message;
  std::string_view text = trim(output->err);
  if (text.empty()) text = trim(output->out);
  if (text.empty()) return fmt::format("exit code {}", output->exit_code);
  return std::string(text.substr(0, text.find('\n')));
}

std::optional<WallTime> local_time(const std::string& text, const char* format) {
  tm parts{};
  const char* end = ::strptime(text.c_str(), format, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  parts.tm_isdst = -1;
  const time_t seconds = ::mktime(&parts);
  if (seconds == -1) return std::nullopt;
  return WallTime{int64_t(seconds) * 1'000'000'000};
}

std::string batch_failure_line(const BatchFailure& failure) {
  std::string line = failure.headline;
  for (const std::string_view details : split(failure.details, '\n')) {
    const std::string_view part = trim(details);
    if (part.empty() || part == "Stdout:" || part == "Stderr:") continue;
    line += fmt::format("{}{}", line == failure.headline ? ": " : "; ", part);
  }
  for (const Meaning& meaning : kMeanings) {
    if (line.find(meaning.words) != std::string::npos) return fmt::format("{} ({})", line, meaning.text);
  }
  return line;
}

}  // namespace hq
