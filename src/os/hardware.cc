#include "hq/os/hardware.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "hq/base/text_parts.h"
#include "os/hardware_files.h"

namespace hq {
namespace {

constexpr uint32_t kMostCpus = 65'536;

struct KernelMask {
  explicit KernelMask(size_t cpus)
      : set(CPU_ALLOC(cpus), [](cpu_set_t* s) { CPU_FREE(s); }), bytes(CPU_ALLOC_SIZE(cpus)) {
    HQ_ASSERT(set != nullptr);
    CPU_ZERO_S(bytes, set.get());
  }
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set;
  size_t bytes;
};

}  // namespace

Result<CpuSet> parse_cpu_list(std::string_view text) {
  text = trim(text);
  CpuSet cpus;
  if (text.empty()) return cpus;
  for (const std::string_view part : split(text, ',')) {
    const size_t dash = part.find('-');
    const auto first = parse_number<uint32_t>(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number<uint32_t>(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last >= kMostCpus) {
      return Error("'" + std::string(text) + "' is not a list of cpus");
    }
    for (uint32_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

CpuSet intersection(const CpuSet& a, const CpuSet& b) {
  CpuSet both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

Result<CpuSet> current_affinity() {
  // The kernel refuses a mask that is smaller than its own.
  for (size_t size = 1024; size <= kMostCpus; size *= 2) {
    KernelMask mask(size);
    if (::sched_getaffinity(0, mask.bytes, mask.set.get()) != 0) {
      if (errno == EINVAL) continue;
      return os_error(errno).with_context("cannot read the cpu affinity");
    }
    CpuSet cpus;
    for (uint32_t cpu = 0; cpu < size; ++cpu) {
      if (CPU_ISSET_S(cpu, mask.bytes, mask.set.get())) cpus.push_back(cpu);
    }
    return cpus;
  }
  return Error("cannot read the cpu affinity: too many cpus");
}

Result<void> set_affinity(const CpuSet& cpus) {
  KernelMask mask(kMostCpus);
  for (const uint32_t cpu : cpus) {
    if (cpu < kMostCpus) CPU_SET_S(cpu, mask.bytes, mask.set.get());
  }
  if (::sched_setaffinity(0, mask.bytes, mask.set.get()) != 0) {
    return os_error(errno).with_context("cannot set the cpu affinity");
  }
  return {};
}

HardwareSource this_machine() {
  HardwareSource source;
  source.env = current_environment();
  if (auto mask = current_affinity()) source.affinity = std::move(*mask);
  if (auto host = host_name()) source.host = std::move(*host);
  return source;
}

std::string pbs_node_file(const HardwareSource& source) {
  const auto it = source.env.find("PBS_NODEFILE");
  if (it == source.env.end()) return "";
  Result<std::string> text = read_text(it->second);
  return text ? *text : "";  // without the file the share is simply not known
}

Amount mebibytes(uint64_t bytes) {
  constexpr uint64_t kMiB = 1 << 20;
  constexpr uint64_t kMostWhole = UINT64_MAX / Amount::kScale - 1;
  const uint64_t whole = std::min(bytes / kMiB, kMostWhole);
  return Amount::from_scaled(whole * Amount::kScale + bytes % kMiB * Amount::kScale / kMiB);
}

Result<std::string> host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    return os_error(errno).with_context("cannot read the host name");
  }
  return std::string(name.data());
}

Result<std::string> boot_id(const HardwareSource& source) {
  Result<std::string> text = read_text(source.root + "/proc/sys/kernel/random/boot_id");
  if (!text) return text;
  return std::string(trim(*text));
}

}  // namespace hq
