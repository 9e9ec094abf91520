// One run of the simulation: a seed, a workload, a fault.
#pragma once

#include <optional>
#include <string>

#include "sim/faults/faults.h"

namespace hq::sim {

struct Outcome {
  std::optional<std::string> broken;  // the first rule that was
  uint64_t trace = 0;
  uint64_t steps = 0;
  uint64_t begun = 0;     // processes
  uint64_t accepted = 0;  // jobs
};

[[nodiscard]] Outcome run(uint64_t seed, const Workload& workload, const Fault& fault, bool verbose = false);
// The line to run it again.
[[nodiscard]] std::string repeat_line(uint64_t seed, const Workload& workload, const Fault& fault);

}  // namespace hq::sim
