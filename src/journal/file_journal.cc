#include "journal/file_journal.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hq/base/assert.h"
#include "hq/base/signals_blocked.h"
#include "journal/follow.h"

namespace hq {

namespace {

constexpr uint64_t kBatchBytes = uint64_t{4} << 20;  // of memory; more turns go into the next record
constexpr uint64_t kLeastReserve = uint64_t{1} << 20;

// About what an event takes in memory beyond the record itself: enough to bound what piles up.
struct ListBytes {
  uint64_t operator()(const TasksEnded& e) const { return e.tasks.size() * sizeof(TaskEnd); }
  uint64_t operator()(const TasksStarted& e) const { return e.tasks.size() * sizeof(TaskStart); }
  uint64_t operator()(const TasksReturned& e) const { return e.tasks.size() * sizeof(ReturnedTask); }
  uint64_t operator()(const TasksReclaimed& e) const { return e.ranges.size() * sizeof(AssignedRange); }
  uint64_t operator()(const TasksAssigned& e) const { return e.ranges.size() * sizeof(AssignedRange); }
  uint64_t operator()(const TasksAborted& e) const { return e.tasks.size() * sizeof(TaskId); }
  uint64_t operator()(const JobSubmitted& e) const {
    constexpr uint64_t kTask = 1'000;
    const uint64_t entries = e.submit->entries ? e.submit->entries->blob.size() : 0;
    return entries + kTask * (1 + e.submit->graph.size());
  }
  template <class E>
  uint64_t operator()(const E&) const {
    return 0;
  }
};

// What an event takes in a journal at least: texts that nothing makes shorter.
uint64_t text_bytes(const Event& event) {
  const auto* submitted = std::get_if<JobSubmitted>(&event);
  if (submitted == nullptr) return 0;
  const SubmitDescription& submit = *submitted->submit;
  return submit.task.program.stdin_data.size() + (submit.entries ? submit.entries->blob.size() : 0);
}

std::chrono::steady_clock::time_point steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

FileJournal::FileJournal(Disk& disk, FileJournalOptions options, WritePosition position)
    : disk_(disk),
      options_(std::move(options)),
      directory_(split_path(options_.path).directory),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      file_(std::move(position.file)),
      sequence_(position.sequence),
      offset_(position.offset),
      next_number_(position.next_number),
      earlier_bytes_(position.earlier_bytes),
      compact_at_(is_convenience()
                      ? options_.limit_bytes
                      : std::max(options_.compact_bytes, 2 * (position.earlier_bytes + position.offset))) {
  HQ_ASSERT(wake_fd_.valid());
  last_sync_ = steady_now() - options_.pause;
  size_bytes_ = earlier_bytes_ + offset_;
  safe_number_ = next_number_ - 1;
  top_up();
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

FileJournal::~FileJournal() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
  // Room that stays reserved is given back at the next opening.
  if (file_ != nullptr) (void)file_->truncate(offset_);
}

// --- the side of the server ------------------------------------------------------------------------------

Result<void> FileJournal::make_room(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto refuse = [&](const std::string& cause) { return Error("'" + options_.path + "': " + cause); };
  if (is_convenience()) return {};  // given up rather than in the way
  if (!trouble_.empty()) return refuse(trouble_);
  // Half of the reserve is for the results of what has been accepted.
  const uint64_t needed = unconfirmed_bytes_ + bytes + options_.reserve_bytes / 2;
  if (room_ >= needed) return {};
  if (!no_room_.empty()) return refuse(no_room_);
  // Larger than the reserve, or the file system cannot reserve.
  if (free_bytes_ >= needed) return {};
  return refuse(os_error_text(ENOSPC));
}

JournalStatus FileJournal::status() const {
  const std::lock_guard lock(mutex_);
  JournalStatus out;
  if (is_convenience()) return out;
  out.path = options_.path;
  out.trouble = trouble_.empty() ? "" : "'" + options_.path + "': " + trouble_;
  if (oldest_) out.waiting = steady_now() - *oldest_;
  out.last_commit_took = last_took_;
  out.unconfirmed_bytes = unconfirmed_bytes_;
  out.size_bytes = size_bytes_;
  return out;
}

bool FileJournal::overfull() const {
  const std::lock_guard lock(mutex_);
  return !is_convenience() && unconfirmed_bytes_ > options_.most_unconfirmed_bytes;
}

CommitNumber FileJournal::append(std::vector<Record> records) {
  HQ_ASSERT(!records.empty());
  Turn turn;
  uint64_t texts = 0;
  for (const Record& record : records) {
    turn.bytes += sizeof record + std::visit(ListBytes{}, record.event);
    texts += text_bytes(record.event);
  }
  turn.records = std::move(records);
  turn.since = steady_now();
  {
    const std::lock_guard lock(mutex_);
    turn.commit = ++last_commit_;
    if (!hopeless_.empty()) return last_commit_;
    if (is_convenience() && unconfirmed_bytes_ > options_.most_unconfirmed_bytes) {
      hopeless_ = "the disk is too slow";
    } else if (is_convenience() && texts > options_.limit_bytes) {
      hopeless_ = too_much();
    }
    if (hopeless_.empty()) {
      unconfirmed_bytes_ += turn.bytes;
      if (!oldest_) oldest_ = turn.since;
      queue_.push_back(std::move(turn));
      if (queue_.size() > 1 && queue_[queue_.size() - 2].haste != Haste::kNobody)
        return last_commit_;  // the thread has its alarm set
    } else {
      queue_.clear();
    }
  }
  wake_.notify_one();
  return last_commit_;
}

void FileJournal::hasten(Haste haste) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return;  // it is being written
    std::optional<Haste>& known = queue_.back().haste;
    if (known && *known >= haste) return;
    known = haste;
  }
  if (haste != Haste::kNobody) wake_.notify_one();
}

