#include <doctest/doctest.h>

#include "sim/run.h"

using namespace hq::sim;

TEST_CASE("the rules hold for each workload under each fault, and the same seed gives the same trace") {
  for (const Workload& workload : workloads()) {
    for (const Fault& fault : faults()) {
      const uint64_t seed = 1 + uint64_t(&fault - faults().data());
      const std::string repeat = repeat_line(seed, workload, fault);
      CAPTURE(repeat);

      const Outcome first = run(seed, workload, fault);
      const Outcome second = run(seed, workload, fault);

      CHECK_MESSAGE(!first.broken, first.broken.value_or(""));
      CHECK(first.begun > 0);
      CHECK(first.trace == second.trace);
    }
  }
}
