// AMOUNT, shared by requests and sum(...): number [ "." number ], at most 4 fractional digits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/text/scanner.h"
#include "hq/core/amount.h"

namespace hq::text {

struct ParsedAmount {
  Amount amount;
  size_t at = 0;
  bool has_fraction = false;
};

// `alternatives`: what else could have stood at the first digit. Refusals carry `label`.
[[nodiscard]] Result<ParsedAmount> parse_amount(Scanner& in, std::string_view label,
                                                std::vector<std::string> alternatives);

// letter (letter | digit | "/")*; empty and no step if there is none.
[[nodiscard]] std::string take_resource_name(Scanner& in);

}  // namespace hq::text
