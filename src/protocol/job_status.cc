#include "hq/protocol/client_messages.h"

namespace hq::msg {

JobStatus job_status(const std::array<uint64_t, kTaskStates>& counts, bool open) {
  auto any = [&](TaskState s) { return counts[size_t(s)] > 0; };
  if (any(TaskState::kRunning)) return JobStatus::kRunning;
  if (any(TaskState::kWaiting)) return JobStatus::kWaiting;
  if (any(TaskState::kFailed)) return JobStatus::kFailed;
  if (any(TaskState::kAborted)) return JobStatus::kAborted;
  if (any(TaskState::kCanceled)) return JobStatus::kCanceled;
  return open ? JobStatus::kOpened : JobStatus::kFinished;
}

}  // namespace hq::msg
