// The parts of resources that have the same form in every JSON: of workers (docs/json.md) and of events.
#pragma once

#include <string>
#include <vector>

#include "hq/base/json_writer.h"
#include "hq/core/resources.h"

namespace hq::cli {

// ["0","1"]
void write_labels(JsonWriter& json, const std::vector<std::string>& labels);
// {"weights":[...]}
void write_coupling(JsonWriter& json, const std::vector<CouplingWeight>& coupling);

}  // namespace hq::cli
