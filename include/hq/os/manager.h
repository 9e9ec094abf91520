// The batch system that this process runs under: found by environment variables, asked about the rest of its
// walltime and about this node's share. What is parsed here is the output of Slurm's scontrol and of PBS's
// qstat.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/core/worker_config.h"

namespace hq {

using Environment = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] Environment current_environment();

enum class ManagerChoice : uint8_t { kDetect, kNone, kPbs, kSlurm };  // --manager

struct Manager {
  ManagerKind kind = ManagerKind::kSlurm;
  std::string allocation_id;
  friend bool operator==(const Manager&, const Manager&) = default;
};

// What `choice` finds in `env`. kPbs and kSlurm fail without their variables; kDetect tries PBS, then Slurm.
[[nodiscard]] Result<std::optional<Manager>> detect_manager(const Environment& env, ManagerChoice choice);
// "PBS environment detected", "SLURM environment detected"
[[nodiscard]] std::string manager_detected_text(ManagerKind kind);

// What the batch system says about the allocation; absent = no limit, or not said.
struct AllocationFacts {
  std::optional<Duration> remaining;  // walltime left
  // PBS only (Slurm has them in the environment): what the chunks on this host add up to.
  std::optional<uint32_t> host_cpus;
  std::optional<uint64_t> host_memory_bytes;
};

// The command that prints what the next two functions read.
[[nodiscard]] std::vector<std::string> allocation_query(const Manager& manager);
// REQUIRES: `text` was printed by the query for `id`. `host` is this machine's name, with or without domain.
[[nodiscard]] Result<AllocationFacts> parse_scontrol_job(std::string_view text, std::string_view id);
[[nodiscard]] Result<AllocationFacts> parse_qstat_job(std::string_view text, std::string_view id,
                                                      std::string_view host);
// Asks; held for at most `timeout`.
[[nodiscard]] Result<AllocationFacts> query_allocation(const Manager& manager, std::string_view host,
                                                       Duration timeout);
// The warning for a query that failed; the worker then runs without a time limit of its own.
[[nodiscard]] std::string query_failed_text(ManagerKind kind, const Error& error);

// [D-][[HH:]MM:]SS; hours may exceed 24.
[[nodiscard]] std::optional<Duration> parse_clock(std::string_view text);

// This node's part of the allocation.
struct BatchShare {
  std::optional<uint32_t> cpus;
  std::optional<uint64_t> memory_bytes;
  std::string cpus_source;  // "SLURM_CPUS_ON_NODE", "PBS": for messages
  // What srun bound its single task on this node to; absent when it bound nothing or runs several tasks here.
  std::optional<std::vector<uint32_t>> bound_cpus;
};

// `facts` as answered by the manager, or absent if it was not asked. `pbs_node_file` is the text of
// $PBS_NODEFILE (one host a line), used only without facts; may be empty.
[[nodiscard]] BatchShare batch_share(const std::optional<Manager>& manager, const Environment& env,
                                     const std::optional<AllocationFacts>& facts, std::string_view host,
                                     std::string_view pbs_node_file);

// A mask as Slurm writes it ("0x0f", hexadecimal, lowest cpu last) as cpu numbers.
[[nodiscard]] std::optional<std::vector<uint32_t>> parse_hex_mask(std::string_view text);

}  // namespace hq
