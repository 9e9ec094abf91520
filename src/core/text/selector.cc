#include "hq/core/text/selector.h"

#include "hq/core/text/id_array_text.h"

namespace hq {

Result<Selector> parse_selector(std::string_view text, SelectorKeywords allowed) {
  if (allowed.last && text == "last") return Selector{Selector::Kind::kLast, {}};
  if (allowed.all && text == "all") return Selector{Selector::Kind::kAll, {}};
  auto ids = parse_id_array(text);
  if (!ids) return std::move(ids.error());
  return Selector{Selector::Kind::kIds, std::move(*ids)};
}

}  // namespace hq
