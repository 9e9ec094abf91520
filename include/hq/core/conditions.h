// What a request asks of a worker, condition by condition (explain.h makes them).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/amount.h"
#include "hq/core/ids.h"

namespace hq {

struct Condition {
  enum class Kind : uint8_t { kResource, kTime, kNodes };
  Kind kind = Kind::kResource;
  bool met = false;
  std::string resource;  // kResource, with the amounts asked for and of the whole worker
  Amount asked;          // for "all", the least amount
  Amount offered;
  Duration min_time{0};               // kTime, with the worker's remaining life (nothing: no limit)
  std::optional<Duration> remaining;  //   "
  uint32_t nodes = 0;                 // kNodes, with how many workers its group has
  uint32_t group_size = 0;            //   "
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct WorkerConditions {
  WorkerId worker;
  std::vector<std::vector<Condition>> variants;
  // Why a worker that could run it does not do so now; "" if nothing stands against it.
  std::string now;
  // Why the worker is suspect; "" if it is not.
  std::string suspect;
  friend bool operator==(const WorkerConditions&, const WorkerConditions&) = default;

  [[nodiscard]] static bool all_met(const std::vector<Condition>& variant);
  [[nodiscard]] uint64_t enabled() const;  // variants that could run there
};

}  // namespace hq