uint64_t FileJournal::prune() {
  uint64_t wish = 0;
  {
    const std::lock_guard lock(mutex_);
    wish = ++prunes_wanted_;
    prune_after_ = last_commit_;
  }
  wake_.notify_one();
  return wish;
}

uint64_t FileJournal::pruned() {
  const std::lock_guard lock(mutex_);
  return prunes_done_;
}

std::unique_ptr<JournalReader> FileJournal::read(uint64_t after) {
  return std::make_unique<FollowingReader>(
      disk_, options_.path, [this] { return facts(); }, after);
}

WriterFacts FileJournal::facts() const {
  const std::lock_guard lock(mutex_);
  return {generation_, safe_number_};
}

std::vector<std::string> FileJournal::take_notes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notes_, {});
}

CommitNumber FileJournal::committed() {
  const std::lock_guard lock(mutex_);
  if (signalled_) {
    signalled_ = false;
    eventfd_t ignored = 0;  // only that something has become safe counts
    (void)::eventfd_read(wake_fd_.get(), &ignored);
  }
  return is_convenience() ? last_commit_ : committed_;
}

// --- the writing thread ----------------------------------------------------------------------------------

// When the turns that wait should be written.
FileJournal::SteadyTime FileJournal::due() const {
  Haste haste = Haste::kNobody;
  for (const Turn& turn : queue_) haste = std::max(haste, turn.haste.value_or(Haste::kBusyPeer));
  if (is_convenience() && !closing_) return queue_.front().since + options_.lazy;
  const bool prune_waits = prunes_wanted_ > prunes_done_ && queue_.front().commit <= prune_after_;
  if (closing_ || haste == Haste::kIdlePeer || prune_waits) return SteadyTime::min();
  const SteadyTime lazy = queue_.front().since + options_.lazy;
  return haste == Haste::kBusyPeer ? std::min(lazy, last_sync_ + options_.pause) : lazy;
}

void FileJournal::run() {
  std::optional<Batch> batch;
  std::unique_lock lock(mutex_);
  const auto unlocked = [&](auto&& action) {
    lock.unlock();
    action();
    lock.lock();
  };
  for (;;) {
    if (!hopeless_.empty() && !gave_up_) unlocked([&, why = hopeless_] { give_up(why); });
    if (!batch) {
      if (compaction_written_) {
        unlocked([&] { end_compaction(); });
        continue;
      }
      if (gave_up_ && prunes_done_ < prunes_wanted_) {  // there is nothing to be made shorter
        prunes_done_ = prunes_wanted_;
        signal_safe();
      }
      if (const auto what = what_to_compact()) {
        unlocked([&] { begin_compaction(*what); });
        continue;
      }
      if (queue_.empty()) {
        if (closing_) break;
        if (no_room_.empty()) {
          wake_.wait(lock);
        } else if (wake_.wait_for(lock, options_.retry) == std::cv_status::timeout) {
          unlocked([&] { top_up(); });
        }
        continue;
      }
      if (const SteadyTime at = due(); at > steady_now()) {
        wake_.wait_until(lock, at);
        continue;
      }
      batch = take_batch(lock);
    }
    bool safe = false;
    unlocked([&] {
      safe = write(*batch);
      if (safe && !gave_up_) top_up();
    });
    if (safe) {
      batch.reset();
    } else if (closing_ || replaced_) {
      break;  // what is left was not confirmed to anybody
    } else {
      wake_.wait_for(lock, options_.retry, [&] { return closing_; });
    }
  }
  unlocked([&] { break_off_compaction(); });
}

