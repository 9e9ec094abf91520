#include "journal/compact.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <type_traits>
#include <vector>

#include "journal/event_codec.h"
#include "journal/read.h"

namespace hq {

namespace {

constexpr size_t kBatchEvents = 4'096;
// A little at a time: on some file systems a commit's sync waits for what we have written besides.
constexpr uint64_t kSyncBytes = uint64_t{4} << 20;
constexpr uint64_t kLittle = uint64_t{64} << 10;  // left to do while the writer waits
constexpr int kMostRounds = 20;                   // of catching up, with a writer that is as fast as we

// What stays, as the state at the end says.
class Choice {
 public:
  Choice(const State& state, CompactWhat what) : state_(state), what_(what) {}

  [[nodiscard]] bool keeps(JobId id) const {
    const Job* job = state_.find_job(id);
    return job != nullptr && (what_ == CompactWhat::kForgotten || !job->terminated());
  }
  [[nodiscard]] bool keeps(WorkerId id) const {
    const WorkerState* worker = state_.find_worker(id);
    return what_ == CompactWhat::kForgotten || used_.contains(id) || id == state_.last_worker_id() ||
           (worker != nullptr && (worker->alive() || worker->holding)) || state_.allocations().needs(id);
  }

  // The last one keeps its id used.
  [[nodiscard]] bool keeps(AllocQueueId id) const {
    return state_.allocations().find(id) != nullptr || id == state_.allocations().last_queue_id();
  }

  // Takes out what is dropped; false when nothing of the event is left.
  bool cut(Event& event) {
    return std::visit([&](auto& e) { return cut_one(e); }, event);
  }
  // Notes the workers that a kept event needs. REQUIRES: called for all events before cut() of any.
  void note_workers(Event& event) {
    std::visit(
        [&](auto& e) {
          if constexpr (
              requires {
                e.worker;
                e.tasks;
              } ||
              requires {
                e.worker;
                e.ranges;
              }) {
            if (cut_one(e)) used_.insert(e.worker);
          }
          if constexpr (std::is_same_v<std::decay_t<decltype(e)>, TasksReclaimed>) {
            if (!e.ranges.empty()) used_.insert(e.lost);
          }
        },
        event);
  }

 private:
  template <class E>
  bool cut_one(E& e) {
    if constexpr (std::is_same_v<E, WorkerMeasured>) {
      return false;  // nothing rests on it, and it would grow for ever
    } else if constexpr (requires {
                           e.worker;
                           e.tasks;
                         }) {
      std::erase_if(e.tasks, [&](const auto& row) { return !keeps(row.task.job); });
      return !e.tasks.empty();
    } else if constexpr (requires { e.ranges; }) {
      std::erase_if(e.ranges, [&](const AssignedRange& range) { return !keeps(range.job); });
      return !e.ranges.empty();
    } else if constexpr (requires { e.queue; }) {
      return keeps(e.queue);
    } else if constexpr (requires { e.job; }) {
      return keeps(e.job);
    } else if constexpr (requires { e.worker; }) {
      return keeps(e.worker);
    } else {
      return true;
    }
  }

  const State& state_;
  const CompactWhat what_;
  std::set<WorkerId> used_;
};

// Appends records to a file that nobody else sees yet.
class Appending {
 public:
  explicit Appending(DiskFile& file) : file_(file) {}

  Result<void> begin(const FileHeader& header) {
    const Bytes bytes = beginning_of(header);
    offset_ = bytes.size();
    return file_.write_at(0, bytes);
  }
  void add(NumberedRecord item) {
    if (!trouble_.ok()) return;
    batch_.push_back(std::move(item));
    if (batch_.size() >= kBatchEvents) flush();
  }
  Result<uint64_t> finish() {
    flush();
    if (!trouble_) return trouble_.error();
    if (auto synced = file_.sync(); !synced) return synced.error();
    return offset_;
  }

 private:
  void flush() {
    if (batch_.empty() || !trouble_.ok()) return;
    Bytes bytes;
    put_frame(bytes, offset_, FrameKind::kRecord, encode_records(batch_));
    batch_.clear();
    trouble_ = file_.write_at(offset_, bytes);
    offset_ += bytes.size();
    if (!trouble_.ok() || offset_ - synced_ < kSyncBytes) return;
    trouble_ = file_.sync();
    synced_ = offset_;
  }

