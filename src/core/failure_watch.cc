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
// Workers judged at a time.
constexpr size_t kJudgedAtOnce = 64;

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

// Tasks that run, and began so long before now that they have outlasted one of `failed_s` seconds, even if
// the word of their end is under way.
Outlasting count_outlasting(const State& state, const Job& job, ClassId klass, WorkerId here, float failed_s,
                            const std::map<WorkerId, Suspicion>& not_asked, WallTime now) {
  const Duration outlasted = Duration(int64_t(double{failed_s} * 1e9)) + FailureWatch::kSettle;
  const int64_t since_ms = (now - outlasted - job.submitted).count() / 1'000'000;
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

void FailureWatch::note(const State& state, const std::vector<Effects::Ended>& ended, WallTime now) {
  std::set<Key> opened;  // know of all these ends already
  std::set<Question> due;
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
      continue;
    }
    const Row& row = row_of(found->second, run.worker);
    if (run.failed > 0 && row.failed >= row.next_look) due.insert({key, run.worker});
  }
  for (const Question& question : due) {
    if (questions_.contains(question)) continue;
    if (looks_bad(state, question.first, row_of(books_.at(question.first), question.second))) {
      questions_[question] = now;
    } else {
      put_off(question);
    }
  }
}

// Not before there are some more failures.
void FailureWatch::put_off(const Question& question) {
  Row& row = row_of(books_.at(question.first), question.second);
  row.next_look = row.failed + row.failed / 8 + 1;
}

std::vector<WorkerId> FailureWatch::judge(const State& state, WallTime now) {
  std::vector<Question> due;
  auto next = questions_.upper_bound(last_judged_);
  for (size_t i = 0; i < questions_.size() && due.size() < kJudgedAtOnce; ++i, ++next) {
    if (next == questions_.end()) next = questions_.begin();
    if (now - next->second >= kSettle) due.push_back(next->first);
  }
  std::vector<WorkerId> out;
  for (const Question& question : due) {
    last_judged_ = question;
    const Verdict found = verdict(state, question, now);
    if (found == Verdict::kSuspect) out.push_back(question.second);
    if (found == Verdict::kNone) put_off(question);
    if (found != Verdict::kLater) questions_.erase(question);
  }
  return out;
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
      const Question question{it->first, worker};
      if (verdict(state, question, now) == Verdict::kSuspect) out.push_back(worker);
      questions_.erase(question);
    }
    it = books_.erase(it);
  }
  return out;
}

std::set<WorkerId> FailureWatch::in_question(WallTime now, Duration less_than) const {
  std::set<WorkerId> out;
  for (const auto& [question, since] : questions_) {
    if (now - since < less_than) out.insert(question.second);
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
  std::erase_if(questions_, [&](const auto& entry) { return entry.first.second == worker; });
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

// Beyond chance, if all that runs elsewhere ends well.
bool FailureWatch::looks_bad(const State& state, const Key& key, const Row& row) const {
  FailureCounts at_best = counts_of(books_.at(key), row);
  at_best.ended_elsewhere += state.find_job(key.first)->count(TaskState::kRunning);
  return is_beyond_chance(at_best);
}

FailureWatch::Verdict FailureWatch::verdict(const State& state, const Question& question, WallTime now) {
  const auto& [key, id] = question;
  const WorkerState* worker = state.find_worker(id);
  const Job* job = state.find_job(key.first);
  if (worker == nullptr || !worker->alive() || job == nullptr || suspicions_.contains(id))
    return Verdict::kNone;
  Book& book = books_.at(key);
  const Row row = row_of(book, id);
  FailureCounts counts = counts_of(book, row);
  if (!is_beyond_chance(counts)) {
    if (!looks_bad(state, key, row)) return Verdict::kNone;
    const auto running = int64_t(job->count(TaskState::kRunning));
    if (now - last_walk_ < kBetweenWalks + running * kBetweenWalksEach) return Verdict::kLater;
    last_walk_ = now;
    const Outlasting outlasting =
        count_outlasting(state, *job, key.second, id, row.longest_failed_s, suspicions_, now);
    counts.ended_here += outlasting.here;
    counts.ended_elsewhere += outlasting.elsewhere;
    if (!is_beyond_chance(counts)) return Verdict::kLater;
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
