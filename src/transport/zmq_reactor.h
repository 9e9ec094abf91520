// Waits with ppoll on the descriptors of sockets and of others.
//
// ZMQ_FD is edge-triggered, and any call on a socket may consume its edge. So before each wait every member
// is asked whether something is there already (which reads ZMQ_EVENTS), and only then its descriptors are
// waited on.
#pragma once

#include <poll.h>

#include <vector>

#include "hq/transport/zmq.h"

namespace hq {

// A channel as the reactor sees it.
class Waitable {
 public:
  virtual ~Waitable() = default;
  // Does what is due now; true if the owner of the channel has something to see.
  virtual bool prepare_wait(TimePoint now) = 0;
  virtual void add_polls(std::vector<pollfd>& polls) const = 0;
  virtual std::optional<TimePoint> wait_deadline() const = 0;
};

class ZmqReactor final : public FdReactor {
 public:
  void wait(std::optional<TimePoint> deadline) override;
  void add_fd(int fd, bool for_writing) override;
  void remove_fd(int fd) override;
  [[nodiscard]] bool fd_ready(int fd) const override;

  void add(Waitable& member);
  void remove(Waitable& member);

 private:
  bool wait_once(std::optional<TimePoint> deadline);

  std::vector<Waitable*> members_;
  std::vector<pollfd> fds_;    // of others; revents as of the last wait
  std::vector<pollfd> polls_;  // kept for its memory
};

}  // namespace hq
