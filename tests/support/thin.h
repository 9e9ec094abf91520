// Tests with many rounds take fewer where each takes long.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace hq::test {

// Set by tools/test for sanitized builds, which take up to sixty times as long.
inline bool thin() {
  return std::getenv("HQ_THIN_TESTS") != nullptr;
}

inline uint64_t rounds(uint64_t all) {
  return thin() ? all / 4 : all;
}

}  // namespace hq::test
