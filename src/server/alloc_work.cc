#include "server/alloc_work.h"

#include <algorithm>

namespace hq {

bool AllocWork::asks(ManagerKind manager) const {
  return std::any_of(pending.begin(), pending.end(), [&](const auto& entry) {
    const auto* asking = std::get_if<Asking>(&entry.second);
    return asking != nullptr && asking->manager == manager;
  });
}

std::string failure_message(const BatchFailure& failure, const std::string& script) {
  std::string text = failure.headline;
  if (!failure.details.empty()) {
    text += "\n\nCaused by:\n    ";
    for (const char c : failure.details) {
      text += c;
      if (c == '\n') text += "    ";
    }
  }
  if (!script.empty()) text += "\nYou can find the submitted script at " + script;
  return text;
}

}  // namespace hq
