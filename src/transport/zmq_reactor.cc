#include "transport/zmq_reactor.h"

#include <algorithm>
#include <cerrno>

#include "transport/zmq_context.h"

namespace hq {

void ZmqReactor::add(Waitable& member) {
  members_.push_back(&member);
}

void ZmqReactor::remove(Waitable& member) {
  std::erase(members_, &member);
}

void ZmqReactor::add_fd(int fd, bool for_writing) {
  fds_.push_back({fd, static_cast<short>(for_writing ? POLLOUT : POLLIN), 0});
}

void ZmqReactor::remove_fd(int fd) {
  std::erase_if(fds_, [fd](const pollfd& entry) { return entry.fd == fd; });
}

bool ZmqReactor::fd_ready(int fd) const {
  return std::any_of(fds_.begin(), fds_.end(),
                     [fd](const pollfd& entry) { return entry.fd == fd && entry.revents != 0; });
}

void ZmqReactor::wait(std::optional<TimePoint> deadline) {
  while (!wait_once(deadline)) {
  }
}

// True: the caller's wait is over.
bool ZmqReactor::wait_once(std::optional<TimePoint> deadline) {
  TimePoint now = mono_now();
  bool ready = false;
  std::optional<TimePoint> until = deadline;
  for (Waitable* member : members_) {
    ready = member->prepare_wait(now) || ready;
    std::optional<TimePoint> wish = member->wait_deadline();
    if (wish && (!until || *wish < *until)) until = wish;
  }
  polls_ = fds_;
  for (pollfd& entry : polls_) entry.revents = 0;
  if (!ready) {
    for (const Waitable* member : members_) member->add_polls(polls_);
  }
  timespec timeout{};
  if (!ready && until && *until > now) {
    int64_t ns = (*until - now).count();
    timeout = {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  }
  // Ready already: still looks at the others' descriptors, so that busy sockets can't starve them.
  bool forever = !ready && !until;
  int count = 0;
  if (!ready || !polls_.empty()) {
    count = ::ppoll(polls_.data(), polls_.size(), forever ? nullptr : &timeout, nullptr);
  }
  for (size_t i = 0; i < fds_.size(); ++i) fds_[i].revents = count > 0 ? polls_[i].revents : short{0};
  if (count < 0) return true;  // a signal: its handler may have left something to do
  // A socket's descriptor says only that its state changed, which may be room for a frame that was kFull: the
  // caller looks. A deadline of a member's own is handled on the next round.
  if (ready || count > 0) return true;
  return deadline && mono_now() >= *deadline;
}

}  // namespace hq
