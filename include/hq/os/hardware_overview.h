// How busy this machine is, sampled at intervals. The parsers are functions of text; HardwareMonitor keeps
// what the next sample is compared with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/hardware_overview.h"

namespace hq {

// Time that a cpu spent since boot, in the kernel's ticks.
struct CpuTimes {
  uint32_t cpu = 0;
  uint64_t busy = 0;
  uint64_t all = 0;
  friend bool operator==(const CpuTimes&, const CpuTimes&) = default;
};

// /proc/stat, the lines of single cpus.
[[nodiscard]] std::vector<CpuTimes> parse_cpu_times(std::string_view text);
// Percents of `now` since `before`; 0 for a cpu that was not there before, or for which no time has passed.
[[nodiscard]] std::vector<double> cpu_percents(const std::vector<CpuTimes>& before,
                                               const std::vector<CpuTimes>& now);
// /proc/net/dev
[[nodiscard]] NetworkUsage parse_network(std::string_view text);
// The output of the commands below. A GPU whose use is not told ("[N/A]") counts as idle.
[[nodiscard]] Result<std::vector<GpuUsage>> parse_nvidia_smi(std::string_view text);
[[nodiscard]] Result<std::vector<GpuUsage>> parse_rocm_smi(std::string_view text);
[[nodiscard]] std::vector<std::string> nvidia_smi_command();
[[nodiscard]] std::vector<std::string> rocm_smi_command();

class HardwareMonitor {
 public:
  struct Families {  // GPUs that the worker offers
    bool nvidia = false;
    bool amd = false;
  };
  // `root` is put before /proc, empty for the machine itself. Takes the first cpu times.
  HardwareMonitor(std::string root, Families families);

  // The state now, cpus since the last sample. Runs the GPU tools if there are such GPUs and is held for as
  // long as they take: not for a loop that has to answer. What can't be read is left at its default or
  // absent; why, is in problems().
  [[nodiscard]] HardwareOverview sample();
  // Why parts of the last sample are missing.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  std::string read(const std::string& path);
  std::optional<std::vector<GpuUsage>> ask(const std::vector<std::string>& command,
                                           Result<std::vector<GpuUsage>> (*parse)(std::string_view));

  std::string root_;
  Families families_;
  std::vector<CpuTimes> last_;
  std::vector<std::string> problems_;
};

}  // namespace hq
