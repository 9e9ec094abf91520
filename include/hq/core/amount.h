// Resource amounts are exact: unsigned integers in ten-thousandths of a unit.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace hq {

struct Amount {
  static constexpr uint64_t kScale = 10'000;
  uint64_t scaled = 0;

  constexpr Amount() = default;
  static constexpr Amount units(uint64_t n) { return from_scaled(n * kScale); }
  static constexpr Amount from_scaled(uint64_t n) {
    Amount a;
    a.scaled = n;
    return a;
  }
  [[nodiscard]] constexpr uint64_t whole() const { return scaled / kScale; }
  [[nodiscard]] constexpr uint64_t fraction() const { return scaled % kScale; }
  [[nodiscard]] constexpr bool is_zero() const { return scaled == 0; }
  friend constexpr auto operator<=>(const Amount&, const Amount&) = default;
  friend constexpr Amount operator+(Amount a, Amount b) { return from_scaled(a.scaled + b.scaled); }
  // REQUIRES: b <= a.
  friend constexpr Amount operator-(Amount a, Amount b) { return from_scaled(a.scaled - b.scaled); }
  // "2", "0.5", "1.25": no trailing zeros.
  [[nodiscard]] std::string text() const;
};

}  // namespace hq
