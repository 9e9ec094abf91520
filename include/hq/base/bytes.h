// Byte strings: std::string holds bytes, std::string_view looks at them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hq {

using Bytes = std::string;
using BytesView = std::string_view;

}  // namespace hq
