#include "core/text/amount_parser.h"

namespace hq::text {

Result<ParsedAmount> parse_amount(Scanner& in, std::string_view label,
                                  std::vector<std::string> alternatives) {
  ParsedAmount out;
  out.at = in.position();
  const auto whole = in.number();
  if (!whole) return in.unexpected("number", std::move(alternatives));
  if (!whole->value) return in.refused(out.at, label, kNotU32);
  uint64_t scaled = *whole->value * Amount::kScale;
  if (in.take('.')) {
    out.has_fraction = true;
    const auto fraction = in.number();
    if (!fraction) return in.unexpected("number", {});
    if (fraction->digits > 4) return in.refused(out.at, label, "Resource precision exceeded");
    uint64_t part = *fraction->value;
    for (size_t i = fraction->digits; i < 4; ++i) part *= 10;
    scaled += part;
  }
  out.amount = Amount::from_scaled(scaled);
  return out;
}

std::string take_resource_name(Scanner& in) {
  std::string name;
  while (is_letter(in.peek()) || (!name.empty() && (is_digit(in.peek()) || in.peek() == '/'))) {
    name += in.peek();
    in.skip(1);
  }
  return name;
}

}  // namespace hq::text
