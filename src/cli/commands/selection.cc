#include "cli/commands/selection.h"

#include <fmt/format.h>

#include <algorithm>

namespace hq::cli {
namespace {

// Above this, interleaved ranges of jobs keep their written order: there are never so many jobs.
constexpr uint64_t kMaxSorted = 1'000'000;

IdArray sorted(IdArray ids) {
  std::sort(ids.parts.begin(), ids.parts.end(),
            [](const auto& a, const auto& b) { return a.range.first < b.range.first; });
  const bool apart = std::adjacent_find(ids.parts.begin(), ids.parts.end(), [](const auto& a, const auto& b) {
                       return b.range.first <= a.range.last;
                     }) == ids.parts.end();
  if (apart || ids.count() > kMaxSorted) return ids;
  std::vector<uint32_t> all = ids.expand();
  std::sort(all.begin(), all.end());
  return runs_of(all);
}

TaskState task_state_of(StatusFilter filter) {
  switch (filter) {
    case StatusFilter::kWaiting:
      return TaskState::kWaiting;
    case StatusFilter::kRunning:
      return TaskState::kRunning;
    case StatusFilter::kFinished:
      return TaskState::kFinished;
    case StatusFilter::kFailed:
      return TaskState::kFailed;
    case StatusFilter::kCanceled:
      return TaskState::kCanceled;
    case StatusFilter::kAborted:
    case StatusFilter::kOpened:
      break;
  }
  HQ_ASSERT(filter == StatusFilter::kAborted);
  return TaskState::kAborted;
}

}  // namespace

msg::Selection selection_of(const Selector& selector) {
  switch (selector.kind) {
    case Selector::Kind::kLast:
      return {msg::Selection::Kind::kLast, {}};
    case Selector::Kind::kAll:
      return {msg::Selection::Kind::kAll, {}};
    case Selector::Kind::kIds:
      break;
  }
  return {msg::Selection::Kind::kIds, selector.ids};
}

msg::Selection sorted_selection_of(const Selector& selector) {
  msg::Selection selection = selection_of(selector);
  selection.ids = sorted(std::move(selection.ids));
  return selection;
}

msg::Selection selection_of(JobId job) {
  return {msg::Selection::Kind::kIds, IdArray::single(job.value)};
}

msg::Selection selection_of(const JobChoice& job) {
  if (!job.id) return {msg::Selection::Kind::kLast, {}};
  return selection_of(JobId(*job.id));
}

bool StateFilter::accepts(TaskState state) const {
  return !none && (states.empty() || std::find(states.begin(), states.end(), state) != states.end());
}

StateFilter state_filter(const std::vector<StatusFilter>& filter) {
  StateFilter out;
  for (StatusFilter f : filter) {
    if (f != StatusFilter::kOpened) out.states.push_back(task_state_of(f));
  }
  out.none = out.states.empty() && !filter.empty();
  return out;
}

StatusFilter filter_of(msg::JobStatus status) {
  switch (status) {
    case msg::JobStatus::kWaiting:
      return StatusFilter::kWaiting;
    case msg::JobStatus::kRunning:
      return StatusFilter::kRunning;
    case msg::JobStatus::kFinished:
      return StatusFilter::kFinished;
    case msg::JobStatus::kFailed:
      return StatusFilter::kFailed;
    case msg::JobStatus::kCanceled:
      return StatusFilter::kCanceled;
    case msg::JobStatus::kAborted:
      return StatusFilter::kAborted;
    case msg::JobStatus::kOpened:
      break;
  }
  return StatusFilter::kOpened;
}

std::string_view job_status_text(msg::JobStatus status) {
  switch (status) {
    case msg::JobStatus::kWaiting:
      return "WAITING";
    case msg::JobStatus::kRunning:
      return "RUNNING";
    case msg::JobStatus::kFinished:
      return "FINISHED";
    case msg::JobStatus::kFailed:
      return "FAILED";
    case msg::JobStatus::kCanceled:
      return "CANCELED";
    case msg::JobStatus::kAborted:
      return "ABORTED";
    case msg::JobStatus::kOpened:
      break;
  }
  return "OPENED";
}

std::string_view task_status_text(TaskState state) {
  switch (state) {
    case TaskState::kWaiting:
      return "WAITING";
    case TaskState::kRunning:
      return "RUNNING";
    case TaskState::kFinished:
      return "FINISHED";
    case TaskState::kFailed:
      return "FAILED";
    case TaskState::kCanceled:
      return "CANCELED";
    case TaskState::kAborted:
      break;
  }
  return "ABORTED";
}

msg::JobStatus status_of(const msg::JobSummary& job) {
  return msg::job_status(job.counts, job.is_open);
}

StateCounts counts_of(const std::array<uint64_t, kTaskStates>& counts) {
  auto of = [&](TaskState state) { return counts[size_t(state)]; };
  StateCounts out;
  out.waiting = of(TaskState::kWaiting);
  out.running = of(TaskState::kRunning);
  out.finished = of(TaskState::kFinished);
  out.failed = of(TaskState::kFailed);
  out.canceled = of(TaskState::kCanceled);
  out.aborted = of(TaskState::kAborted);
  return out;
}

std::string counted(uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

}  // namespace hq::cli
