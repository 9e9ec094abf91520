// Small values of the command line:
//
//   integer     := [ "+" | "-" ] digit+                     plain, without underscores
//   priority    := integer of 32 bits
//   crash limit := "never-restart" | "unlimited" | 1..65535
//   weight      := a positive decimal number; kept as round(weight * 10000) in 32 bits ("inf" is the largest)
//   utilization := a decimal number in [0.0, 1.0]
//   env         := KEY [ "=" VALUE ]                        split at the first "="; not empty
//
// The errors of parse_crash_limit are whole usage errors; those of the others say what is wrong with the
// value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/task.h"

namespace hq {

[[nodiscard]] Result<uint32_t> parse_u32(std::string_view text);
[[nodiscard]] Result<int32_t> parse_i32(std::string_view text);
// An option with stated limits: "70000 is not in 0..=65535".
[[nodiscard]] Result<int64_t> parse_integer_in(std::string_view text, int64_t lowest, int64_t highest);
// A decimal number; also "inf" and "nan", in any case.
[[nodiscard]] Result<float> parse_f32(std::string_view text);

[[nodiscard]] Result<int32_t> parse_priority(std::string_view text);
[[nodiscard]] Result<CrashLimit> parse_crash_limit(std::string_view text);
[[nodiscard]] std::string crash_limit_text(CrashLimit limit);
[[nodiscard]] Result<uint32_t> parse_weight(std::string_view text);
// The weight as it is stored (x 10,000); also for numbers from job files.
[[nodiscard]] Result<uint32_t> weight_from(float weight);
[[nodiscard]] Result<float> parse_min_utilization(std::string_view text);

using EnvVariable = std::pair<std::string, std::string>;
[[nodiscard]] Result<EnvVariable> parse_env(std::string_view text);

// Variables sorted by name, the last one of a name; `had_duplicates` asks for a warning.
struct MergedEnv {
  std::vector<EnvVariable> variables;
  bool had_duplicates = false;
};
[[nodiscard]] MergedEnv merge_env(const std::vector<EnvVariable>& given);

}  // namespace hq
