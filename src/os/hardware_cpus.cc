// Which cpus tasks may use, and how they lie in NUMA nodes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "hq/base/text_parts.h"
#include "hq/os/hardware.h"
#include "os/hardware_files.h"

namespace hq {
namespace {

using Nodes = std::vector<CpuSet>;

bool contains(const CpuSet& set, uint32_t cpu) {
  return std::binary_search(set.begin(), set.end(), cpu);
}

// Nodes that are possible but not there (yet) are left out.
Result<Nodes> read_numa_nodes(const std::string& root) {
  const std::string base = root + "/sys/devices/system/node/";
  const Result<std::string> possible = read_text(base + "possible");
  if (!possible) return possible.error();
  const Result<CpuSet> ids = parse_cpu_list(*possible);
  if (!ids) return ids.error();
  Nodes nodes;
  for (const uint32_t id : *ids) {
    const std::string directory = base + "node" + std::to_string(id);
    if (!list_directory(directory)) continue;
    const Result<std::string> text = read_text(directory + "/cpulist");
    if (!text) return text.error();
    Result<CpuSet> cpus = parse_cpu_list(*text);
    if (!cpus) return cpus.error();
    nodes.push_back(std::move(*cpus));
  }
  if (nodes.empty()) return Error(fmt::format("no NUMA node in '{}'", base));
  return nodes;
}

// Absent when no cpuset limits us.
std::optional<CpuSet> read_cpuset(const std::string& root) {
  const CgroupDirs found = find_cgroup(root, "cpuset");
  const std::vector<std::string_view> names =
      found.v2 ? std::vector<std::string_view>{"cpuset.cpus.effective"}
               : std::vector<std::string_view>{"cpuset.effective_cpus", "cpuset.cpus"};
  // A v2 group without the controller has no such file; the next one above that has it decides.
  for (const std::string& dir : found.dirs) {
    for (const std::string_view name : names) {
      const Result<std::string> text = read_text(fmt::format("{}/{}", dir, name));
      if (!text) continue;
      Result<CpuSet> cpus = parse_cpu_list(*text);
      if (cpus && !cpus->empty()) return std::move(*cpus);
    }
  }
  return std::nullopt;
}

// The hyper-threads of a cpu's core, itself among them; itself alone when the kernel does not say.
CpuSet siblings(const std::string& root, uint32_t cpu) {
  const auto text =
      read_text(fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", root, cpu));
  Result<CpuSet> all = text ? parse_cpu_list(*text) : Result<CpuSet>(CpuSet{});
  if (!all || !contains(*all, cpu)) return {cpu};
  return std::move(*all);
}

CpuSet with_siblings(const std::string& root, const CpuSet& cpus) {
  CpuSet all;
  for (const uint32_t cpu : cpus) {
    for (const uint32_t sibling : siblings(root, cpu)) all.push_back(sibling);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// The lowest usable hyper-thread of each core.
CpuSet one_per_core(const std::string& root, const CpuSet& cpus) {
  CpuSet kept;
  for (const uint32_t cpu : cpus) {
    if (intersection(siblings(root, cpu), cpus).front() == cpu) kept.push_back(cpu);
  }
  return kept;
}

// The first of `cpus`, as many as the share has.
CpuSet cut(const CpuSet& cpus, size_t share) {
  return {cpus.begin(), cpus.begin() + static_cast<ptrdiff_t>(std::min(cpus.size(), share))};
}

// Filled up to `share` cpus: those of the mask, then the ones behind it, then those before.
CpuSet widen(const CpuLimits& limits, size_t share) {
  if (limits.cgroup.size() <= share) return limits.cgroup;
  CpuSet wide = limits.mask;
  const auto behind = std::upper_bound(limits.cgroup.begin(), limits.cgroup.end(), limits.mask.front());
  CpuSet order(behind, limits.cgroup.end());
  order.insert(order.end(), limits.cgroup.begin(), behind);
  for (const uint32_t cpu : order) {
    if (wide.size() >= share) break;
    if (!contains(limits.mask, cpu)) wide.push_back(cpu);
  }
  std::sort(wide.begin(), wide.end());
  return wide;
}

// Is the mask what srun makes by itself for a single task: one core, and the very mask that its variables
// name?
bool bound_by_srun(const CpuLimits& limits) {
  return limits.share.bound_cpus && limits.mask_is_one_core &&
         intersection(*limits.share.bound_cpus, limits.cgroup) == limits.mask;
}

std::vector<std::string> labels(const CpuSet& cpus) {
  std::vector<std::string> texts;
  for (const uint32_t cpu : cpus) texts.push_back(std::to_string(cpu));
  return texts;
}

ResourceItem cpus_item(const Nodes& nodes) {
  if (nodes.size() == 1) return {std::string(kCpus), ResourceList{labels(nodes[0])}};
  ResourceGroups groups;
  for (const CpuSet& node : nodes) groups.groups.push_back(labels(node));
  return {std::string(kCpus), std::move(groups)};
}

// ["0,1", "2,3"]
std::string nodes_text(const Nodes& nodes) {
  std::vector<std::string> texts;
  for (const CpuSet& node : nodes) texts.push_back(fmt::format("\"{}\"", fmt::join(node, ",")));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

}  // namespace

UsableCpus usable_cpus(const CpuLimits& limits) {
  UsableCpus result;
  result.cpus = limits.mask.empty() ? limits.cgroup : limits.mask;
  if (!limits.share.cpus) return result;
  const size_t share = *limits.share.cpus;
  const size_t had = result.cpus.size();
  if (had > share) {
    result.cpus = cut(result.cpus, share);
    result.info.push_back(
        fmt::format("Using {} of the {} cpus that this process may run on: the share of the "
                    "allocation on this node ({})",
                    share, had, limits.share.cpus_source));
    return result;
  }
  const size_t most = std::min(share, limits.cgroup.size());
  // One thread of each core (--hint=nomultithread) is all of the share, too.
  const size_t covered = intersection(limits.mask_with_siblings, limits.cgroup).size();
  if (had >= most || covered >= most) return result;
  if (!bound_by_srun(limits)) {
    result.info.push_back(
        fmt::format("Keeping the cpu mask of this process: {} of the {} cpus that the allocation "
                    "has on this node ({})",
                    had, most, limits.share.cpus_source));
    return result;
  }
  result.cpus = widen(limits, share);
  result.widened = true;
  result.warnings.push_back(fmt::format(
      "srun bound this process to {} of the {} cpus that the allocation has on this node ({}); using all "
      "of them. Start the worker with `srun --cpu-bind=none` to say so, or choose with --cpus",
      had, most, limits.share.cpus_source));
  return result;
}

CpuDetection detect_cpus(const HardwareSource& source, const BatchShare& share, bool no_hyper_threading) {
  const Result<Nodes> nodes = read_numa_nodes(source.root);
  CpuSet machine;
  if (nodes) {
    for (const CpuSet& node : *nodes) machine.insert(machine.end(), node.begin(), node.end());
    std::sort(machine.begin(), machine.end());
  } else {
    machine = source.affinity;
  }
  CpuLimits limits;
  const std::optional<CpuSet> cpuset = read_cpuset(source.root);
  limits.cgroup = cpuset ? intersection(*cpuset, machine) : machine;
  limits.mask = intersection(source.affinity, limits.cgroup);
  limits.mask_with_siblings = with_siblings(source.root, limits.mask);
  limits.mask_is_one_core =
      !limits.mask.empty() && limits.mask_with_siblings == siblings(source.root, limits.mask.front());
  limits.share = share;

  UsableCpus usable = usable_cpus(limits);
  CpuDetection result;
  result.usable = usable.cpus;
  result.widened = usable.widened;
  result.detected.info = std::move(usable.info);
  result.detected.warnings = std::move(usable.warnings);
  if (usable.cpus.empty()) {
    result.detected.warnings.push_back("No usable cpu was found on this machine; give them with --cpus");
    return result;
  }
  Nodes filtered = nodes ? *nodes : Nodes{machine};
  for (CpuSet& node : filtered) node = intersection(node, usable.cpus);
  if (nodes && filtered != *nodes) {
    result.detected.info.insert(
        result.detected.info.begin(),
        fmt::format("Some cores were filtered by a CPU mask. All cores: {}. Allowed cores: {}.",
                    nodes_text(*nodes), nodes_text(filtered)));
  }
  if (no_hyper_threading) {
    const CpuSet first_threads = one_per_core(source.root, usable.cpus);
    for (CpuSet& node : filtered) node = intersection(node, first_threads);
  }
  result.detected.item = cpus_item(filtered);
  return result;
}

Result<ResourceItem> without_hyper_threads(const HardwareSource& source, const ResourceItem& cpus) {
  std::vector<std::vector<std::string>> groups = cpus.label_groups();
  CpuSet given;
  for (const auto& group : groups) {
    for (const std::string& label : group) {
      const auto cpu = parse_number<uint32_t>(label);
      if (!cpu) {
        return Error(
            fmt::format("cpus can't be reduced to one per core: '{}' is not the number of a cpu", label));
      }
      given.push_back(*cpu);
    }
  }
  std::sort(given.begin(), given.end());
  const CpuSet kept = one_per_core(source.root, given);
  for (auto& group : groups) {
    std::erase_if(group, [&](const std::string& label) {
      return !contains(kept, parse_number<uint32_t>(label).value_or(UINT32_MAX));
    });
  }
  if (groups.size() == 1) return ResourceItem{cpus.name, ResourceList{std::move(groups[0])}};
  return ResourceItem{cpus.name, ResourceGroups{std::move(groups)}};
}

std::optional<std::string> too_many_cpus_text(const ResourceItem& given, const CpuSet& usable) {
  const uint64_t count = given.size().whole();
  if (usable.empty() || count <= usable.size()) return std::nullopt;
  return fmt::format(
      "The worker is given {} cpus, but only {} are usable on this machine; tasks will share them", count,
      usable.size());
}

}  // namespace hq
