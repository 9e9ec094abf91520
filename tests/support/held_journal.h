// A journal in memory whose commits become safe only when the test says so.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "hq/base/assert.h"
#include "hq/journal/journal.h"

namespace hq::test {

class HeldJournal final : public Journal {
 public:
  // `outlives`: workers are promised that the server may come back.
  explicit HeldJournal(bool outlives = false) : outlives_(outlives) {}

  Result<void> make_room(uint64_t) override {
    return trouble.empty() ? Result<void>() : Result<void>(Error(trouble));
  }
  [[nodiscard]] JournalStatus status() const override {
    JournalStatus status;
    status.trouble = trouble;
    if (committed_ < commits_.size()) status.waiting = waiting;
    status.last_commit_took = took;
    return status;
  }
  [[nodiscard]] bool overfull() const override { return full; }
  CommitNumber append(std::vector<Record> records) override {
    HQ_ASSERT(!records.empty());
    commits_.push_back(std::move(records));
    if (!holding_) committed_ = commits_.size();
    return commits_.size();
  }
  CommitNumber committed() override { return committed_; }
  [[nodiscard]] bool outlives_server() const override { return outlives_; }

  // From now on commits are not safe by themselves.
  void hold() { holding_ = true; }
  void confirm(uint64_t n) { committed_ = std::min<CommitNumber>(committed_ + n, commits_.size()); }
  // All that was held is safe, and what comes too.
  void release() {
    holding_ = false;
    committed_ = commits_.size();
  }
  // As a crash does.
  void lose_unconfirmed() { commits_.resize(committed_); }

  std::string trouble;  // why nothing can be written
  Duration waiting{0};  // of what is held
  Duration took{0};     // the last commit
  bool full = false;
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

 private:
  bool outlives_;
  bool holding_ = false;
  CommitNumber committed_ = 0;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq::test
