// What a task asks for, as text (--cpus, --resource of submit, values in job files):
//
//   ALLOC   := "all" | blank* AMOUNT blank* [ policy ]
//   AMOUNT  := number [ "." number ] [ blank* size ]       at most 4 fractional digits, above zero
//   policy  := "compact" | "compact!" | "tight" | "tight!" | "scatter"     default compact
//   NAME    := letter (letter | digit | "/")*
//   request := NAME blank* "=" blank* ALLOC
//
// size: only for `mem`, whose unit is MiB; binary, in any case: K KB KiB, M MB MiB, G GB GiB, T TB TiB;
// rounded up to a ten-thousandth of a MiB. "4GiB" is 4096, "500MiB" is 500.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/resources.h"

namespace hq {

// ALLOC for the resource `name` (it decides whether sizes are understood).
[[nodiscard]] Result<ResourceEntry> parse_allocation(std::string_view name, std::string_view text);
// NAME=ALLOC
[[nodiscard]] Result<ResourceEntry> parse_resource_request(std::string_view text);
[[nodiscard]] bool is_resource_name(std::string_view name);

// The entries of a request from --cpus and every --resource: names unique, cpus from one of them only; one
// cpu, compact, in front if neither gives cpus.
[[nodiscard]] Result<std::vector<ResourceEntry>> combine_request(std::optional<ResourceEntry> cpus,
                                                                 std::vector<ResourceEntry> resources);

// Lines as `job info` shows them: "cpus: 2 compact" sorted by name, "[weight: 1.5]" unless 1; "nodes: N"
// alone for multi-node; several variants as blocks below "# Variant 1", with an empty line between.
[[nodiscard]] std::vector<std::string> request_lines(const ResourceRequest& request);

}  // namespace hq
