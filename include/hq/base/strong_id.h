// Id<Tag>: an integer that does not mix with other ids, nor with plain integers.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace hq {

template <class Tag, class Rep = uint32_t>
struct Id {
  using rep = Rep;
  Rep value = 0;

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
  [[nodiscard]] std::string text() const { return std::to_string(value); }
};

}  // namespace hq

template <class Tag, class Rep>
struct std::hash<hq::Id<Tag, Rep>> {
  size_t operator()(const hq::Id<Tag, Rep>& id) const noexcept { return std::hash<Rep>()(id.value); }
};
