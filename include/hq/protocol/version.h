// Version of the two conversations. A server serves kMinProtocol..kProtocol; docs/protocol.md, Versions.
#pragma once

#include <cstdint>

namespace hq {

inline constexpr uint32_t kProtocol = 1;
inline constexpr uint32_t kMinProtocol = 1;

}  // namespace hq
