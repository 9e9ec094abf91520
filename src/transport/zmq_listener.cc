#include "transport/zmq_listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "transport/zmq_context.h"

namespace hq {

namespace {

constexpr Duration kPause = 200ms;

// 0 or errno.
int bind_any(int fd, int family, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (family == AF_INET6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_addr = in6addr_any;
    in6.sin6_port = htons(port);
    length = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_ANY);
    in.sin_port = htons(port);
    length = sizeof in;
  }
  return ::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0 ? 0 : errno;
}

uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(storage).sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in&>(storage).sin_port);
}

Result<UniqueFd> listen_on(int family, uint16_t port, int backlog) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return os_error(errno);
  const int on = 1;
  const int off = 0;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return os_error(errno);
  if (family == AF_INET6 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
    return os_error(errno);
  }
  if (int failure = bind_any(fd.get(), family, port); failure != 0) return os_error(failure);
  if (::listen(fd.get(), backlog) != 0) return os_error(errno);
  return fd;
}

bool kernel_has_ipv6() {
  UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd.valid() && bind_any(fd.get(), AF_INET6, 0) == 0;
}

}  // namespace

Result<ZmqListener> ZmqListener::open(uint16_t port, bool ipv6, int backlog) {
  ZmqListener listener;
  listener.ipv6_ = ipv6 && kernel_has_ipv6();
  Result<UniqueFd> fd = listen_on(listener.ipv6_ ? AF_INET6 : AF_INET, port, backlog);
  if (!fd) return fd.error();
  listener.fd_ = std::move(*fd);
  listener.port_ = bound_port(listener.fd_.get());
  return listener;
}

Result<void> ZmqListener::attach(zmq::socket_t& socket) {
  UniqueFd duplicate(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
  if (!duplicate.valid()) return os_error(errno);
  try {
    socket.set(zmq::sockopt::ipv6, ipv6_);
    int fd = duplicate.get();
    socket.set(zmq::sockopt::use_fd, fd);
    socket.bind("tcp://*:" + std::to_string(port_));
    (void)duplicate.release();  // libzmq closes it
    endpoint_ = socket.get(zmq::sockopt::last_endpoint);
    resume_at_.reset();
    return {};
  } catch (const zmq::error_t& error) {
    return zmq_failure("Cannot listen", error);
  }
}

void ZmqListener::pause(zmq::socket_t& socket, TimePoint now) {
  if (resume_at_) return;
  while (zmq_unbind(socket.handle(), endpoint_.c_str()) != 0 && zmq_errno() == EINTR) {
  }
  resume_at_ = now + kPause;
}

void ZmqListener::resume_if_due(zmq::socket_t& socket, TimePoint now) {
  if (!resume_at_ || now < *resume_at_) return;
  // Without a free descriptor the next accept would fail as well.
  if (!attach(socket)) resume_at_ = now + kPause;
}

}  // namespace hq
