// How much memory tasks may use.
#include <fmt/format.h>

#include <algorithm>

#include "hq/base/text_parts.h"
#include "hq/os/hardware.h"
#include "os/hardware_files.h"
#include "os/meminfo.h"

namespace hq {
namespace {

// The tightest limit on the way up; "max" in v2 and a number near 2^63 in v1 stand for none.
std::optional<uint64_t> read_memory_limit(const std::string& root) {
  const CgroupDirs found = find_cgroup(root, "memory");
  const std::string_view name = found.v2 ? "memory.max" : "memory.limit_in_bytes";
  constexpr uint64_t kNoLimit = uint64_t{1} << 62;
  std::optional<uint64_t> least;
  for (const std::string& dir : found.dirs) {
    const Result<std::string> text = read_text(fmt::format("{}/{}", dir, name));
    const auto limit = text ? parse_number<uint64_t>(trim(*text)) : std::nullopt;
    if (limit && *limit < kNoLimit && (!least || *limit < *least)) least = limit;
  }
  return least;
}

}  // namespace

std::optional<MemoryUsage> parse_meminfo(std::string_view text) {
  std::optional<uint64_t> total;
  std::optional<uint64_t> free;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> parts = words(line);
    if (parts.size() < 2) continue;
    if (parts[0] == "MemTotal:") total = parse_number<uint64_t>(parts[1]);
    if (parts[0] == "MemFree:") free = parse_number<uint64_t>(parts[1]);
  }
  constexpr uint64_t kMost = UINT64_MAX / 1024;
  if (!total || !free || *total > kMost || *free > kMost) return std::nullopt;
  return MemoryUsage{*total * 1024, *free * 1024};
}

Detected detect_memory(const HardwareSource& source, const BatchShare& share) {
  Detected result;
  const std::optional<uint64_t> limit = read_memory_limit(source.root);
  uint64_t bytes = 0;
  if (share.memory_bytes) {
    bytes = *share.memory_bytes;
  } else {
    const Result<std::string> text = read_text(source.root + "/proc/meminfo");
    const auto memory = text ? parse_meminfo(*text) : std::nullopt;
    if (!memory && !limit) {
      result.warnings.push_back(
          "The memory of this machine could not be read; give it with --resource mem=sum(MiB)");
      return result;
    }
    bytes = memory ? memory->total : *limit;
  }
  const bool cut = limit && *limit < bytes;
  if (cut) bytes = *limit;
  if (!share.memory_bytes || cut) {
    constexpr double kGiB = 1 << 30;
    result.info.push_back(
        fmt::format("Detected {}B of memory ({:.2f} GiB)", bytes, static_cast<double>(bytes) / kGiB));
  }
  if (!mebibytes(bytes).is_zero())
    result.item = ResourceItem{std::string(kMem), ResourceSum{mebibytes(bytes)}};
  return result;
}

}  // namespace hq
