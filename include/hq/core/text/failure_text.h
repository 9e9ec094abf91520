// Why a task failed, as it is stored and shown. Scripts match these texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hq/core/failure.h"

namespace hq {

inline constexpr std::string_view kTimeLimitReached = "Time limit reached";
inline constexpr std::string_view kMemoryLimitExceeded = "Memory limit exceeded";
inline constexpr std::string_view kNoCommandArguments = "No command arguments";
inline constexpr std::string_view kPinningFailed = "Pinning failed, no CPU ids allocated for task";
inline constexpr size_t kErrorFileBytes = 2048;

// A program that ended without success; `signal` 0 = it exited by itself.
[[nodiscard]] std::string exit_failure_text(int exit_code, int signal);
// "SIGKILL"; "unknown" for numbers without a common name.
[[nodiscard]] std::string_view signal_name(int signal);

// "Memory limit exceeded: 2.3 GiB in use, 2 GiB allowed"
[[nodiscard]] std::string memory_limit_text(uint64_t limit, uint64_t used);

// What the task wrote to its error file, as message: `content` holds its first kErrorFileBytes (or less);
// invalid UTF-8 is replaced.
[[nodiscard]] std::string error_file_text(std::string_view content);

// The program could not be executed. `exists_in_cwd`: a file named like it is in the working directory `cwd`,
// which is not searched.
[[nodiscard]] std::string cannot_execute_text(const std::vector<std::string>& args, int errnum,
                                              std::string_view cwd, bool exists_in_cwd);

// The directory of an output file could not be made.
[[nodiscard]] std::string stdout_directory_text(std::string_view path, bool remove_if_finished, int errnum);
[[nodiscard]] std::string stderr_directory_text(std::string_view path, bool remove_if_finished, int errnum);
// The output file could not be opened.
[[nodiscard]] std::string open_output_text(int errnum);
[[nodiscard]] std::string working_directory_text(int errnum);
[[nodiscard]] std::string task_directory_text(int errnum);

// A stored failure, as users see it.
[[nodiscard]] std::string failure_text(const Failure& failure);

// "Os { code: 2, kind: NotFound, message: "No such file or directory" }"
[[nodiscard]] std::string os_debug_text(int errnum);

}  // namespace hq
