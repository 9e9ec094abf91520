// What `hq alloc add` says about a queue of allocations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/resources.h"
#include "hq/core/worker_config.h"

namespace hq {

struct AllocParams {
  ManagerKind manager = ManagerKind::kSlurm;
  uint32_t max_workers_per_alloc = 1;  // nodes of one allocation
  uint32_t backlog = 1;                // allocations that may wait in the batch system
  Duration time_limit{0};
  // How long a worker lives, where that is shorter.
  std::optional<Duration> worker_time_limit;
  std::optional<std::string> name;
  std::optional<uint32_t> max_worker_count;  // waiting and running
  double min_utilization = 0;
  std::vector<std::string> additional_args;  // for sbatch or qsub
  std::optional<std::string> worker_start_cmd;
  std::optional<std::string> worker_stop_cmd;
  std::optional<std::string> worker_wrap_cmd;
  // What its workers will have, as far as the options tell: every resource that is not named is unlimited.
  std::optional<ResourceDescriptor> resources;
  std::vector<std::string> worker_args;  // of `hq worker start`, as words of a shell
  std::optional<Duration> idle_timeout;
  friend bool operator==(const AllocParams&, const AllocParams&) = default;
};

}  // namespace hq
