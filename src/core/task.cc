#include "hq/core/task.h"

namespace hq {

std::string_view task_state_text(TaskState state) {
  switch (state) {
    case TaskState::kWaiting:
      return "waiting";
    case TaskState::kRunning:
      return "running";
    case TaskState::kFinished:
      return "finished";
    case TaskState::kFailed:
      return "failed";
    case TaskState::kCanceled:
      return "canceled";
    case TaskState::kAborted:
      return "aborted";
  }
  return "?";
}

}  // namespace hq
