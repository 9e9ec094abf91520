// The newest log lines of a process, for those who ask later why it ended. Fed by a log sink.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hq {

class RecentLines {
 public:
  explicit RecentLines(size_t capacity = 20) : capacity_(capacity) {}
  // From any thread. A line longer than a few hundred bytes is cut.
  void add(std::string_view line);
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
};

}  // namespace hq
