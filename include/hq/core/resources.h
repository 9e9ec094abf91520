// What a worker offers (ResourceDescriptor) and what a task asks for (ResourceRequest: variants, each with
// entries). Reference for texts and JSON names: docs/protocol.md, Resources.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/amount.h"

namespace hq {

inline constexpr std::string_view kCpus = "cpus";
inline constexpr std::string_view kMem = "mem";  // a sum, in MiB
inline constexpr std::string_view kNvidiaGpus = "gpus/nvidia";
inline constexpr std::string_view kAmdGpus = "gpus/amd";

// --- what a worker offers ---------------------------------------------------------------------------------

struct ResourceList {  // labelled indices
  std::vector<std::string> labels;
  friend bool operator==(const ResourceList&, const ResourceList&) = default;
};
struct ResourceGroups {  // labelled indices in groups (NUMA nodes)
  std::vector<std::vector<std::string>> groups;
  friend bool operator==(const ResourceGroups&, const ResourceGroups&) = default;
};
struct ResourceSpan {  // labels first..last, numeric
  uint32_t first = 0;
  uint32_t last = 0;
  friend bool operator==(const ResourceSpan&, const ResourceSpan&) = default;
};
struct ResourceSum {  // an amount without identities
  Amount size;
  friend bool operator==(const ResourceSum&, const ResourceSum&) = default;
};
using ResourceKind = std::variant<ResourceList, ResourceGroups, ResourceSpan, ResourceSum>;

struct ResourceItem {
  std::string name;
  ResourceKind kind;

  [[nodiscard]] Amount size() const;
  // Labels per group (one group for lists and spans); empty for sums.
  [[nodiscard]] std::vector<std::vector<std::string>> label_groups() const;
  friend bool operator==(const ResourceItem&, const ResourceItem&) = default;
};

struct CouplingWeight {  // between two groups; indices refer to the items sorted by name
  uint8_t resource1 = 0;
  uint8_t group1 = 0;
  uint8_t resource2 = 0;
  uint8_t group2 = 0;
  uint16_t weight = 256;
  friend auto operator<=>(const CouplingWeight&, const CouplingWeight&) = default;
};

struct ResourceDescriptor {
  std::vector<ResourceItem> items;  // sorted by name once normalised
  std::vector<CouplingWeight> coupling;

  [[nodiscard]] const ResourceItem* find(std::string_view name) const;
  friend bool operator==(const ResourceDescriptor&, const ResourceDescriptor&) = default;
};

// --- what a task asks for ---------------------------------------------------------------------------------

enum class Policy : uint8_t { kCompact, kForceCompact, kTight, kForceTight, kScatter, kAll };

// "compact", "compact!", "tight", "tight!", "scatter", "all"
[[nodiscard]] std::string_view policy_text(Policy policy);

struct ResourceEntry {
  std::string name;
  Amount amount;  // zero when policy is kAll
  Policy policy = Policy::kCompact;

  // "2 compact", "all"
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const ResourceEntry&, const ResourceEntry&) = default;
};

struct ResourceVariant {
  uint32_t nodes = 0;                  // > 0: a multi-node task; entries are then kept but not used
  std::vector<ResourceEntry> entries;  // as submitted, implicit cpus first; names unique
  Duration min_time{0};                // time request: least remaining worker life needed to start
  uint32_t weight = 10'000;            // scheduling weight x 10,000
  friend auto operator<=>(const ResourceVariant&, const ResourceVariant&) = default;
};

struct ResourceRequest {
  std::vector<ResourceVariant> variants;  // in order of preference, at least one

  // One variant asking for `n` cpus, compact.
  static ResourceRequest cpus(uint64_t n);
  friend auto operator<=>(const ResourceRequest&, const ResourceRequest&) = default;
};

}  // namespace hq
