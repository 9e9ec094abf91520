#include "worker/reports.h"

#include <algorithm>
#include <tuple>

#include "hq/base/assert.h"
#include "hq/protocol/limits.h"

namespace hq {

namespace {

// Bounds a report after a time in which none could leave; its frame stays far below the limit.
constexpr size_t kMostPerReport = 2048;

float seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<float>(to - from).count();
}

}  // namespace

void Reports::add_started(msg::StartedTask task, bool at_once, TimePoint now) {
  started_.push_back({task, now});
  at_once_ = at_once_ || at_once;
}

void Reports::add_ended(msg::EndedTask task, bool at_once, TimePoint now) {
  std::erase_if(started_, [&](const Started& started) {
    return std::tie(started.task.job, started.task.task, started.task.instance) ==
           std::tie(task.job, task.task, task.instance);
  });
  ended_.push_back({0, std::move(task), now});
  at_once_ = at_once_ || at_once;
}

std::optional<TimePoint> Reports::due(bool idle) const {
  if (started_.empty() && ended_.empty()) return std::nullopt;
  if (idle || at_once_ || ended_.size() >= limits::kReportTasks) return TimePoint::min();
  TimePoint oldest = TimePoint::max();
  if (!started_.empty()) oldest = started_.front().at;
  if (!ended_.empty()) oldest = std::min(oldest, ended_.front().at);
  return oldest + limits::kReportDelay;
}

msg::Report Reports::take(TimePoint now) {
  HQ_ASSERT(!started_.empty() || !ended_.empty());
  msg::Report report;
  report.number = ++last_report_;
  // A start that has not been told by now travels before any end.
  while (!started_.empty() && report.started.size() < kMostPerReport) {
    report.started.push_back(started_.front().task);
    report.started.back().ago_s = seconds_between(started_.front().at, now);
    started_.pop_front();
  }
  while (started_.empty() && !ended_.empty() && report.ended.size() < kMostPerReport) {
    Ended& ended = ended_.front();
    report.ended.push_back(ended.task);
    report.ended.back().ago_s = seconds_between(ended.at, now);
    ended.report = report.number;
    sent_.push_back(std::move(ended));
    ended_.pop_front();
  }
  if (started_.empty() && ended_.empty()) at_once_ = false;
  return report;
}

void Reports::acknowledge(uint64_t report) {
  while (!sent_.empty() && sent_.front().report <= report) sent_.pop_front();
}

Reports::Inventory Reports::take_inventory(TimePoint now) {
  started_.clear();
  at_once_ = false;
  if (!ended_.empty()) {
    ++last_report_;
    for (Ended& ended : ended_) {
      ended.report = last_report_;
      sent_.push_back(std::move(ended));
    }
    ended_.clear();
  }
  Inventory inventory{{}, last_report_};
  inventory.ended.reserve(sent_.size());
  for (const Ended& ended : sent_) {
    inventory.ended.push_back(ended.task);
    inventory.ended.back().ago_s = seconds_between(ended.at, now);
  }
  return inventory;
}

void Reports::check_invariants() const {
  uint64_t before = 1;
  for (const Ended& ended : sent_) {
    HQ_ASSERT(ended.report >= before && ended.report <= last_report_);
    before = ended.report;
  }
  for (const Ended& ended : ended_) HQ_ASSERT(ended.report == 0);
}

}  // namespace hq
