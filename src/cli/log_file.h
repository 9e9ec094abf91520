// The log file of a server or worker beside its stderr: bounded, private, and never in the way. A line that
// cannot be written is lost; the program goes on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "hq/base/unique_fd.h"

namespace hq::cli {

// Opens (appends to) `path`, mode 0600, and makes it the sink of log lines until the object ends. At most
// `max_bytes` are kept in it; then it becomes `path`.old, replacing an earlier one, and a new one begins.
class LogFile {
 public:
  // `also` gets each line at once, in the thread that logs.
  explicit LogFile(std::string path, std::function<void(std::string_view line)> also = {},
                   size_t max_bytes = size_t{8} << 20);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hq::cli
