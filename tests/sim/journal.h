// A journal in memory whose disk takes its time. It does not outlive its server; what would be lost in a
// crash between apply, write, sync and send is what is not committed here.
#pragma once

#include <optional>
#include <vector>

#include "hq/base/assert.h"
#include "hq/base/random.h"
#include "hq/journal/journal.h"

namespace hq::sim {

class SlowJournal final : public Journal {
 public:
  // Both outlive the journal. `now` is the time of the whole simulation.
  SlowJournal(Random& random, const TimePoint& now) : random_(random), now_(now) {}

  // How long a commit takes at most from now on.
  void set_most(Duration most) { most_ = most; }
  Result<void> make_room(uint64_t) override { return {}; }
  [[nodiscard]] JournalStatus status() const override { return {}; }
  [[nodiscard]] bool overfull() const override { return false; }
  CommitNumber append(std::vector<Record> records) override {
    HQ_ASSERT(!records.empty());
    commits_.push_back(std::move(records));
    TimePoint safe = now_ + Duration(int64_t(random_.below(uint64_t(most_.count()))));
    if (!safe_at_.empty()) safe = std::max(safe, safe_at_.back());  // in order
    safe_at_.push_back(safe);
    return commits_.size();
  }
  CommitNumber committed() override {
    while (committed_ < safe_at_.size() && safe_at_[committed_] <= now_) ++committed_;
    return committed_;
  }
  [[nodiscard]] bool outlives_server() const override { return false; }

  // When the next commit becomes safe.
  [[nodiscard]] std::optional<TimePoint> next_event() const {
    if (committed_ == safe_at_.size()) return std::nullopt;
    return safe_at_[committed_];
  }
  [[nodiscard]] const std::vector<std::vector<Record>>& commits() const { return commits_; }

 private:
  Random& random_;
  const TimePoint& now_;
  Duration most_ = 2ms;
  CommitNumber committed_ = 0;
  std::vector<TimePoint> safe_at_;
  std::vector<std::vector<Record>> commits_;
};

}  // namespace hq::sim
