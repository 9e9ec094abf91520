// A journal in memory whose disk takes its time, and loses in a crash what a disk may lose: any suffix of
// what was not confirmed. What it may keep besides is what was written though nobody had been told.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "hq/base/assert.h"
#include "hq/base/random.h"
#include "hq/journal/journal.h"

namespace hq::sim {

class SlowJournal final : public Journal {
 public:
  // Both outlive the journal. `now` is the time of the whole simulation. `durable`: it outlives its server.
  SlowJournal(Random& random, const TimePoint& now, bool durable)
      : random_(random), now_(now), durable_(durable) {}

  // How long a commit takes at most from now on.
  void set_most(Duration most) { most_ = most; }
  [[nodiscard]] Duration most() const { return most_; }
  // Until then nothing can be written.
  void fail_until(TimePoint time) {
    fails_until_ = std::max(fails_until_, time);
    for (size_t i = committed_; i < safe_at_.size(); ++i) safe_at_[i] = std::max(safe_at_[i], time);
  }
  void crash() {
    (void)committed();
    const uint64_t kept = committed_ + random_.below(commits_.size() - committed_ + 1);
    commits_.resize(kept);
    safe_at_.resize(kept);
    committed_ = kept;
    fails_until_ = TimePoint{};
  }

  Result<void> make_room(uint64_t) override {
    if (now_ < fails_until_) return Error("/sim/journal: No space left on device (os error 28)");
    return {};
  }
  [[nodiscard]] JournalStatus status() const override {
    JournalStatus status;
    if (committed_ < appended_at_.size() && committed_ < commits_.size()) {
      status.waiting = now_ - appended_at_[committed_];
    }
    if (now_ < fails_until_) status.trouble = "/sim/journal: No space left on device (os error 28)";
    return status;
  }
  [[nodiscard]] bool overfull() const override { return commits_.size() - committed_ > kMostUnconfirmed; }
  CommitNumber append(std::vector<Record> records) override {
    HQ_ASSERT(!records.empty());
    commits_.push_back(std::move(records));
    TimePoint safe = now_ + Duration(int64_t(random_.below(uint64_t(most_.count()))));
    safe = std::max(safe, fails_until_);
    if (!safe_at_.empty()) safe = std::max(safe, safe_at_.back());  // in order
    safe_at_.push_back(safe);
    appended_at_.resize(commits_.size());
    appended_at_.back() = now_;
    return commits_.size();
  }
  CommitNumber committed() override {
    while (committed_ < safe_at_.size() && safe_at_[committed_] <= now_) ++committed_;
    return committed_;
  }
  [[nodiscard]] bool outlives_server() const override { return durable_; }

  // When the next commit becomes safe.
  [[nodiscard]] std::optional<TimePoint> next_event() const {
    if (committed_ == safe_at_.size()) return std::nullopt;
    return safe_at_[committed_];
  }
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

 private:
  static constexpr size_t kMostUnconfirmed = 200;
  Random& random_;
  const TimePoint& now_;
  const bool durable_;
  Duration most_ = 2ms;
  TimePoint fails_until_{};
  CommitNumber committed_ = 0;
  std::vector<TimePoint> safe_at_;
  std::vector<TimePoint> appended_at_;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq::sim
