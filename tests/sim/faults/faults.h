// What goes wrong in a simulated cluster. Each fault happens some times, at moments of chance, and is over
// when end_faults() says so.
#pragma once

#include <string_view>
#include <vector>

#include "sim/workloads/workloads.h"
#include "sim/world.h"

namespace hq::sim {

// For so long things go wrong.
inline constexpr Duration kFaultTime = 15s;

// What the world has to have for a fault; every other seed has a journal where it does not matter.
enum class Needs { kAny, kJournal, kNoJournal };

struct Fault {
  std::string_view name;
  void (*start)(World& world, const Workload& workload);
  Needs needs = Needs::kAny;
};
[[nodiscard]] const std::vector<Fault>& faults();
// From now on whatever fails is a bug.
void end_faults(World& world);

}  // namespace hq::sim
