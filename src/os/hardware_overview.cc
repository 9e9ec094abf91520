#include "hq/os/hardware_overview.h"

#include <algorithm>

#include "hq/base/text_parts.h"
#include "hq/os/command.h"
#include "os/hardware_files.h"
#include "os/meminfo.h"

namespace hq {

std::vector<CpuTimes> parse_cpu_times(std::string_view text) {
  std::vector<CpuTimes> all;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> parts = words(line);
    if (parts.size() < 5 || !parts[0].starts_with("cpu")) continue;
    const auto cpu = parse_number<uint32_t>(parts[0].substr(3));
    if (!cpu) continue;  // the line of all cpus together
    // user nice system idle iowait irq softirq steal; what follows (guests) is in user and nice already.
    CpuTimes times;
    times.cpu = *cpu;
    for (size_t i = 1; i < std::min<size_t>(parts.size(), 9); ++i) {
      const uint64_t ticks = parse_number<uint64_t>(parts[i]).value_or(0);
      times.all += ticks;
      if (i != 4 && i != 5) times.busy += ticks;
    }
    all.push_back(times);
  }
  return all;
}

std::vector<double> cpu_percents(const std::vector<CpuTimes>& before, const std::vector<CpuTimes>& now) {
  std::vector<double> percents;
  for (const CpuTimes& times : now) {
    const auto was =
        std::find_if(before.begin(), before.end(), [&](const CpuTimes& t) { return t.cpu == times.cpu; });
    // The kernel lets single counters (iowait) go back now and then.
    if (was == before.end() || times.all <= was->all || times.busy < was->busy) {
      percents.push_back(0);
      continue;
    }
    const auto busy = static_cast<double>(times.busy - was->busy);
    percents.push_back(std::min(100.0, 100 * busy / static_cast<double>(times.all - was->all)));
  }
  return percents;
}

NetworkUsage parse_network(std::string_view text) {
  NetworkUsage sum;
  for (const std::string_view line : split(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) == "lo") continue;
    const std::vector<std::string_view> fields = words(line.substr(colon + 1));
    if (fields.size() < 11) continue;
    const auto field = [&](size_t i) { return parse_number<uint64_t>(fields[i]).value_or(0); };
    sum.rx_bytes += field(0);
    sum.rx_packets += field(1);
    sum.rx_errors += field(2);
    sum.tx_bytes += field(8);
    sum.tx_packets += field(9);
    sum.tx_errors += field(10);
  }
  return sum;
}

HardwareMonitor::HardwareMonitor(std::string root, Families families)
    : root_(std::move(root)), families_(families) {
  last_ = parse_cpu_times(read("/proc/stat"));
}

HardwareOverview HardwareMonitor::sample() {
  problems_.clear();
  HardwareOverview overview;
  std::vector<CpuTimes> times = parse_cpu_times(read("/proc/stat"));
  overview.cpu_percent = cpu_percents(last_, times);
  last_ = std::move(times);
  if (const auto memory = parse_meminfo(read("/proc/meminfo"))) overview.memory = *memory;
  overview.network = parse_network(read("/proc/net/dev"));
  if (families_.nvidia) overview.nvidia = ask(nvidia_smi_command(), parse_nvidia_smi);
  if (families_.amd) overview.amd = ask(rocm_smi_command(), parse_rocm_smi);
  return overview;
}

std::string HardwareMonitor::read(const std::string& path) {
  Result<std::string> text = read_text(root_ + path);
  if (text) return std::move(*text);
  problems_.push_back(text.error().full_text());
  return "";
}

std::optional<std::vector<GpuUsage>> HardwareMonitor::ask(
    const std::vector<std::string>& command, Result<std::vector<GpuUsage>> (*parse)(std::string_view)) {
  const Result<std::string> text = run_for_output(command, kCommandTimeout);
  if (!text) {
    problems_.push_back("Cannot run `" + command[0] + "`: " + text.error().message);
    return std::nullopt;
  }
  Result<std::vector<GpuUsage>> gpus = parse(*text);
  if (gpus) return std::move(*gpus);
  problems_.push_back(gpus.error().message);
  return std::nullopt;
}

}  // namespace hq
