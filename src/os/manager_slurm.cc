// `scontrol show job ID`: words KEY=VALUE over several lines, an empty line between jobs. The id of an
// array's last task names the whole array, hence several jobs may be printed.
#include <fmt/format.h>

#include "hq/base/text_parts.h"
#include "hq/os/manager.h"

namespace hq {
namespace {

// The value of the first word "KEY=..."; job names that contain such a word themselves are not told apart.
std::optional<std::string_view> value_of(const std::vector<std::string_view>& record, std::string_view key) {
  for (const std::string_view word : record) {
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
      return word.substr(key.size() + 1);
    }
  }
  return std::nullopt;
}

// The words of the job `id`, or of the first job.
std::vector<std::string_view> record_of(std::string_view text, std::string_view id) {
  std::vector<std::string_view> current;
  std::vector<std::string_view> first;
  for (const std::string_view word : words(text)) {
    if (word.starts_with("JobId=")) {
      if (value_of(current, "JobId") == id) return current;
      if (first.empty()) first = current;
      current.clear();
    }
    current.push_back(word);
  }
  return first.empty() || value_of(current, "JobId") == id ? current : first;
}

Error unreadable(std::string_view key, std::string_view id) {
  return Error(fmt::format("`scontrol show job {}` gives no readable {}", id, key));
}

}  // namespace

Result<AllocationFacts> parse_scontrol_job(std::string_view text, std::string_view id) {
  const std::vector<std::string_view> record = record_of(text, id);
  const auto limit_text = value_of(record, "TimeLimit");
  if (!limit_text) return unreadable("TimeLimit", id);
  AllocationFacts facts;
  if (*limit_text == "UNLIMITED") return facts;
  const auto limit = parse_clock(*limit_text);
  if (!limit) return unreadable("TimeLimit", id);
  const auto run_text = value_of(record, "RunTime");
  const auto run = run_text ? parse_clock(*run_text) : std::nullopt;
  if (!run) return unreadable("RunTime", id);
  // Slurm looks at limits about twice a minute, so a job may outlive its own.
  facts.remaining = std::max(*limit - *run, Duration(0));
  return facts;
}

}  // namespace hq
