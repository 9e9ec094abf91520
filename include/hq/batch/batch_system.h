// The batch systems, Slurm and PBS, as the server sees them: questions now, answers later. Nothing here
// waits; a command that hangs is given up after half a minute. Who submits when is decided elsewhere.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/base/strong_id.h"
#include "hq/core/worker_config.h"

namespace hq {

// Names one request; given by the caller, never reused.
using BatchId = Id<struct BatchTag, uint64_t>;

// Writes `script` to "<directory>/hq-submit.sh", submits it from there, writes the id to "<directory>/jobid".
struct BatchSubmit {
  ManagerKind manager = ManagerKind::kSlurm;
  std::string directory;
  std::string script;
  friend bool operator==(const BatchSubmit&, const BatchSubmit&) = default;
};
// Submits, and cancels at once. `root` holds the directory; it is made for this, and stays after a failure.
struct BatchTrial {
  BatchSubmit submit;
  std::string root;
  friend bool operator==(const BatchTrial&, const BatchTrial&) = default;
};
// What becomes of these.
struct BatchQuery {
  ManagerKind manager = ManagerKind::kSlurm;
  std::vector<std::string> ids;
  friend bool operator==(const BatchQuery&, const BatchQuery&) = default;
};
struct BatchCancel {
  ManagerKind manager = ManagerKind::kSlurm;
  std::string id;
  friend bool operator==(const BatchCancel&, const BatchCancel&) = default;
};
// The id of what was submitted from this directory, if it was: nobody saw the answer.
struct BatchRecall {
  std::string directory;
  friend bool operator==(const BatchRecall&, const BatchRecall&) = default;
};
// Directories of submissions that failed.
struct BatchDiscard {
  std::vector<std::string> directories;
  friend bool operator==(const BatchDiscard&, const BatchDiscard&) = default;
};
using BatchRequest =
    std::variant<BatchSubmit, BatchTrial, BatchQuery, BatchCancel, BatchRecall, BatchDiscard>;

struct BatchStatus {
  enum class State : uint8_t {
    kQueued,
    kRunning,
    kFinished,
    kFailed,
    kGone,     // nothing is known of it any more, in the accounting neither
    kUnclear,  // could not be found out, or is a state that we don't know
  };
  State state = State::kUnclear;
  std::string text;  // why it failed, or is unclear
  // As the batch system tells.
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  friend bool operator==(const BatchStatus&, const BatchStatus&) = default;
};

// What did not work, and what the batch system said of it, perhaps in several lines.
struct BatchFailure {
  std::string headline;
  std::string details;
  friend bool operator==(const BatchFailure&, const BatchFailure&) = default;
};

struct BatchAnswer {
  BatchId request;
  std::string id;                               // BatchSubmit, BatchRecall; empty = there is none
  std::map<std::string, BatchStatus> statuses;  // BatchQuery: of each id
  std::optional<BatchFailure> failure;
};

class BatchSystem {
 public:
  virtual ~BatchSystem() = default;
  virtual void ask(BatchId id, BatchRequest request) = 0;
  virtual std::optional<BatchAnswer> next_answer() = 0;
};

// The failure in one line, with what it means where that is known.
[[nodiscard]] std::string batch_failure_line(const BatchFailure& failure);

}  // namespace hq