// Encodes outside the lock.
FileJournal::Batch FileJournal::take_batch(std::unique_lock<std::mutex>& lock) {
  Batch batch;
  std::vector<NumberedRecord> records;
  batch.since = queue_.front().since;
  batch.first_number = next_number_;
  std::vector<Turn> turns;
  while (!queue_.empty() && (turns.empty() || batch.memory_bytes + queue_.front().bytes <= kBatchBytes)) {
    batch.memory_bytes += queue_.front().bytes;
    batch.last_commit = queue_.front().commit;
    turns.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  lock.unlock();
  for (Turn& turn : turns) {
    for (Record& record : turn.records) records.push_back({next_number_++, std::move(record)});
  }
  batch.encoded = encode_records(records);
  lock.lock();
  return batch;
}

bool FileJournal::write(Batch& batch) {
  if (gave_up_) {
    note_safe(batch);
    return true;
  }
  if (!is_owner()) return false;
  const Result<void> written = file_ != nullptr ? write_here(batch) : begin_new_file(batch);
  if (written) {
    if (!is_owner()) return false;  // while we wrote, or were stopped
    note_safe(batch);
    return true;
  }
  if (is_convenience()) {
    give_up(written.error().message);
    note_safe(batch);
    return true;
  }
  if (file_ != nullptr) {
    file_.reset();
    earlier_bytes_ += offset_;
  }
  set_trouble(written.error().message);
  return false;
}

bool FileJournal::is_owner() {
  if (!options_.still_owner || options_.still_owner()) return true;
  replaced_ = true;
  file_.reset();  // not ours to cut
  set_trouble("another server has taken it over");
  return false;
}

Result<void> FileJournal::write_here(const Batch& batch) {
  Bytes bytes;
  put_frame(bytes, offset_, FrameKind::kRecord, batch.encoded);
  if (auto written = file_->write_at(offset_, bytes); !written) return written;
  if (auto synced = file_->sync(); !synced) return synced;
  offset_ += bytes.size();
  return {};
}

// All or nothing: a file that could not be begun is removed.
Result<void> FileJournal::begin_new_file(const Batch& batch) {
  const std::string path = file_path(options_.path, sequence_ + 1);
  (void)disk_.remove(path);  // of an earlier try; there is none mostly
  auto file = disk_.create(path);
  if (!file) return file.error();
  FileHeader header;
  header.epoch = options_.epoch;
  header.first_number = batch.first_number;
  header.server_uid = options_.server_uid;
  if (options_.wall_clock) header.created = options_.wall_clock();
  Bytes bytes = beginning_of(header);
  put_frame(bytes, 0, FrameKind::kRecord, batch.encoded);
  Result<void> done = (*file)->write_at(0, bytes);
  if (done) done = (*file)->sync();
  if (done) done = disk_.sync_directory(directory_);
  if (!done) {
    (void)disk_.remove(path);  // else the next try does it
    return done;
  }
  file_ = std::move(*file);
  ++sequence_;
  offset_ = bytes.size();
  reserved_end_ = 0;
  const std::lock_guard lock(mutex_);
  ++generation_;
  return {};
}

// REQUIRES: mutex_ is held, and all that was taken from the queue is safe.
std::optional<CompactWhat> FileJournal::what_to_compact() const {
  if (compaction_ != nullptr || gave_up_ || replaced_ || closing_) return std::nullopt;
  if (prunes_wanted_ > prunes_done_ && committed_ >= prune_after_) return CompactWhat::kEnded;
  const uint64_t size = earlier_bytes_ + offset_;
  if (is_convenience()) return size > compact_at_ ? std::optional(CompactWhat::kEnded) : std::nullopt;
  return size > compact_at_ ? std::optional(CompactWhat::kForgotten) : std::nullopt;
}

void FileJournal::begin_compaction(CompactWhat what) {
  compaction_serves_ = [&] {
    const std::lock_guard lock(mutex_);
    return what == CompactWhat::kEnded ? prunes_wanted_ : prunes_done_;
  }();
  FileHeader header;
  header.epoch = options_.epoch;
  header.server_uid = options_.server_uid;
  if (options_.wall_clock) header.created = options_.wall_clock();
  compaction_ = std::make_unique<Compaction>(
      disk_, options_.path, what, header, next_number_ - 1, [this] { return facts(); }, cancel_compaction_);
  const SignalsBlocked blocked;
  compactor_ = std::thread([this] {
    compaction_result_ = compaction_->write();
    {
      const std::lock_guard lock(mutex_);
      compaction_written_ = true;
    }
    wake_.notify_one();
  });
}

// Until this returns nothing else becomes safe: it has to be short.
void FileJournal::end_compaction() {
  compactor_.join();
  Result<Compacted> compacted = compaction_result_.ok() ? Result<Compacted>(Error("it cannot be written now"))
                                                        : Result<Compacted>(compaction_result_.error());
  // What cannot be written now is not made shorter now.
  if (compaction_result_.ok() && file_ != nullptr && is_owner()) compacted = compaction_->finish();
  compaction_.reset();
  compact_at_ = 2 * (earlier_bytes_ + offset_);
  if (compacted.ok()) {
    take_over(std::move(*compacted));
    top_up();
  } else if (!is_convenience()) {
    add_note("The journal '" + options_.path + "' stays as long as it is: " + compacted.error().message);
  }
  if (is_convenience() && !gave_up_ && earlier_bytes_ + offset_ > options_.limit_bytes / 4 * 3)
    give_up(too_much());
  const std::lock_guard lock(mutex_);
  compaction_written_ = false;
  prunes_done_ = std::max(prunes_done_, compaction_serves_);
  signal_safe();
}

void FileJournal::take_over(Compacted compacted) {
  file_ = std::move(compacted.file);
  offset_ = compacted.offset;
  earlier_bytes_ = file_ == nullptr ? offset_ : 0;
  reserved_end_ = 0;
  compact_at_ = is_convenience() ? options_.limit_bytes : std::max(options_.compact_bytes, 2 * offset_);
  const std::lock_guard lock(mutex_);
  ++generation_;
  size_bytes_ = offset_;
}

void FileJournal::break_off_compaction() {
  cancel_compaction_ = true;
  if (compactor_.joinable()) compactor_.join();
  compaction_.reset();
}

std::string FileJournal::too_much() const {
  return "it would take more than " + std::to_string(options_.limit_bytes >> 20) + " MB";
}

void FileJournal::give_up(const std::string& why) {
  gave_up_ = true;
  file_.reset();
  if (auto files = journal_files(disk_, options_.path)) {
    for (const JournalFileName& file : *files) (void)disk_.remove(file.path);  // nobody must go on with it
  }
  add_note("What this server does is not kept any longer, and is lost if it ends without being stopped: '" +
           options_.path + "': " + why);
}

void FileJournal::add_note(std::string text) {
  const std::lock_guard lock(mutex_);
  notes_.push_back(std::move(text));
}

// Keeps room allocated ahead; less of it rather than none.
void FileJournal::top_up() {
  std::string cause;
  const uint64_t wanted = options_.reserve_bytes;
  if (file_ != nullptr && can_reserve_ && reserved_end_ < offset_ + wanted / 4 * 3) {
    for (uint64_t size = wanted; size >= kLeastReserve; size /= 2) {
      if (offset_ + size <= reserved_end_) break;
      auto reserved = file_->reserve(offset_ + size);
      if (reserved) {
        can_reserve_ = *reserved;
        if (can_reserve_) reserved_end_ = offset_ + size;
        break;
      }
      if (cause.empty()) cause = reserved.error().message;
    }
  }
  auto free = disk_.free_bytes(directory_);
  const std::lock_guard lock(mutex_);
  free_bytes_ = free ? *free : 0;
  room_ = reserved_end_ > offset_ ? reserved_end_ - offset_ : 0;
  no_room_ = cause;
}

void FileJournal::note_safe(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  committed_ = batch.last_commit;
  unconfirmed_bytes_ -= batch.memory_bytes;
  last_sync_ = steady_now();
  last_took_ = last_sync_ - batch.since;
  oldest_ = queue_.empty() ? std::nullopt : std::optional(queue_.front().since);
  size_bytes_ = earlier_bytes_ + offset_;
  trouble_.clear();
  safe_number_ = next_number_ - 1;
  signal_safe();
}

void FileJournal::signal_safe() {
  if (signalled_) return;
  signalled_ = true;
  (void)::eventfd_write(wake_fd_.get(), 1);  // can't be full: it was empty
}

void FileJournal::set_trouble(const std::string& text) {
  const std::lock_guard lock(mutex_);
  trouble_ = text;
}

}  // namespace hq