  DiskFile& file_;
  uint64_t offset_ = 0;
  uint64_t synced_ = 0;
  std::vector<NumberedRecord> batch_;
  Result<void> trouble_;
};

// The jobs that stay are the same in both, and nothing was set aside that was not before.
bool as_good(const Replayed& before, const Replayed& after, const Choice& choice) {
  const JournalReport& report = after.read.report;
  if (report.damaged() || report.torn || report.set_aside_events > before.read.report.set_aside_events ||
      report.set_aside_rows > before.read.report.set_aside_rows ||
      after.state.next_job_id() != before.state.next_job_id() ||
      after.state.next_worker_id() != before.state.next_worker_id())
    return false;
  const auto& queues = before.state.allocations().queues();
  const auto& kept = after.state.allocations().queues();
  bool same =
      std::equal(queues.begin(), queues.end(), kept.begin(), kept.end(), [](const auto& a, const auto& b) {
        return a.first == b.first && a.second.paused == b.second.paused &&
               a.second.failures == b.second.failures &&
               a.second.allocations.size() == b.second.allocations.size() &&
               a.second.known_worker == b.second.known_worker;
      });
  before.state.for_each_job([&](const Job& job) {
    if (!choice.keeps(job.id)) return;
    const Job* other = after.state.find_job(job.id);
    same = same && other != nullptr && other->counts == job.counts && other->open == job.open &&
           other->groups.size() == job.groups.size() && other->cancel_reason == job.cancel_reason;
  });
  return same && after.state.ready().count() == before.state.ready().count() &&
         after.state.connected_count() == before.state.connected_count();
}

// An event that keeps the id of a job used whose own events are gone.
Record used_id(JobId id, WallTime time) {
  return {time, JobForgotten{id}};
}

Result<uint64_t> write_compacted(Disk& disk, const std::string& path, DiskFile& file,
                                 const FileHeader& header, const State& state, Choice& choice,
                                 const ReadLimits& limits) {
  const auto note = [&](const JournalReport&, uint64_t, Record&& record) {
    choice.note_workers(record.event);
  };
  auto noted = read_files(disk, path, note, limits);
  if (!noted) return noted.error();
  Appending appending(file);
  if (auto begun = appending.begin(header); !begun) return begun.error();
  bool last_job_told = state.last_job_id().value == 0 || choice.keeps(state.last_job_id());
  const auto copy = [&](const JournalReport&, uint64_t number, Record&& record) {
    const WallTime time = record.time;
    // The last event of a dropped job that tells of its id is where the id is kept instead.
    const auto* submitted = std::get_if<JobSubmitted>(&record.event);
    const auto* opened = std::get_if<JobOpened>(&record.event);
    const JobId made = submitted != nullptr && !submitted->attach ? submitted->job
                       : opened != nullptr                        ? opened->job
                                                                  : JobId(0);
    if (!last_job_told && made == state.last_job_id()) {
      last_job_told = true;
      appending.add({number, used_id(made, time)});
    } else if (!std::holds_alternative<JobForgotten>(record.event) && choice.cut(record.event)) {
      appending.add({number, std::move(record)});
    } else if (const auto* forgotten = std::get_if<JobForgotten>(&record.event);
               forgotten != nullptr && !last_job_told && forgotten->job == state.last_job_id()) {
      last_job_told = true;  // it came out of an earlier compaction
      appending.add({number, std::move(record)});
    }
  };
  auto copied = read_files(disk, path, copy, limits);
  if (!copied) return copied.error();
  return appending.finish();
}

}  // namespace

Compaction::Compaction(Disk& disk, std::string path, CompactWhat what, FileHeader header,
                       uint64_t last_number, std::function<WriterFacts()> facts,
                       const std::atomic<bool>& canceled)
    : disk_(disk),
      path_(std::move(path)),
      temporary_(path_ + ".compact"),
      what_(what),
      header_(std::move(header)),
      last_number_(last_number),
      facts_(std::move(facts)),
      canceled_(canceled),
      generation_(facts_().generation) {
  header_.first_number = 1;
  header_.compacted_until = last_number_;
}

Compaction::~Compaction() {
  if (file_ != nullptr && !in_place_) (void)disk_.remove(temporary_);  // else the next one does it
}

Result<void> Compaction::write() {
  const ReadLimits limits{last_number_, &canceled_};
  auto before = replay_files(disk_, path_, limits);
  if (!before) return before.error();
  for (const ReadFile& old : before->read.files) {
    if (old.name.sequence != 1) old_files_.push_back(old.name.path);
  }
  Choice choice(before->state, what_);
  (void)disk_.remove(temporary_);  // of a try that was broken off; there is none mostly
  auto file = disk_.create(temporary_);
  if (!file) return file.error();
  file_ = std::move(*file);
  auto written = write_compacted(disk_, path_, *file_, header_, before->state, choice, limits);
  if (!written) return written.error();
  offset_ = *written;
  auto after = replay_files(disk_, temporary_, {UINT64_MAX, &canceled_});
  if (!after) return after.error();
  if (!as_good(*before, *after, choice)) return Error("the shorter journal would not hold the same");
  reader_ = std::make_unique<FollowingReader>(disk_, path_, facts_, last_number_);
  for (int round = 0; round < kMostRounds; ++round) {
    auto copied = catch_up();
    if (!copied) return copied.error();
    if (auto synced = file_->sync(); !synced) return synced.error();
    if (*copied <= kLittle) break;
  }
  return {};
}

Result<uint64_t> Compaction::catch_up() {
  uint64_t copied = 0;
  for (;;) {
    if (facts_().generation != generation_) return Error("its files have changed meanwhile");
    if (canceled_) return os_error(ECANCELED);
    auto read = reader_->next();
    if (!read) return read.error();
    if (!*read) return copied;
    Bytes bytes;
    put_frame(bytes, offset_, FrameKind::kRecord, (*read)->records);
    if (auto written = file_->write_at(offset_, bytes); !written) return written.error();
    offset_ += bytes.size();
    copied += bytes.size();
  }
}

Result<Compacted> Compaction::finish() {
  auto copied = catch_up();
  if (!copied) return copied.error();
  if (*copied > 0) {
    if (auto synced = file_->sync(); !synced) return synced.error();
  }
  if (auto renamed = disk_.rename(temporary_, path_); !renamed) return renamed.error();
  in_place_ = true;
  Compacted out;
  out.offset = offset_;
  // A crash may still bring back the old file under this name.
  if (auto synced = disk_.sync_directory(split_path(path_).directory); !synced) return out;
  // Whatever stays of the other files holds nothing but numbers that are known already.
  for (const std::string& old : old_files_) (void)disk_.remove(old);
  out.file = std::move(file_);
  return out;
}

}  // namespace hq
