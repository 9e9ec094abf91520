// Port to the journal: the events of each turn are one commit. Nobody is told what rests on a commit before
// it is safe (docs/architecture.md, A turn).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/core/event.h"

namespace hq {

// Commits are numbered 1, 2, ...; 0 = nothing to wait for.
using CommitNumber = uint64_t;

// How the journal is, for server info and for refusals.
struct JournalStatus {
  std::string path;                // "" = keeps nothing
  std::string trouble;             // names the file and the cause while writing fails; "" = none
  Duration waiting{};              // how long the oldest commit that is not safe yet has been waiting
  Duration last_commit_took{};     // from append() to safe
  uint64_t unconfirmed_bytes = 0;  // held in memory until they can be written
  uint64_t size_bytes = 0;         // of the files
};

// Who waits for what has been appended.
enum class Haste : uint8_t {
  kNobody,    // written when it is due
  kBusyPeer,  // a worker that still has work: soon, many turns at once
  kIdlePeer,  // somebody who does nothing meanwhile: at once
};

// Some events of a journal, in their order.
struct EventsRead {
  Bytes records;      // in the form of the journal's records (docs/journal.md, Records)
  uint64_t last = 0;  // number of the last one
};

class JournalReader {
 public:
  virtual ~JournalReader() = default;
  // The next ones that are safe; nothing if there are none now.
  virtual Result<std::optional<EventsRead>> next() = 0;
};

class NothingToRead final : public JournalReader {
 public:
  Result<std::optional<EventsRead>> next() override { return std::optional<EventsRead>(); }
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Asked before something new is accepted (submits, opened jobs): is there room for about this many bytes?
  // An error names the file and the cause. What has been accepted never asks again. Never waits.
  virtual Result<void> make_room(uint64_t bytes) = 0;
  [[nodiscard]] virtual JournalStatus status() const = 0;
  // Results pile up in memory while nothing can be written: true once no more work should be handed out.
  [[nodiscard]] virtual bool overfull() const = 0;
  // Hands over the events of one turn (not empty); never waits. Returns the number of the commit.
  virtual CommitNumber append(std::vector<Record> records) = 0;
  // Says how urgent what was appended last is; kBusyPeer until told otherwise. Of several calls the most
  // urgent one counts.
  virtual void hasten(Haste) {}
  // All commits up to this number are safe. Never waits.
  virtual CommitNumber committed() = 0;
  // Drops jobs that have ended and workers that are gone from what is kept, as of what has been appended. It
  // is done once pruned() has reached the number. Neither waits.
  virtual uint64_t prune() { return 0; }
  virtual uint64_t pruned() { return 0; }
  // The events of higher numbers than this one. The journal must outlive the reader.
  virtual std::unique_ptr<JournalReader> read(uint64_t /*after*/) {
    return std::make_unique<NothingToRead>();
  }
  // What went wrong without harm, for the log; each is told once.
  virtual std::vector<std::string> take_notes() { return {}; }
  // True if what is committed outlives the server process, so that workers may wait for its return.
  [[nodiscard]] virtual bool outlives_server() const = 0;
};

// Keeps nothing: every commit is safe at once, for as long as the process lives.
class NoJournal final : public Journal {
 public:
  Result<void> make_room(uint64_t) override { return {}; }
  [[nodiscard]] JournalStatus status() const override { return {}; }
  [[nodiscard]] bool overfull() const override { return false; }
  CommitNumber append(std::vector<Record> records) override;
  CommitNumber committed() override { return last_; }
  [[nodiscard]] bool outlives_server() const override { return false; }

 private:
  CommitNumber last_ = 0;
};

// Keeps the records in memory, and confirms commits only when told to: for tests of what may leave when.
class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(bool confirm_at_once) : confirm_at_once_(confirm_at_once) {}
  // Fails while `refuse` is set.
  Result<void> make_room(uint64_t bytes) override;
  [[nodiscard]] JournalStatus status() const override;
  [[nodiscard]] bool overfull() const override { return full; }
  CommitNumber append(std::vector<Record> records) override;
  CommitNumber committed() override { return committed_; }
  [[nodiscard]] bool outlives_server() const override { return true; }
  // The next `n` unconfirmed commits become safe.
  void confirm(uint64_t n);
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

  std::optional<std::string> refuse;  // the reason
  bool full = false;

 private:
  bool confirm_at_once_;
  CommitNumber committed_ = 0;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq
