// Clients that wait for jobs. Woken by changes of the jobs they wait for, never by polling.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/ids.h"
#include "hq/core/state.h"
#include "hq/protocol/client_codec.h"
#include "hq/transport/channel.h"

namespace hq {

struct Waiter {
  PeerId client;
  RequestId request;
  std::vector<JobId> jobs;  // all it asked for that exist
  std::set<JobId> open;     // not done yet
  bool without_close = false;
  bool progress = false;
  bool notices = false;
  bool changed = true;  // since the last progress message
  TimePoint last_progress{};
};

// Least time between two progress messages to one client.
inline constexpr Duration kProgressInterval = 20ms;

class Waiters {
 public:
  void add(Waiter waiter);
  void note_change(JobId job) {
    if (!by_job_.empty()) changed_.insert(job);
  }
  void drop_client(PeerId client);
  [[nodiscard]] bool waits_for(JobId job) const { return by_job_.contains(job); }
  // Those who want to hear what the tasks of this job say.
  [[nodiscard]] std::vector<const Waiter*> listeners(JobId job) const;
  [[nodiscard]] bool empty() const { return waiters_.empty(); }
  [[nodiscard]] bool has_changes() const { return !changed_.empty(); }
  // Updates who still waits for what; takes out those who are done.
  std::vector<Waiter> take_done(const State& state);
  [[nodiscard]] std::list<Waiter>& all() { return waiters_; }
  static bool is_done(const State& state, JobId job, bool without_close);

 private:
  void unlink(std::list<Waiter>::iterator it);
  std::list<Waiter> waiters_;
  std::map<JobId, std::vector<std::list<Waiter>::iterator>> by_job_;
  std::set<JobId> changed_;
};

}  // namespace hq
