#include "hq/worker/recent_lines.h"

namespace hq {

namespace {
constexpr size_t kLongestLine = 500;
}

void RecentLines::add(std::string_view line) {
  while (line.ends_with('\n')) line.remove_suffix(1);
  const std::lock_guard guard(mutex_);
  lines_.emplace_back(line.substr(0, kLongestLine));
  if (lines_.size() > capacity_) lines_.pop_front();
}

std::vector<std::string> RecentLines::lines() const {
  const std::lock_guard guard(mutex_);
  return {lines_.begin(), lines_.end()};
}

}  // namespace hq
