#include "hq/core/failure_watch.h"

#include <algorithm>
#include <optional>

#include "core/positions.h"
#include "hq/core/text/suspicion_text.h"

namespace hq {

namespace {

// Suspicions of workers that have gone are kept for `worker info`, but not without end.
constexpr size_t kMostSuspicions = 1000;
// More would not change a verdict.
constexpr uint64_t kEnoughOutlasting = 20'000;

struct Outlasting {
  uint64_t here = 0;
  uint64_t elsewhere = 0;
};

// Calls f(chunk, row) for the tasks of this class that the worker runs.
template <class F>
void for_each_running(const Job& job, ClassId klass, const WorkerState& worker, F&& f) {
  for (const AssignedRange& range : worker.assigned) {
    if (range.job != job.id) continue;
    const auto first = job.find(TaskId(range.ids.first));
    for_each_position(*first->group, range.ids, [&](uint64_t position, TaskId) {
      const Job::Place place{first->group, position};
      if (first->group->columns.state(position) != RowState::kRunning) return;
      if (place.chunk().worker(place.row()) != worker.id.value || first->group->klass(position) != klass)
        return;
      f(place.chunk(), place.row());
    });
  }
}

// Tasks that run, and began so long before now that they have outlasted one of `failed_s` seconds.
Outlasting count_outlasting(const State& state, const Job& job, ClassId klass, WorkerId here, float failed_s,
                            const std::map<WorkerId, Suspicion>& not_asked, WallTime now) {
  const int64_t since_ms = (now - job.submitted).count() / 1'000'000 - int64_t(double{failed_s} * 1e3) - 1;
  Outlasting out;
  for (const auto& [id, worker] : state.alive_workers()) {
    if (worker->running == 0 || (id != here && not_asked.contains(id))) continue;
    if (id != here && out.elsewhere >= kEnoughOutlasting) continue;
    uint64_t& count = id == here ? out.here : out.elsewhere;
    for_each_running(job, klass, *worker, [&](TaskChunk& chunk, uint32_t row) {
      count += int64_t{chunk.start_ms(row)} < since_ms ? 1 : 0;
    });
  }
  return out;
}

}  // namespace

FailureWatch::Row& FailureWatch::row_of(Book& book, WorkerId worker) {
  auto it = std::lower_bound(book.rows.begin(), book.rows.end(), worker,
                             [](const Row& row, WorkerId id) { return row.worker < id; });
  if (it == book.rows.end() || it->worker != worker) {
    it = book.rows.insert(it, Row{});
    it->worker = worker;
  }
  return *it;
}

void FailureWatch::add(Book& book, const Effects::Ended& run) {
  Row& row = row_of(book, run.worker);
  row.ended += run.finished + run.failed;
  row.failed += run.failed;
  book.ended += run.finished + run.failed;
  book.failed += run.failed;
  if (run.failed == 0) return;
  row.longest_failed_s = std::max(row.longest_failed_s, run.longest_failed_s);
  row.last_failed = run.last_failed;
}

// From the columns of the job: what has ended so far, by whom.
FailureWatch::Book FailureWatch::open_book(const State& state, const Key& key) {
  std::vector<Row> rows(state.last_worker_id().value + 1);
  for (const auto& group : state.find_job(key.first)->groups) {
    for (uint64_t position = 0; position < group->task_count(); ++position) {
      TaskChunk* chunk = group->columns.find(position);
      if (chunk == nullptr) {  // nothing there has left waiting
        position += TaskChunk::kRows - TaskColumns::row(position) - 1;
        continue;
      }
      const uint32_t row = TaskColumns::row(position);
      const RowState end = chunk->state(row);
      const bool failed = end == RowState::kFailed && is_own_failure(chunk->failure_kind(row));
      if ((end != RowState::kFinished && !failed) || group->klass(position) != key.second) continue;
      Row& by = rows[chunk->worker(row)];
      ++by.ended;
      if (!failed) continue;
      ++by.failed;
      by.last_failed = group->id_at(position);
      if (chunk->start_ms(row) != TaskChunk::kNeverStarted)
        by.longest_failed_s = std::max(by.longest_failed_s, chunk->ran(row));
    }
  }
  Book book;
  for (uint32_t id = 0; id < rows.size(); ++id) {
    if (rows[id].ended == 0) continue;
    rows[id].worker = WorkerId(id);
    book.ended += rows[id].ended;
    book.failed += rows[id].failed;
    book.rows.push_back(rows[id]);
  }
  return book;
}

std::vector<WorkerId> FailureWatch::note(const State& state, const std::vector<Effects::Ended>& ended,
                                         WallTime now) {
  std::set<Key> opened;  // know of all these ends already
  std::set<std::pair<Key, WorkerId>> due;
  for (const Effects::Ended& run : ended) {
    const Key key{run.job, run.klass};
    auto found = books_.find(key);
    if (found == books_.end()) {
      if (run.failed == 0) continue;
      const Job& job = *state.find_job(run.job);
      if (!job.open && job.task_count() < kLeastFailures) continue;
      found = books_.emplace(key, open_book(state, key)).first;
      opened.insert(key);
    } else if (!opened.contains(key)) {
      add(found->second, run);
    }
    if (auto suspect = suspicions_.find(run.worker); suspect != suspicions_.end()) {
      suspect->second.ended_since += run.finished + run.failed;
      suspect->second.failed_since += run.failed;
    }
    const Row& row = row_of(found->second, run.worker);
    if (run.failed > 0 && row.failed >= row.next_look) due.insert({key, run.worker});
  }
  std::vector<WorkerId> out;
  for (const auto& [key, worker] : due) {
    const Verdict verdict = judge(state, key, worker, now);
    if (verdict == Verdict::kSuspect) out.push_back(worker);
    if (verdict != Verdict::kNone) continue;
    Row& row = row_of(books_.at(key), worker);
    row.next_look = row.failed + row.failed / 8 + 1;
  }
  return out;
}

std::vector<WorkerId> FailureWatch::look_again(const State& state, WallTime now) {
  if (pending_.empty()) return {};
  auto next = pending_.upper_bound(last_pending_);
  if (next == pending_.end()) next = pending_.begin();
  last_pending_ = *next;
  const auto [key, worker] = *next;
  if (judge(state, key, worker, now) != Verdict::kSuspect) return {};
  return {worker};
}

std::vector<WorkerId> FailureWatch::close_job(const State& state, JobId job, WallTime now) {
  std::vector<WorkerId> out;
  auto it = books_.lower_bound({job, ClassId(0)});
  while (it != books_.end() && it->first.first == job) {
    std::vector<WorkerId> failing;
    for (const Row& row : it->second.rows) {
      if (row.failed >= kLeastFailures) failing.push_back(row.worker);
    }
    for (WorkerId worker : failing) {
      if (judge(state, it->first, worker, now) == Verdict::kSuspect) out.push_back(worker);
      pending_.erase({it->first, worker});
    }
    it = books_.erase(it);
  }
  return out;
}

const Suspicion* FailureWatch::find(WorkerId worker) const {
  const auto found = suspicions_.find(worker);
  return found == suspicions_.end() ? nullptr : &found->second;
}

void FailureWatch::clear(WorkerId worker) {
  suspicions_.erase(worker);
  for (auto& [key, book] : books_) {
    const Row& row = row_of(book, worker);
    book.ended -= row.ended;
    book.failed -= row.failed;
    std::erase_if(book.rows, [&](const Row& r) { return r.worker == worker; });
  }
  std::erase_if(pending_, [&](const auto& p) { return p.second == worker; });
}

FailureCounts FailureWatch::counts_of(const Book& book, const Row& row) const {
  FailureCounts counts{row.failed, row.ended, book.failed - row.failed, book.ended - row.ended};
  for (const Row& other : book.rows) {
    if (other.worker == row.worker || !suspicions_.contains(other.worker)) continue;
    counts.failed_elsewhere -= other.failed;
    counts.ended_elsewhere -= other.ended;
  }
  return counts;
}

FailureWatch::Verdict FailureWatch::judge(const State& state, const Key& key, WorkerId worker, WallTime now) {
  const WorkerState* judged = state.find_worker(worker);
  const Job* job = state.find_job(key.first);
  const auto book = books_.find(key);
  pending_.erase({key, worker});
  if (judged == nullptr || !judged->alive() || job == nullptr || book == books_.end()) return Verdict::kNone;
  if (suspicions_.contains(worker)) return Verdict::kNone;
  const Row row = row_of(book->second, worker);
  FailureCounts counts = counts_of(book->second, row);
  if (!is_beyond_chance(counts)) {
    FailureCounts at_best = counts;
    const uint64_t running = job->count(TaskState::kRunning);
    at_best.ended_elsewhere += running;
    if (!is_beyond_chance(at_best)) return Verdict::kNone;
    pending_.insert({key, worker});
    if (now - last_walk_ < kBetweenWalks + int64_t(running) * kBetweenWalksEach) return Verdict::kPending;
    last_walk_ = now;
    const Outlasting outlasting =
        count_outlasting(state, *job, key.second, worker, row.longest_failed_s, suspicions_, now);
    counts.ended_here += outlasting.here;
    counts.ended_elsewhere += outlasting.elsewhere;
    if (!is_beyond_chance(counts)) return Verdict::kPending;
    pending_.erase({key, worker});
  }
  accuse(state, key, row, counts, now);
  return Verdict::kSuspect;
}

void FailureWatch::accuse(const State& state, const Key& key, const Row& row, const FailureCounts& counts,
                          WallTime now) {
  if (suspicions_.size() >= kMostSuspicions) {
    const auto gone = std::find_if(suspicions_.begin(), suspicions_.end(), [&](const auto& entry) {
      const WorkerState* worker = state.find_worker(entry.first);
      return worker == nullptr || !worker->alive();
    });
    if (gone != suspicions_.end()) suspicions_.erase(gone);
  }
  const Job& job = *state.find_job(key.first);
  Suspicion& suspicion = suspicions_[row.worker];
  suspicion.since = now;
  suspicion.job = key.first;
  suspicion.counts = counts;
  suspicion.log10_chance = log10_chance(counts);
  suspicion.example = row.last_failed;
  if (const auto place = job.find(row.last_failed)) {
    suspicion.failure = failure_line(job.failure_of(row.last_failed, *place));
  }
}

}  // namespace hq
