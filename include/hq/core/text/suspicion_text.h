// What people are told of a suspect worker.
#pragma once

#include <string>

#include "hq/core/failure.h"
#include "hq/core/suspicion.h"

namespace hq {

// "10 of its 10 tasks of job 1 failed, 0 of 412 on other workers (chance below 1e-20); task 7: Program
// terminated with exit code 1."
[[nodiscard]] std::string suspicion_text(const Suspicion& suspicion);
// The first line of why a task failed, cut to what fits into a table.
[[nodiscard]] std::string failure_line(const Failure& failure);

}  // namespace hq
