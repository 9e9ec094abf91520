// Who may write a journal (docs/journal.md, One owner). The file PATH.owner names the host and process of the
// server; a beat in it changes every 5 s. Neither locks nor process ids say anything across hosts of a
// network file system, so the beat decides there: one that stands still for a minute as seen by us, not by
// any clock in the file, is dead.
//
// Whoever finds that the file names somebody else has been replaced, and confirms nothing any more.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/base/unique_fd.h"

namespace hq {

struct OwnerRecord {
  std::string host;
  std::string boot_id;
  uint32_t pid = 0;
  uint64_t process_start = 0;  // as the kernel counts; a process of the same id that began later is another
  uint64_t epoch = 0;
  uint64_t beat = 0;
  std::string token;  // random
  friend bool operator==(const OwnerRecord&, const OwnerRecord&) = default;
};

[[nodiscard]] std::string owner_text(const OwnerRecord& record);
[[nodiscard]] Result<OwnerRecord> parse_owner(const std::string& text);
// This process.
[[nodiscard]] OwnerRecord current_process();

struct OwnerOptions {
  bool takeover = false;  // at once, whoever has it
  Duration stale = 60s;   // of a beat on another host
  Duration beat = 5s;
  Duration look = 500ms;  // between two looks at another host's beat
  // Said once before waiting.
  std::function<void(const std::string&)> on_wait;
  // Asked while waiting: give up.
  std::function<bool()> canceled;
};

class JournalOwner {
 public:
  // Errors name who has it: "... is in use by process 7 on host n1".
  static Result<std::unique_ptr<JournalOwner>> acquire(const std::string& journal_path, OwnerRecord self,
                                                       OwnerOptions options);
  // Removes the file, if it is still ours.
  ~JournalOwner();
  JournalOwner(const JournalOwner&) = delete;
  JournalOwner& operator=(const JournalOwner&) = delete;

  // The epoch of the owner before us, 0 if nobody knows of one.
  [[nodiscard]] uint64_t earlier_epoch() const { return earlier_epoch_; }
  // The owner before us may live and write: we must not go on in its file.
  [[nodiscard]] bool may_have_rival() const { return may_have_rival_; }
  // Announces our epoch and begins to beat.
  Result<void> begin(uint64_t epoch);
  // False once somebody else has it. For any thread; looks at the file when the last look is too long ago.
  [[nodiscard]] bool still_ours();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  JournalOwner(std::string path, OwnerRecord self, OwnerOptions options)
      : path_(std::move(path)), self_(std::move(self)), options_(std::move(options)) {}
  void run();
  // Looks whether the file is ours.
  void look();
  Result<void> write();
  void beat();

  const std::string path_;
  OwnerRecord self_;
  const OwnerOptions options_;
  UniqueFd lock_;
  uint64_t earlier_epoch_ = 0;
  bool may_have_rival_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;     // guarded by mutex_
  bool replaced_ = false;   // guarded by mutex_
  SteadyTime last_look_{};  // guarded by mutex_
  std::thread thread_;
};

}  // namespace hq
