#include "journal/compact.h"

#include <algorithm>
#include <set>
#include <type_traits>
#include <vector>

#include "journal/event_codec.h"
#include "journal/read.h"

namespace hq {

namespace {

constexpr size_t kBatchEvents = 4'096;
constexpr uint64_t kSyncBytes = uint64_t{16} << 20;  // a little at a time, or one sync stalls for long

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
           (worker != nullptr && (worker->alive() || worker->holding));
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
    if constexpr (requires {
                    e.worker;
                    e.tasks;
                  }) {
      std::erase_if(e.tasks, [&](const auto& row) { return !keeps(row.task.job); });
      return !e.tasks.empty();
    } else if constexpr (requires { e.ranges; }) {
      std::erase_if(e.ranges, [&](const AssignedRange& range) { return !keeps(range.job); });
      return !e.ranges.empty();
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
  bool same = true;
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
                                 const FileHeader& header, const State& state, Choice& choice) {
  auto noted = read_files(disk, path, [&](const JournalReport&, uint64_t, Record&& record) {
    choice.note_workers(record.event);
  });
  if (!noted) return noted.error();
  Appending appending(file);
  if (auto begun = appending.begin(header); !begun) return begun.error();
  bool last_job_told = state.last_job_id().value == 0 || choice.keeps(state.last_job_id());
  auto copied = read_files(disk, path, [&](const JournalReport&, uint64_t number, Record&& record) {
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
  });
  if (!copied) return copied.error();
  return appending.finish();
}

}  // namespace

Result<Compacted> compact_files(Disk& disk, const std::string& path, CompactWhat what, FileHeader header,
                                uint64_t last_number) {
  auto before = replay_files(disk, path);
  if (!before) return before.error();
  Choice choice(before->state, what);
  header.first_number = 1;
  header.compacted_until = last_number;
  const std::string temporary = path + ".compact";
  (void)disk.remove(temporary);  // of a try that was broken off; there is none mostly
  auto file = disk.create(temporary);
  if (!file) return file.error();
  auto written = write_compacted(disk, path, **file, header, before->state, choice);
  Result<void> good = written ? Result<void>() : Result<void>(written.error());
  if (good) {
    auto after = replay_files(disk, temporary);
    if (!after) {
      good = after.error();
    } else if (!as_good(*before, *after, choice)) {
      good = Error("the shorter journal would not hold the same");
    }
  }
  if (good) good = disk.rename(temporary, path);
  if (!good) {
    (void)disk.remove(temporary);  // else the next try does it
    return good.error();
  }
  Compacted out;
  out.offset = *written;
  // A crash may still bring back the old file under this name.
  if (auto synced = disk.sync_directory(split_path(path).directory); !synced) return out;
  // Whatever stays of the other files holds nothing but numbers that are known already.
  for (const ReadFile& old : before->read.files) {
    if (old.name.sequence != 1) (void)disk.remove(old.name.path);
  }
  out.file = std::move(*file);
  return out;
}

}  // namespace hq
