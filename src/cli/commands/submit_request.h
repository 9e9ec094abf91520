// From the options of a submit to the message that asks for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands/entries.h"
#include "cli/commands/options.h"
#include "cli/commands/submit_config.h"
#include "hq/base/result.h"
#include "hq/protocol/client_messages.h"
#include "hq/protocol/limits.h"

namespace hq::cli {

struct SubmitFacts {
  std::optional<std::string> log_path;
  std::string submit_dir;  // absolute
  std::optional<JobId> job;
  std::string stdin_data;
  std::optional<Entries> entries;  // of --each-line or --from-json; all but those that went ahead
  uint32_t uploaded = 0;           // went ahead, and take so many bytes
  uint64_t uploaded_bytes = 0;
};

// Entries and standard input of one submit.
inline constexpr size_t kMostSubmitBytes = limits::kMaxClientFrame - (size_t{64} << 20);

struct SubmitRequest {
  msg::Submit message;
  std::vector<std::string> warnings;  // the submit goes on
};
[[nodiscard]] Result<SubmitRequest> make_submit(ResolvedSubmit submit, SubmitFacts facts);

// The name of a job that was given none: the file name of the program.
[[nodiscard]] std::string default_job_name(const std::vector<std::string>& command);

}  // namespace hq::cli
