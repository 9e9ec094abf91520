// What must hold of a cluster, whatever happens to it: the rules are told of every start and end of a process
// and compare it with what the server knows. A broken rule is a text; the first one ends the run.
//
//  1. No worker is ever over-committed: no index of a resource is given out more than once, in parts or
//  whole, and
//     each process has as many as it asked for.
//  2. An instance runs at most once, and a finished task never runs again.
//  3. Nothing starts before what it depends on has finished.
//  4. What was accepted is there after any restart, and what was canceled stays so.
//  5. Replaying the journal gives the state we have.
//  6. When the faults stop, every task ends.
//  8. Two instances of one task never overlap in time.
//  9. A strict policy is never violated: no more groups than an empty worker would need.
//  10. When all that could be handed out has been, no worker has room for a task that waits, unless there is
//  a reason,
//     and `task explain` gives it.
//  11. Nobody is starved: what must have started by some moment has.
// (7, the same seed gives the same trace, is checked by whoever runs a seed twice.)
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "hq/core/state.h"
#include "hq/server/server.h"

namespace hq::sim {

struct RunningProcess {
  uint32_t node = 0;
  uint32_t life = 0;       // of the worker on that node
  std::string server_uid;  // of the server that gave the task
  JobTask task;
  InstanceId instance;
  std::map<std::string, uint64_t> held;  // "cpus:3": ten-thousandths of it
  struct Strict {                        // of an entry with a strict policy
    std::string resource;
    size_t groups = 0;
    size_t least_groups = 0;
  };
  std::vector<Strict> strict;
  std::vector<std::string> missing;  // resources of which it has not as much as it asked for
};

class Rules {
 public:
  // `server` is the one that lives now, nullptr when none does.
  void on_begin(uint64_t process, RunningProcess started, const State* server, TimePoint now);
  void on_end(uint64_t process);
  // The server takes a closed connection as proof that the worker's end of it is gone, and starts its tasks
  // elsewhere at once. Where a connection breaks between two living machines, what runs there may overlap
  // with that until it has been stopped.
  void pardon_overlap(uint32_t node, TimePoint until) { pardons_[node] = until; }
  // `server` has nothing more to hand out.
  void check_waiting(const Server& server);
  // A task of this job starts by then, if the job is there and waits.
  void expect_start(JobId job, TimePoint by) { starts_due_[job] = by; }
  void check_starts(const Server& server, TimePoint now);
  void check_replay(const State& live, const std::vector<std::vector<Record>>& commits);
  void check_all_ended(const State& server);
  // The server has said so to a client.
  void accepted(JobId job, uint64_t tasks) { accepted_[job] = tasks; }
  void canceled(JobId job) { canceled_.insert(job); }
  // Somebody asked for it: it may be there or not.
  void may_be_forgotten(JobId job) { forgotten_.insert(job); }
  void forget_all() {
    accepted_.clear();
    canceled_.clear();
    forgotten_.clear();
    starts_due_.clear();
  }
  void check_accepted(const State& server);
  void broken(std::string text) {
    if (!broken_) broken_ = std::move(text);
  }
  [[nodiscard]] const std::optional<std::string>& first_broken() const { return broken_; }
  [[nodiscard]] const std::map<uint64_t, RunningProcess>& running() const { return running_; }
  [[nodiscard]] uint64_t accepted_jobs() const { return accepted_.size(); }
  [[nodiscard]] uint64_t begun() const { return begun_.size(); }

 private:
  void check_amounts(const RunningProcess& started);

  using Attempt = std::tuple<std::string, JobTask, InstanceId>;
  std::map<uint64_t, RunningProcess> running_;
  std::set<Attempt> begun_;
  std::map<uint32_t, TimePoint> pardons_;
  std::map<JobId, uint64_t> accepted_;  // with the number of tasks
  std::set<JobId> canceled_;
  std::set<JobId> forgotten_;
  std::map<JobId, TimePoint> starts_due_;
  std::optional<std::string> broken_;
};

}  // namespace hq::sim
