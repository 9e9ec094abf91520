#include "sim/run.h"

#include <fmt/format.h>

namespace hq::sim {

namespace {

// More than any workload needs when nothing goes wrong.
constexpr Duration kPatience = 300s;
constexpr Duration kLastAsks = 10s;     // of users who had to begin anew
constexpr Duration kLastTurns = 100ms;  // what the last turn found is on disk with the next

}  // namespace

Outcome run(uint64_t seed, const Workload& workload, const Fault& fault, bool verbose) {
  World world(seed, fault.needs == Needs::kAny ? seed % 2 == 0 : fault.needs == Needs::kJournal);
  world.verbose = verbose;
  workload.start(world);
  fault.start(world, workload);
  if (!world.run_until([] { return false; }, kFaultTime) && !world.rules().first_broken()) {
    end_faults(world);
    world.run_until([] { return false; }, kLastAsks);
    world.run_until([&] { return world.all_ended() && world.rules().running().empty(); }, kPatience);
    world.run_until([] { return false; }, kLastTurns);
  }
  world.check_at_end();
  return {world.rules().first_broken(), world.trace(), world.steps(), world.rules().begun(),
          world.rules().accepted_jobs()};
}

std::string repeat_line(uint64_t seed, const Workload& workload, const Fault& fault) {
  return fmt::format("sweep --seed {} --workload {} --fault {}", seed, workload.name, fault.name);
}

}  // namespace hq::sim
