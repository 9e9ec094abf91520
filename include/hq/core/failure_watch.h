// Finds out workers whose tasks fail oddly often: a node with a dead mount fails a task every few
// milliseconds, and would eat a whole array. Each worker is compared with the others on tasks of the same job
// and the same request (failure_chance.h).
//
// Healthy tasks may take hours, and there is no time to wait for their ends: a task that runs elsewhere, and
// has outlasted every failed one here, counts as one that did not fail. Workers that are suspect already are
// no measure for others.
//
// It never decides what follows. It costs nothing while no task fails: books are opened at a job's first
// failure, from what the state knows of the tasks that have ended, and closed with the job.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "hq/core/state.h"
#include "hq/core/suspicion.h"

namespace hq {

class FailureWatch {
 public:
  // Least time between two walks over the running tasks of a job, and how much more for each of them.
  static constexpr Duration kBetweenWalks = 5ms;
  static constexpr Duration kBetweenWalksEach = 200ns;

  // Takes in what an event has ended; `state` has applied it. Names the workers that are suspect from now on.
  std::vector<WorkerId> note(const State& state, const std::vector<Effects::Ended>& ended, WallTime now);
  // Tasks elsewhere outlast failed ones by running on: to be asked now and then.
  std::vector<WorkerId> look_again(const State& state, WallTime now);
  // The job has ended: judges by it for the last time, and forgets it.
  std::vector<WorkerId> close_job(const State& state, JobId job, WallTime now);

  [[nodiscard]] const Suspicion* find(WorkerId worker) const;
  [[nodiscard]] const std::map<WorkerId, Suspicion>& suspicions() const { return suspicions_; }
  [[nodiscard]] bool has_books() const { return !books_.empty(); }
  // It starts anew: nothing of what it did counts any more, neither against it nor for others.
  void clear(WorkerId worker);

 private:
  using Key = std::pair<JobId, ClassId>;
  struct Row {
    WorkerId worker;
    uint64_t ended = 0;
    uint64_t failed = 0;
    uint64_t next_look = kLeastFailures;  // from so many failures on
    float longest_failed_s = 0;
    TaskId last_failed;
  };
  struct Book {
    std::vector<Row> rows;  // by worker
    uint64_t ended = 0;
    uint64_t failed = 0;
  };
  enum class Verdict : uint8_t { kNone, kPending, kSuspect };

  static Row& row_of(Book& book, WorkerId worker);
  static void add(Book& book, const Effects::Ended& run);
  static Book open_book(const State& state, const Key& key);
  Verdict judge(const State& state, const Key& key, WorkerId worker, WallTime now);
  [[nodiscard]] FailureCounts counts_of(const Book& book, const Row& row) const;
  void accuse(const State& state, const Key& key, const Row& row, const FailureCounts& counts, WallTime now);

  std::map<Key, Book> books_;
  std::map<WorkerId, Suspicion> suspicions_;
  // Would be suspect if what runs elsewhere did not fail soon.
  std::set<std::pair<Key, WorkerId>> pending_;
  std::pair<Key, WorkerId> last_pending_;  // looked at
  WallTime last_walk_;
};

}  // namespace hq
