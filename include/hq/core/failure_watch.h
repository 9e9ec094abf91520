// Finds out workers whose tasks fail oddly often: a node with a dead mount fails a task every few
// milliseconds, and would eat a whole array. Each worker is compared with the others on tasks of the same job
// and the same request (failure_chance.h).
//
// Healthy tasks may take hours, and there is no time to wait for their ends: a task that runs elsewhere, and
// has outlasted every failed one here, counts as one that did not fail. Workers that are suspect already are
// no measure for others.
//
// What one worker reports comes before what others report of the same moment. So whoever looks bad is first
// *in question*, and judged a little later, when all that had come by then has been taken in.
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
  // From looking bad to being judged; and what reports of others may be late by.
  static constexpr Duration kSettle = 250ms;
  // Least time between two walks over the running tasks of a job, and how much more for each of them.
  static constexpr Duration kBetweenWalks = 5ms;
  static constexpr Duration kBetweenWalksEach = 200ns;

  // Takes in what an event has ended; `state` has applied it.
  void note(const State& state, const std::vector<Effects::Ended>& ended, WallTime now);
  // Judges some of those in question; names the workers that are suspect from now on. REQUIRES: all that
  // workers have said by `now` was taken in.
  std::vector<WorkerId> judge(const State& state, WallTime now);
  // The job has ended: judges by it for the last time, and forgets it.
  std::vector<WorkerId> close_job(const State& state, JobId job, WallTime now);

  [[nodiscard]] const Suspicion* find(WorkerId worker) const;
  [[nodiscard]] bool has_books() const { return !books_.empty(); }
  [[nodiscard]] bool has_questions() const { return !questions_.empty(); }
  // In question since less than so long.
  [[nodiscard]] std::set<WorkerId> in_question(WallTime now, Duration less_than) const;
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
  enum class Verdict : uint8_t { kNone, kLater, kSuspect };
  using Question = std::pair<Key, WorkerId>;

  static Row& row_of(Book& book, WorkerId worker);
  static void add(Book& book, const Effects::Ended& run);
  static Book open_book(const State& state, const Key& key);
  [[nodiscard]] bool looks_bad(const State& state, const Key& key, const Row& row) const;
  Verdict verdict(const State& state, const Question& question, WallTime now);
  [[nodiscard]] FailureCounts counts_of(const Book& book, const Row& row) const;
  void accuse(const State& state, const Key& key, const Row& row, const FailureCounts& counts, WallTime now);
  void put_off(const Question& question);

  std::map<Key, Book> books_;
  std::map<WorkerId, Suspicion> suspicions_;
  std::map<Question, WallTime> questions_;  // since when
  Question last_judged_;
  WallTime last_walk_;
};

}  // namespace hq
