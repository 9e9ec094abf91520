// Port to the journal: the events of each turn are one commit. Nobody is told what rests on a commit before
// it is safe (docs/architecture.md, A turn).
#pragma once

#include <cstdint>
#include <vector>

#include "hq/core/event.h"

namespace hq {

// Commits are numbered 1, 2, ...; 0 = nothing to wait for.
using CommitNumber = uint64_t;

class Journal {
 public:
  virtual ~Journal() = default;
  // Hands over the events of one turn (not empty); never waits. Returns the number of the commit.
  virtual CommitNumber append(std::vector<Record> records) = 0;
  // All commits up to this number are safe. Never waits.
  virtual CommitNumber committed() = 0;
  // True if what is committed outlives the server process, so that workers may wait for its return.
  [[nodiscard]] virtual bool outlives_server() const = 0;
};

// Keeps nothing: every commit is safe at once, for as long as the process lives.
class NoJournal final : public Journal {
 public:
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
  CommitNumber append(std::vector<Record> records) override;
  CommitNumber committed() override { return committed_; }
  [[nodiscard]] bool outlives_server() const override { return true; }
  // The next `n` unconfirmed commits become safe.
  void confirm(uint64_t n);
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

 private:
  bool confirm_at_once_;
  CommitNumber committed_ = 0;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq
