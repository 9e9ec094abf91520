// A journal in memory whose commits become safe only when the test says so.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
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
  uint64_t prune() override { return ++prunes; }
  uint64_t pruned() override { return prunes_done; }
  [[nodiscard]] bool outlives_server() const override { return outlives_; }
  // A block is a commit whose events are all new; its bytes are the number of its last event, as text.
  std::unique_ptr<JournalReader> read(uint64_t after) override {
    return std::make_unique<Reader>(*this, after);
  }

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
  // As damage does: all events of this kind are gone.
  template <class E>
  void lose_events() {
    for (auto& commit : commits_) {
      std::erase_if(commit, [](const Record& record) { return std::holds_alternative<E>(record.event); });
    }
  }

  std::string trouble;  // why nothing can be written
  Duration waiting{0};  // of what is held
  Duration took{0};     // the last commit
  bool full = false;
  uint64_t prunes = 0;  // asked for
  uint64_t prunes_done = 0;
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

 private:
  class Reader final : public JournalReader {
   public:
    Reader(const HeldJournal& journal, uint64_t after) : journal_(journal), after_(after) {}
    Result<std::optional<EventsRead>> next() override {
      while (at_ < journal_.committed_) {
        last_ += journal_.commits_[at_++].size();
        if (last_ > after_) return std::optional(EventsRead{std::to_string(last_), last_});
      }
      return std::optional<EventsRead>();
    }

   private:
    const HeldJournal& journal_;
    const uint64_t after_;
    size_t at_ = 0;  // in the commits
    uint64_t last_ = 0;
  };

  bool outlives_;
  bool holding_ = false;
  CommitNumber committed_ = 0;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq::test
