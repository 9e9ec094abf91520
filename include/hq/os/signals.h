// Signals as something to read: blocked in this process and delivered through a descriptor that a loop can
// wait on.
#pragma once

#include <optional>
#include <vector>

#include "hq/base/result.h"
#include "hq/base/unique_fd.h"

namespace hq {

class SignalQueue {
 public:
  // Blocks `signals` in the calling thread (threads made later inherit that) and opens the descriptor.
  // REQUIRES: called before other threads exist.
  static Result<SignalQueue> open(const std::vector<int>& signals);
  // What server and worker listen to: SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGXCPU.
  static Result<SignalQueue> open_for_service();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // Next signal received, without waiting. The same signal several times before a read counts once.
  std::optional<int> next();

 private:
  explicit SignalQueue(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Raises the soft limit of open files to the hard one; returns what holds then.
Result<uint64_t> raise_nofile_limit();

}  // namespace hq
