// Reads the JSON that batch systems and GPU tools print, into a flat list of its scalars. It forgives what
// those print wrongly and what the values read here never contain: control characters and foreign bytes
// inside of strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hq {

struct JsonLeaf {
  std::vector<std::string> path;  // keys from the outermost object inwards; elements of arrays by their index
  std::string text;               // a string's contents; numbers, true, false, null as written
};

// In the order of the text. Absent if `text` is no single object, is cut short, or nests deeper than 64.
[[nodiscard]] std::optional<std::vector<JsonLeaf>> scan_json(std::string_view text);

}  // namespace hq
