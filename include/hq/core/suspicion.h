// A worker whose tasks fail at a rate that can't be chance, as data (failure_watch.h finds it out).
#pragma once

#include <cstdint>
#include <string>

#include "hq/base/clock.h"
#include "hq/core/failure.h"
#include "hq/core/failure_chance.h"
#include "hq/core/ids.h"

namespace hq {

// What a server does about suspect workers.
enum class SuspectPolicy : uint8_t {
  kOff,         // nobody looks
  kReport,      // says so
  kQuarantine,  // and gives them no more than one task a minute
};

struct Suspicion {
  WallTime since;
  JobId job;  // whose tasks gave it away, with others of the same request
  // As it was found out. Tasks that still ran, but had outlasted the failed ones, are among those that ended.
  FailureCounts counts;
  double log10_chance = 0;
  TaskId example;            // one that failed
  std::string failure;       // how: one line
  uint64_t ended_since = 0;  // its tasks of any job
  uint64_t failed_since = 0;
  friend bool operator==(const Suspicion&, const Suspicion&) = default;
};

}  // namespace hq
