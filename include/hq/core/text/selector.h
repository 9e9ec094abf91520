// Selectors of jobs and workers: "last", "all" (exactly, where the command allows them), or an integer array
// (text/id_array_text.h). A keyword that is not allowed is read as an array, and fails as such.
#pragma once

#include <string_view>

#include "hq/base/result.h"
#include "hq/core/id_ranges.h"

namespace hq {

struct Selector {
  enum class Kind : uint8_t { kLast, kAll, kIds };
  Kind kind = Kind::kIds;
  IdArray ids;  // kIds
  friend bool operator==(const Selector&, const Selector&) = default;
};

struct SelectorKeywords {
  bool last = true;
  bool all = true;
};

[[nodiscard]] Result<Selector> parse_selector(std::string_view text, SelectorKeywords allowed);

}  // namespace hq
