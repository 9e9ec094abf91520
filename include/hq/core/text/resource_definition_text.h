// What a worker offers, as text (--cpus, --resource, --coupling, --detect-resources of worker start):
//
//   RESDEF := "[" LABEL ("," LABEL)* "]"                  labelled indices, unique
//           | "[" group ("," group)* "]"                  group := "[" LABEL ("," LABEL)* "]"; one group = a
//           list | N "x" M                                     N groups of M labels 0, 1, ...; 1xM =
//           range(0-(M-1)) | "range(" a "-" b ")"                        labels a..b, a <= b | "sum(" AMOUNT
//           ")"                           an amount without identities, at most 4 decimals
//   --cpus := RESDEF | N                                  N = labels 0..N-1
//   LABEL  := characters without , [ ] " and blanks  |  "quoted", not empty
//   definition := blank* NAME blank* "=" blank* RESDEF
//   coupling   := item ("," item)*
//   item       := NAME "[" GROUP "]" ":" NAME "[" GROUP "]" [ "=" WEIGHT ]     group 0..255; weight 0..65535,
//   256
//
// Blanks may stand after "[", around labels, inside parentheses, around "-" in a range, around all parts of a
// coupling. N x M makes at most 1,048,576 labels.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/resources.h"

namespace hq {

[[nodiscard]] Result<ResourceKind> parse_cpu_definition(std::string_view text);       // --cpus
[[nodiscard]] Result<ResourceItem> parse_resource_definition(std::string_view text);  // NAME=RESDEF

// The items given by hand: --cpus and every --resource. cpus may come from one of them only.
[[nodiscard]] Result<std::vector<ResourceItem>> combine_definitions(std::optional<ResourceKind> cpus,
                                                                    std::vector<ResourceItem> resources);

// The whole offer of a worker: items sorted by name, checked (names unique, no empty pool, no label twice,
// cpus with identity), coupling resolved, each pair with the smaller resource first, sorted.
[[nodiscard]] Result<ResourceDescriptor> make_descriptor(std::vector<ResourceItem> items,
                                                         std::optional<std::string_view> coupling);

// Parses a coupling for items that are sorted by name.
[[nodiscard]] Result<std::vector<CouplingWeight>> parse_coupling(std::string_view text,
                                                                 const std::vector<ResourceItem>& items);

// --detect-resources := "all" | "none" | name ("," name)*
struct DetectResources {
  bool cpus = true;
  bool mem = true;
  bool nvidia = true;
  bool amd = true;
  friend bool operator==(const DetectResources&, const DetectResources&) = default;
};
[[nodiscard]] Result<DetectResources> parse_detect_resources(std::string_view text);

inline constexpr std::string_view kCpusNotDetected =
    "You have to specify --cpus explicitly when opting out of CPU automatic detection";

}  // namespace hq
