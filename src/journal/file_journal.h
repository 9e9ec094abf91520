// The journal in a file: a thread of its own takes all turns that wait as one record, writes it and syncs
// (docs/journal.md, When what is safe). Whoever appends never waits for a disk.
//
// A file that failed once is never written or synced again, since nobody knows what became of its pages: a
// new one begins with all that is unconfirmed, as soon as one can be had. What was appended is never given
// up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hq/base/unique_fd.h"
#include "hq/journal/journal.h"
#include "journal/compact.h"
#include "journal/disk.h"
#include "journal/event_codec.h"
#include "journal/files.h"
#include "journal/follow.h"

namespace hq {

struct FileJournalOptions {
  std::string path;
  bool outlives_server = true;
  uint64_t epoch = 1;
  std::string server_uid;
  // How long what nobody waits for may lie in memory.
  Duration lazy = 100ms;
  // Between two syncs while those who wait still have something to do.
  Duration pause = 5ms;
  // Compacted by itself from this size on, and again when it has doubled.
  uint64_t compact_bytes = uint64_t{64} << 20;
  // Above 0: kept for convenience only. Nobody waits for it, and where it can't be written or grows beyond
  // this it is given up, and removed.
  uint64_t limit_bytes = 0;
  // Between two tries to write after a failure.
  Duration retry = 1s;
  uint64_t reserve_bytes = uint64_t{64} << 20;
  uint64_t most_unconfirmed_bytes = uint64_t{256} << 20;
  std::function<WallTime()> wall_clock;
  // Asked before each write, and before what was written counts as safe; false = another owner has taken
  // over: nothing is written any more.
  std::function<bool()> still_owner;
};

// Where writing goes on.
struct WritePosition {
  std::unique_ptr<DiskFile> file;
  uint64_t sequence = 1;  // of the file
  uint64_t offset = 0;
  uint64_t next_number = 1;
  uint64_t earlier_bytes = 0;  // of the files before
};

class FileJournal final : public Journal {
 public:
  // `disk` outlives the journal.
  FileJournal(Disk& disk, FileJournalOptions options, WritePosition position);
  // Writes what is left, if it can be written, and gives reserved room back.
  ~FileJournal() override;

  Result<void> make_room(uint64_t bytes) override;
  [[nodiscard]] JournalStatus status() const override;
  [[nodiscard]] bool overfull() const override;
  CommitNumber append(std::vector<Record> records) override;
  void hasten(Haste haste) override;
  CommitNumber committed() override;
  [[nodiscard]] bool outlives_server() const override { return options_.outlives_server; }
  uint64_t prune() override;
  uint64_t pruned() override;
  std::unique_ptr<JournalReader> read(uint64_t after) override;
  std::vector<std::string> take_notes() override;
  // Readable when commits have become safe since committed() was asked last.
  [[nodiscard]] int wake_fd() const { return wake_fd_.get(); }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  [[nodiscard]] bool is_convenience() const { return options_.limit_bytes > 0; }
  struct Turn {
    CommitNumber commit = 0;
    std::vector<Record> records;
    uint64_t bytes = 0;  // about, in memory
    SteadyTime since;
    std::optional<Haste> haste;
  };
  // What goes to the disk as one record, kept until it is safe.
  struct Batch {
    CommitNumber last_commit = 0;
    uint64_t first_number = 0;
    uint64_t memory_bytes = 0;
    SteadyTime since;  // of the oldest turn
    Bytes encoded;
  };

  [[nodiscard]] WriterFacts facts() const;
  void run();
  [[nodiscard]] SteadyTime due() const;
  Batch take_batch(std::unique_lock<std::mutex>& lock);
  bool write(Batch& batch);
  bool is_owner();
  Result<void> write_here(const Batch& batch);
  Result<void> begin_new_file(const Batch& batch);
  void top_up();
  void note_safe(const Batch& batch);
  void signal_safe();
  // Making it shorter goes on in a thread of its own; only its end holds up the writing.
  [[nodiscard]] std::optional<CompactWhat> what_to_compact() const;
  void begin_compaction(CompactWhat what);
  void end_compaction();
  void take_over(Compacted compacted);
  void break_off_compaction();
  [[nodiscard]] std::string too_much() const;
  void give_up(const std::string& why);
  void add_note(std::string text);
  void set_trouble(const std::string& text);

  Disk& disk_;
  const FileJournalOptions options_;
  const std::string directory_;
  UniqueFd wake_fd_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<Turn> queue_;
  CommitNumber last_commit_ = 0;
  CommitNumber committed_ = 0;
  bool closing_ = false;
  bool signalled_ = false;
  std::string hopeless_;            // of a journal for convenience: why what waited was dropped
  uint64_t unconfirmed_bytes_ = 0;  // in memory
  std::optional<SteadyTime> oldest_;
  std::string trouble_;
  std::string no_room_;  // why nothing could be reserved; "" = it could
  uint64_t room_ = 0;    // reserved and not written to
  uint64_t free_bytes_ = 0;
  uint64_t size_bytes_ = 0;
  Duration last_took_{};
  SteadyTime last_sync_;
  std::vector<std::string> notes_;
  uint64_t prunes_wanted_ = 0;
  uint64_t prunes_done_ = 0;
  CommitNumber prune_after_ = 0;     // what was appended before the last wish
  bool compaction_written_ = false;  // and has to be finished by the writing thread
  uint64_t generation_ = 0;          // of the files, for readers
  uint64_t safe_number_ = 0;         // of events

  // Of the writing thread.
  std::unique_ptr<DiskFile> file_;  // null after a failure
  uint64_t sequence_;
  uint64_t offset_;
  uint64_t next_number_;
  uint64_t earlier_bytes_;
  uint64_t reserved_end_ = 0;
  bool can_reserve_ = true;
  bool replaced_ = false;  // by another owner
  bool gave_up_ = false;
  uint64_t compact_at_;
  std::unique_ptr<Compaction> compaction_;
  Result<void> compaction_result_;  // once it is written
  uint64_t compaction_serves_ = 0;  // wishes to prune
  std::atomic<bool> cancel_compaction_ = false;
  std::thread compactor_;

  std::thread thread_;
};

}  // namespace hq
