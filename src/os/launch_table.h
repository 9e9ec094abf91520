// What the launcher knows of each request and each definition.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/unique_fd.h"
#include "hq/os/process.h"
#include "os/file_pool.h"
#include "os/process_tree.h"

namespace hq {

// A definition, with everything that its launches share already in the form that execve wants.
class PreparedTemplate {
 public:
  PreparedTemplate(LaunchTemplate base, const std::vector<std::string>& base_environment);
  PreparedTemplate(const PreparedTemplate&) = delete;
  PreparedTemplate& operator=(const PreparedTemplate&) = delete;

  [[nodiscard]] bool has_arguments() const { return !argv_strings_.empty(); }
  [[nodiscard]] char* const* argv() const { return argv_.data(); }
  [[nodiscard]] const std::vector<char*>& environment() const { return envp_; }  // null at the end
  [[nodiscard]] std::optional<size_t> variable_index(std::string_view key) const;
  [[nodiscard]] const std::vector<const char*>& candidates() const { return candidates_; }
  const uint64_t memory_limit;  // bytes; 0 = none
  size_t good_candidate = 0;    // where the program was found last time

  // The descriptor that holds the stdin data, -1 when there is none; made at the first call. An errno on
  // failure, after which a later call tries again.
  [[nodiscard]] int open_stdin(int& errnum);

 private:
  std::vector<std::string> argv_strings_;
  std::vector<char*> argv_;
  std::vector<std::string> env_strings_;
  std::vector<char*> envp_;
  std::unordered_map<std::string_view, size_t> env_index_;
  std::vector<std::string> candidate_strings_;
  std::vector<const char*> candidates_;
  std::string stdin_data_;
  UniqueFd stdin_fd_;
};

// The programs that `program` can mean under this PATH (nullptr: not set). The current directory is never
// searched.
[[nodiscard]] std::vector<std::string> program_candidates(const std::string& program, const char* path);

struct StopPlan {
  bool interrupt = false;  // SIGINT first
  TimePoint term_at{};
  TimePoint kill_at{};
  bool term_sent = false;
  TimePoint next{};  // when to act again
};

// One request from its arrival until nothing of it is left to report.
struct LaunchRecord {
  enum class State : uint8_t {
    kQueued,    // not started: waits for its predecessor, for files, for its turn
    kSpawning,  // a thread is in the spawn call; the record must stay where it is
    kRunning,
    kCleaningUp,  // ended, the report waits for the file threads
    kAbandoned,   // dropped while a file thread works for it
  };
  enum class Files : uint8_t { kNotNeeded, kNeeded, kUnderWay, kReady, kFailed };

  LaunchRequest request;
  std::shared_ptr<PreparedTemplate> base;
  State state = State::kQueued;
  Files files = Files::kNotNeeded;
  bool its_turn = false;        // nothing comes before it any more
  bool holds_slot = false;      // has, or is about to have, output descriptors
  bool ahead = false;           // the slot is one of those for files opened ahead of their turn
  bool directory_made = false;  // the working directory was made, a second failure is final
  PrepareFiles prepare;
  unsigned tries = 0;
  LaunchStage failed_stage = LaunchStage::kLauncher;
  int failed_errnum = 0;
  UniqueFd out;
  UniqueFd err;
  std::shared_ptr<TaskPipes> pipes;
  std::vector<LaunchId> successors;
  bool was_successor = false;
  LaunchId predecessor;
  TimePoint taken_up{};
  TimePoint spawn_began{};
  TimePoint started{};
  pid_t pid = 0;
  ProcessEvent exit;  // kCleaningUp: what will be reported
  std::optional<StopPlan> stop;
  bool grouped = false;          // the kernel holds its limit of memory
  uint64_t memory_exceeded = 0;  // stopped since its processes used that many bytes
};

// Descendants of a stopped task whose first process has ended.
struct Remains {
  TaskTrace trace;
  StopPlan stop;
};

}  // namespace hq
