// Integer arrays, as in --array and in selectors:
//
//   number := digit (digit | "_")*                      underscores are ignored; fits 32 bits
//   range  := number [ "-" number [ ":" number ] ]      n, n-m (n <= m), n-m:s (0 < s <= m-n)
//   array  := blank* range blank* ( "," blank* range blank* )*
//
// Ranges must not share a member (interleaved stepped ones are fine). Order is kept as written.
#pragma once

#include <string_view>

#include "hq/base/result.h"
#include "hq/core/id_ranges.h"

namespace hq {

[[nodiscard]] Result<IdArray> parse_id_array(std::string_view text);

// True if two parts share a member. Costs no time per id; per pair of parts only where their spans overlap.
[[nodiscard]] bool has_overlap(const IdArray& array);

}  // namespace hq
