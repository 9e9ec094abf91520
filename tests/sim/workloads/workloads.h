// What users do in a simulated cluster. Each workload asks for some seconds of work, by chance of the world.
#pragma once

#include <string_view>
#include <vector>

#include "sim/world.h"

namespace hq::sim {

struct Workload {
  std::string_view name;
  void (*start)(World& world);
};
[[nodiscard]] const std::vector<Workload>& workloads();

void run_arrays(World& world);
void run_cancel_storm(World& world);
void run_priorities(World& world);
void run_graphs(World& world);
void run_many_jobs(World& world);
void run_mixed_durations(World& world);
void run_crash_limits(World& world);
void run_output(World& world);
void run_nodes(World& world);
void run_resources(World& world);
void run_stream(World& world);
void run_requests(World& world);

// A submit whose tasks behave like `model`; what is not said is as in test::submit().
[[nodiscard]] msg::Submit submit_of(World& world, const ProgramModel& model, SubmitDescription what);

}  // namespace hq::sim
