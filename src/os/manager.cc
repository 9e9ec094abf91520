#include "hq/os/manager.h"

#include <fmt/format.h>

#include <algorithm>

#include "hq/base/text_parts.h"
#include "hq/os/command.h"

extern char** environ;

namespace hq {
namespace {

const std::string* find(const Environment& env, std::string_view name) {
  const auto it = env.find(name);
  return it == env.end() ? nullptr : &it->second;
}

Result<std::optional<Manager>> detect_pbs(const Environment& env) {
  if (find(env, "PBS_ENVIRONMENT") == nullptr) {
    return Error("PBS_ENVIRONMENT not found. The process is not running under PBS");
  }
  const std::string* id = find(env, "PBS_JOBID");
  if (id == nullptr || id->empty()) {
    return Error("PBS_JOBID not found. The process is not running under PBS");
  }
  return std::optional<Manager>({ManagerKind::kPbs, *id});
}

Result<std::optional<Manager>> detect_slurm(const Environment& env) {
  for (const std::string_view name : {"SLURM_JOB_ID", "SLURM_JOBID"}) {
    const std::string* id = find(env, name);
    if (id != nullptr && !id->empty()) return std::optional<Manager>({ManagerKind::kSlurm, *id});
  }
  return Error("SLURM_JOB_ID/SLURM_JOBID not found. The process is not running under SLURM");
}

template <class Number>
std::optional<Number> positive(const Environment& env, std::string_view name) {
  const std::string* text = find(env, name);
  if (text == nullptr) return std::nullopt;
  const std::optional<Number> value = parse_number<Number>(*text);
  return value && *value > 0 ? value : std::nullopt;
}

// How many tasks of the running step are on this node; SLURM_STEP_TASKS_PER_NODE is like "2(x3),1".
uint32_t step_tasks_here(const Environment& env) {
  const std::string* counts = find(env, "SLURM_STEP_TASKS_PER_NODE");
  const std::string* node = find(env, "SLURM_NODEID");
  if (counts == nullptr || node == nullptr) return 1;
  uint64_t index = parse_number<uint32_t>(*node).value_or(0);
  for (const std::string_view part : split(*counts, ',')) {
    const size_t paren = part.find("(x");
    const uint32_t tasks = parse_number<uint32_t>(part.substr(0, paren)).value_or(1);
    uint64_t times = 1;
    if (paren != std::string_view::npos && part.back() == ')') {
      times = parse_number<uint32_t>(part.substr(paren + 2, part.size() - paren - 3)).value_or(1);
    }
    if (index < times) return tasks;
    index -= times;
  }
  return 1;
}

std::optional<std::vector<uint32_t>> srun_binding(const Environment& env) {
  const std::string* type = find(env, "SLURM_CPU_BIND_TYPE");
  const std::string* list = find(env, "SLURM_CPU_BIND_LIST");
  if (type == nullptr || list == nullptr || *type != "mask_cpu:" || step_tasks_here(env) > 1) {
    return std::nullopt;
  }
  return parse_hex_mask(*list);  // several masks don't parse, as meant
}

BatchShare slurm_share(const Environment& env) {
  constexpr uint64_t kMiB = 1 << 20;
  BatchShare share;
  share.cpus = positive<uint32_t>(env, "SLURM_CPUS_ON_NODE");
  share.cpus_source = "SLURM_CPUS_ON_NODE";
  share.bound_cpus = srun_binding(env);
  // 0 stands for all memory of the node. The bound keeps the product in 64 bits.
  constexpr uint64_t kMost = uint64_t{1} << 40;
  if (const auto per_node = positive<uint64_t>(env, "SLURM_MEM_PER_NODE"); per_node && *per_node < kMost) {
    share.memory_bytes = *per_node * kMiB;
  } else if (const auto per_cpu = positive<uint32_t>(env, "SLURM_MEM_PER_CPU"); per_cpu && share.cpus) {
    const uint64_t mib = uint64_t{*per_cpu} * *share.cpus;
    if (mib < kMost) share.memory_bytes = mib * kMiB;
  }
  return share;
}

}  // namespace

Environment current_environment() {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

Result<std::optional<Manager>> detect_manager(const Environment& env, ManagerChoice choice) {
  switch (choice) {
    case ManagerChoice::kNone:
      return std::optional<Manager>();
    case ManagerChoice::kPbs:
      return detect_pbs(env);
    case ManagerChoice::kSlurm:
      return detect_slurm(env);
    case ManagerChoice::kDetect:
      break;
  }
  if (auto pbs = detect_pbs(env)) return pbs;
  if (auto slurm = detect_slurm(env)) return slurm;
  return std::optional<Manager>();
}

std::string manager_detected_text(ManagerKind kind) {
  return kind == ManagerKind::kPbs ? "PBS environment detected" : "SLURM environment detected";
}

std::vector<std::string> allocation_query(const Manager& manager) {
  if (manager.kind == ManagerKind::kPbs) return {"qstat", "-f", manager.allocation_id, "-F", "json"};
  return {"scontrol", "show", "job", manager.allocation_id};
}

Result<AllocationFacts> query_allocation(const Manager& manager, std::string_view host, Duration timeout) {
  Result<std::string> text = run_for_output(allocation_query(manager), timeout);
  if (!text) return text.error();
  if (manager.kind == ManagerKind::kPbs) return parse_qstat_job(*text, manager.allocation_id, host);
  return parse_scontrol_job(*text, manager.allocation_id);
}

std::string query_failed_text(ManagerKind kind, const Error& error) {
  const std::string_view start = kind == ManagerKind::kPbs
                                     ? "Cannot get time-limit from PBS"
                                     : "Cannot get remaining worker timelimit from Slurm";
  return fmt::format("{}: {}", start, error.message);
}

std::optional<Duration> parse_clock(std::string_view text) {
  uint64_t seconds = 0;
  if (const size_t dash = text.find('-'); dash != std::string_view::npos) {
    const auto days = parse_number<uint32_t>(text.substr(0, dash));
    if (!days) return std::nullopt;
    seconds = uint64_t{*days} * 86'400;
    text.remove_prefix(dash + 1);
  }
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() > 3) return std::nullopt;
  uint64_t clock = 0;
  for (const std::string_view part : parts) {
    const auto number = parse_number<uint32_t>(part);
    if (!number) return std::nullopt;
    clock = clock * 60 + *number;
  }
  constexpr uint64_t kMostSeconds = 9'000'000'000;  // what a Duration can hold, rounded down
  if (seconds + clock > kMostSeconds) return std::nullopt;
  return std::chrono::seconds(seconds + clock);
}

std::optional<std::vector<uint32_t>> parse_hex_mask(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  if (text.empty() || text.size() > 4096) return std::nullopt;
  std::vector<uint32_t> cpus;
  for (uint32_t i = 0; i < text.size(); ++i) {
    const auto digit = parse_number<uint32_t>(text.substr(text.size() - 1 - i, 1), 16);
    if (!digit) return std::nullopt;
    for (uint32_t bit = 0; bit < 4; ++bit) {
      if ((*digit >> bit & 1) != 0) cpus.push_back(4 * i + bit);
    }
  }
  return cpus;
}

BatchShare batch_share(const std::optional<Manager>& manager, const Environment& env,
                       const std::optional<AllocationFacts>& facts, std::string_view host,
                       std::string_view pbs_node_file) {
  if (!manager) return {};
  if (manager->kind == ManagerKind::kSlurm) return slurm_share(env);
  BatchShare share;
  share.cpus_source = "PBS ncpus";
  if (facts) {
    share.cpus = facts->host_cpus;
    share.memory_bytes = facts->host_memory_bytes;
  }
  // NCPUS counts one chunk, and a host has a line in the node file per chunk.
  const auto ncpus = positive<uint32_t>(env, "NCPUS");
  if (!share.cpus && ncpus) {
    const std::string_view short_host = host.substr(0, host.find('.'));
    const std::vector<std::string_view> lines = words(pbs_node_file);
    const auto chunks = std::count_if(lines.begin(), lines.end(), [&](std::string_view line) {
      return line.substr(0, line.find('.')) == short_host;
    });
    if (chunks > 0)
      share.cpus = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{*ncpus} * uint64_t(chunks), UINT32_MAX));
  }
  return share;
}

}  // namespace hq
