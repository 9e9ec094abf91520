#include "hq/core/text/size_text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdlib>

#include "core/text/scanner.h"

namespace hq {

namespace {

constexpr std::string_view kUnits = "kmgt";

// How many times 1024; 0 for what is no unit.
int power_of(std::string_view unit) {
  std::string lower;
  for (char c : unit) lower += char(c | 0x20);
  if (lower.empty()) return 0;
  const bool known = lower.size() == 1 || lower.substr(1) == "b" || lower.substr(1) == "ib";
  const size_t at = !known ? std::string_view::npos : kUnits.find(lower[0]);
  return at == std::string_view::npos ? 0 : int(at) + 1;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view given) {
  const std::string_view text = text::trim(given);
  size_t digits = 0;
  while (digits < text.size() && (text::is_digit(text[digits]) || text[digits] == '.')) ++digits;
  const std::string number(text.substr(0, digits));
  const int power = power_of(text::trim_front(text.substr(digits)));
  const bool decimal =
      number.find_first_of("0123456789") != std::string::npos && number.find('.') == number.rfind('.');
  if (!decimal || power == 0) return Error("expected a size with its unit, like 2GiB or 500MiB");
  const double bytes = std::ceil(std::strtod(number.c_str(), nullptr) * std::pow(1024.0, power));
  if (bytes < 1) return Error("the size is 0");
  if (bytes >= 0x1p63) return Error("the size is too large");
  return uint64_t(bytes);
}

std::string memory_size_text(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (unit + 1 < kNames.size() && bytes >> (10 * (unit + 1)) > 0) ++unit;
  const double value = double(bytes) / std::pow(1024.0, double(unit));
  std::string number = fmt::format("{:.2f}", value);
  while (number.ends_with('0')) number.pop_back();
  if (number.ends_with('.')) number.pop_back();
  return number + " " + kNames[unit];
}

}  // namespace hq
