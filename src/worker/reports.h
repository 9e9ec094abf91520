// What the server has to be told of starts and ends, and what it has not acknowledged yet.
//
// Report numbers grow over the worker's whole life. An end stays here, with the number of the report it was
// in, until that number is acknowledged; a hello lists all that are left. A start is told once, and not at
// all if the end is known before it could be: an end says all that its start would have. After a lost
// connection the inventory says what runs.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "hq/base/clock.h"
#include "hq/protocol/worker_messages.h"

namespace hq {

class Reports {
 public:
  void add_started(msg::StartedTask task, bool at_once, TimePoint now);
  void add_ended(msg::EndedTask task, bool at_once, TimePoint now);

  // When what is collected has to leave; nothing when there is nothing. `idle`: nothing waits here to be
  // started, so the server should hear of free resources without delay.
  [[nodiscard]] std::optional<TimePoint> due(bool idle) const;
  // The next report, with a limited number of tasks. REQUIRES: due() is not empty.
  msg::Report take(TimePoint now);
  void acknowledge(uint64_t report);
  [[nodiscard]] bool all_acknowledged() const { return sent_.empty() && ended_.empty(); }

  struct Inventory {
    std::vector<msg::EndedTask> ended;
    uint64_t last_report = 0;
  };
  // For a hello: all ends not acknowledged; those not reported so far get a report number now. Starts are
  // forgotten.
  Inventory take_inventory(TimePoint now);
  void check_invariants() const;

 private:
  struct Started {
    msg::StartedTask task;
    TimePoint at;
  };
  struct Ended {
    uint64_t report = 0;
    msg::EndedTask task;
    TimePoint at;
  };
  std::deque<Started> started_;
  std::deque<Ended> ended_;  // not reported so far
  std::deque<Ended> sent_;   // reported, not acknowledged; by report
  uint64_t last_report_ = 0;
  bool at_once_ = false;
};

}  // namespace hq
