// Runs many seeds, or one again: sweep [--seed N] [--seeds N] [--workload NAME] [--fault NAME] [--verbose]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "sim/run.h"

using namespace hq::sim;

int main(int argc, char** argv) {
  uint64_t first = 1;
  uint64_t seeds = 100;
  std::string only_workload;
  std::string only_fault;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--verbose") {
      verbose = true;
      continue;
    }
    if (i + 1 == argc) {
      fmt::print(stderr, "sweep: unknown option or missing value: {}\n", option);
      return 2;
    }
    const char* value = argv[++i];
    if (option == "--seed") {
      first = std::strtoull(value, nullptr, 10);
      seeds = 1;
    } else if (option == "--from") {
      first = std::strtoull(value, nullptr, 10);
    } else if (option == "--seeds") {
      seeds = std::strtoull(value, nullptr, 10);
    } else if (option == "--workload") {
      only_workload = value;
    } else if (option == "--fault") {
      only_fault = value;
    } else {
      fmt::print(stderr, "sweep: unknown option {}\n", option);
      return 2;
    }
  }
  uint64_t runs = 0;
  uint64_t failed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    for (const Workload& workload : workloads()) {
      if (!only_workload.empty() && workload.name != only_workload) continue;
      for (const Fault& fault : faults()) {
        if (!only_fault.empty() && fault.name != only_fault) continue;
        ++runs;
        const Outcome outcome = run(seed, workload, fault, verbose);
        if (!outcome.broken) continue;
        ++failed;
        fmt::print("{}   # {}\n", repeat_line(seed, workload, fault), *outcome.broken);
        std::fflush(stdout);
      }
    }
  }
  fmt::print("{} runs, {} failed\n", runs, failed);
  return runs > 0 && failed == 0 ? 0 : 1;
}
