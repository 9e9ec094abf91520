// Runs a short command of somebody else (scontrol, qstat, nvidia-smi) and waits for its end. For start-up and
// for threads of their own: the caller is held for as long as the command takes, at most `timeout`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/result.h"

namespace hq {

inline constexpr Duration kCommandTimeout = 10s;
inline constexpr size_t kCommandOutputLimit = size_t{16} << 20;  // stdout and stderr together

struct CommandOutput {
  int32_t exit_code = 0;  // 0..255; -1 when a signal ended it
  int32_t signal = 0;     // the signal, or 0
  std::string out;
  std::string err;
  [[nodiscard]] bool succeeded() const { return exit_code == 0; }
};

// No shell: argv[0] is looked up in PATH, stdin is the null device. The command gets a process group of its
// own, which is killed when the time is over or the output grows beyond kCommandOutputLimit; both are errors,
// as is a command that can't be started (its message is the plain "<text> (os error N)"). A command that
// exits with a failure is no error here. What a command leaves running in the background is neither waited
// for nor killed.
// `directory`: where it runs; empty = where we do.
[[nodiscard]] Result<CommandOutput> run_command(const std::vector<std::string>& argv, Duration timeout,
                                                const std::string& directory = {});

// The output of a command that succeeded; else an error with its exit and the first line it wrote to stderr.
[[nodiscard]] Result<std::string> run_for_output(const std::vector<std::string>& argv, Duration timeout);

}  // namespace hq
