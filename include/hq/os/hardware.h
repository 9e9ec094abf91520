// What this machine offers to tasks: cpus, memory, GPUs, and who it is. Decisions are functions of values
// (usable_cpus, parse_...); the detect_... functions read /proc and /sys below a root that tests replace by a
// tree of their own. Nothing is logged here: texts for the log come back with the result.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/resources.h"
#include "hq/os/manager.h"

namespace hq {

// --- sets of cpus
// --------------------------------------------------------------------------------------------

using CpuSet = std::vector<uint32_t>;  // OS numbers, ascending, unique

// The kernel's list form: "0-3,8"; empty for an empty set. Numbers from 65,536 on are refused.
[[nodiscard]] Result<CpuSet> parse_cpu_list(std::string_view text);
[[nodiscard]] CpuSet intersection(const CpuSet& a, const CpuSet& b);

// The mask of the calling thread, and changing it.
[[nodiscard]] Result<CpuSet> current_affinity();
[[nodiscard]] Result<void> set_affinity(const CpuSet& cpus);

// --- what is looked at
// ---------------------------------------------------------------------------------------

struct HardwareSource {
  std::string root;  // put before /proc and /sys; empty = the machine itself
  Environment env;
  CpuSet affinity;  // may be empty when it could not be read
  std::string host;
};

// The machine itself, as the calling thread sees it.
[[nodiscard]] HardwareSource this_machine();
// The text of $PBS_NODEFILE, for batch_share(); empty when there is none.
[[nodiscard]] std::string pbs_node_file(const HardwareSource& source);

struct Detected {
  std::optional<ResourceItem> item;  // absent when there is nothing to offer
  std::vector<std::string> info;
  std::vector<std::string> warnings;  // later than `info`
};

// --- cpus
// ----------------------------------------------------------------------------------------------------

struct CpuLimits {
  CpuSet cgroup;              // what the cpuset of our cgroup allows, and what is online
  CpuSet mask;                // what this process was started on; within `cgroup`
  CpuSet mask_with_siblings;  // the mask with all hyper-threads of its cores
  bool mask_is_one_core = false;
  BatchShare share;
};

struct UsableCpus {
  CpuSet cpus;
  bool widened =
      false;  // beyond the mask: the process must set its affinity to `cpus` before it starts tasks
  std::vector<std::string> info;
  std::vector<std::string> warnings;
};

// The cpuset cut down to the batch system's share. The mask decides too, except when srun made it by itself
// for the only task that it started on this node (one core of many): then it is widened to the share. Masks
// set by hand or for several tasks on this node are kept.
[[nodiscard]] UsableCpus usable_cpus(const CpuLimits& limits);

struct CpuDetection {
  Detected detected;
  CpuSet usable;         // all of them, hyper-threads too
  bool widened = false;  // see UsableCpus
};

// Item `cpus`: a list with one NUMA node, groups with several (a node without usable cpus stays as an empty
// group).
[[nodiscard]] CpuDetection detect_cpus(const HardwareSource& source, const BatchShare& share,
                                       bool no_hyper_threading);

// One cpu of each core, of cpus given by hand: labels must then be OS numbers, else an error.
[[nodiscard]] Result<ResourceItem> without_hyper_threads(const HardwareSource& source,
                                                         const ResourceItem& cpus);

// The warning when more cpus are given by hand than are usable.
[[nodiscard]] std::optional<std::string> too_many_cpus_text(const ResourceItem& given, const CpuSet& usable);

// --- memory and GPUs
// -----------------------------------------------------------------------------------------

// Item `mem`: the batch system's share, else all memory of the machine; never above the limit of our cgroup.
[[nodiscard]] Detected detect_memory(const HardwareSource& source, const BatchShare& share);
// Bytes as an amount of MiB, rounded down to four decimals.
[[nodiscard]] Amount mebibytes(uint64_t bytes);

struct GpuChoice {  // which families to look for: not those switched off or given by hand
  bool nvidia = true;
  bool amd = true;
  bool nvidia_by_driver = true;  // /proc/driver/nvidia, when no variable names any GPU
};
// One entry for each family that there is something to say about, nvidia first.
[[nodiscard]] std::vector<Detected> detect_gpus(const HardwareSource& source, GpuChoice choice);

// --- who this is
// ---------------------------------------------------------------------------------------------

[[nodiscard]] Result<std::string> host_name();
// Another text after each boot.
[[nodiscard]] Result<std::string> boot_id(const HardwareSource& source);

}  // namespace hq
