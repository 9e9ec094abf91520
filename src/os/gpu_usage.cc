// What nvidia-smi and rocm-smi print.
#include <fmt/format.h>

#include <map>

#include "hq/base/text_parts.h"
#include "hq/os/hardware_overview.h"
#include "hq/os/json_scan.h"

namespace hq {
namespace {

// "45 %", "1024 MiB", "45"
std::optional<double> leading_number(std::string_view text) {
  const std::vector<std::string_view> parts = words(text);
  return parts.empty() ? std::nullopt : parse_real(parts[0]);
}

double number_member(const std::map<std::string, std::string>& card, const std::string& key) {
  const auto it = card.find(key);
  return it == card.end() ? 0 : leading_number(it->second).value_or(0);
}

}  // namespace

std::vector<std::string> nvidia_smi_command() {
  return {"nvidia-smi", "--format=csv,noheader",
          "--query-gpu=pci.bus_id,utilization.gpu,memory.used,memory.total"};
}

std::vector<std::string> rocm_smi_command() {
  return {"rocm-smi", "--json", "--showuse", "--showbus", "--showmemuse"};
}

Result<std::vector<GpuUsage>> parse_nvidia_smi(std::string_view text) {
  std::vector<GpuUsage> gpus;
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    const std::vector<std::string_view> fields = split(line, ',');
    if (fields.size() != 4) return Error(fmt::format("nvidia-smi printed an unknown line '{}'", trim(line)));
    GpuUsage gpu;
    gpu.id = trim(fields[0]);
    gpu.processor_percent = leading_number(fields[1]).value_or(0);
    const double used = leading_number(fields[2]).value_or(0);
    const double total = leading_number(fields[3]).value_or(0);
    gpu.memory_percent = total > 0 ? 100 * used / total : 0;
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

Result<std::vector<GpuUsage>> parse_rocm_smi(std::string_view text) {
  // Warnings may stand before the object.
  const auto leaves = scan_json(text.substr(std::min(text.find('{'), text.size())));
  if (!leaves) return Error("rocm-smi printed no JSON object");
  std::map<std::string, std::map<std::string, std::string>> cards;
  for (const JsonLeaf& leaf : *leaves) {
    if (leaf.path.size() == 2 && leaf.path[0].starts_with("card"))
      cards[leaf.path[0]][leaf.path[1]] = leaf.text;
  }
  std::vector<GpuUsage> gpus;
  for (const auto& [name, card] : cards) {
    GpuUsage gpu;
    const auto bus = card.find("PCI Bus");
    gpu.id = bus != card.end() ? bus->second : name;
    gpu.processor_percent = number_member(card, "GPU use (%)");
    // The name changed with ROCm 6.
    constexpr const char* kNewName = "GPU Memory Allocated (VRAM%)";
    gpu.memory_percent = number_member(card, card.contains(kNewName) ? kNewName : "GPU memory use (%)");
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

}  // namespace hq
