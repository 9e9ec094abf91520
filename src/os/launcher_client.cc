#include "os/launcher_client.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace hq {

namespace {
// Longer than the launcher gives tasks to end; past it the launcher goes on alone.
constexpr int kLeaveWaitMs = 5000;
constexpr size_t kMostFds = 253;  // in one message, as the kernel has it
}  // namespace

LauncherClient::LauncherClient(UniqueFd socket, UniqueFd poll, pid_t pid)
    : socket_(std::move(socket)), poll_(std::move(poll)), pid_(pid) {}

LauncherClient::~LauncherClient() {
  flush();
  ::shutdown(socket_.get(), SHUT_WR);
  // The launcher's end closes when it exits.
  std::array<char, 4096> rest;
  while (true) {
    pollfd fd{socket_.get(), POLLIN, 0};
    int ready = ::poll(&fd, 1, kLeaveWaitMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    ssize_t got = ::recv(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN))) continue;
    ::waitpid(pid_, nullptr, 0);
    return;
  }
}

void LauncherClient::define(TemplateId id, const LaunchTemplate& base) {
  launch_wire::put_define(outgoing_, id, base);
}

void LauncherClient::forget(TemplateId id) {
  launch_wire::put_forget(outgoing_, id);
}

void LauncherClient::start(const LaunchRequest& request) {
  launch_wire::put_start(outgoing_, request);
}

void LauncherClient::drop(LaunchId id) {
  launch_wire::put_drop(outgoing_, id);
}

void LauncherClient::stop(LaunchId id, Duration grace) {
  launch_wire::put_stop(outgoing_, id, grace);
}

void LauncherClient::remove_file(const std::string& path) {
  launch_wire::put_remove_file(outgoing_, path);
}

void LauncherClient::set_fence(std::optional<Duration> within) {
  launch_wire::put_fence(outgoing_, within);
}

void LauncherClient::flush() {
  while (!gone_ && outgoing_done_ < outgoing_.size()) {
    ssize_t put = ::send(socket_.get(), outgoing_.data() + outgoing_done_, outgoing_.size() - outgoing_done_,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return wait_for_output(true);
    if (put < 0) break;  // gone, which receiving tells after what it had still said
    outgoing_done_ += static_cast<size_t>(put);
  }
  outgoing_.clear();
  outgoing_done_ = 0;
  wait_for_output(false);
}

void LauncherClient::wait_for_output(bool on) {
  if (on == waits_for_output_) return;
  epoll_event event{};
  event.events = EPOLLIN;
  if (on) event.events |= EPOLLOUT;
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, socket_.get(), &event) == 0) waits_for_output_ = on;
}

std::optional<ProcessEvent> LauncherClient::next_event() {
  if (waits_for_output_) flush();
  if (events_.empty()) receive();
  if (events_.empty()) return std::nullopt;
  ProcessEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

ssize_t LauncherClient::receive_some(char* place, size_t size) {
  iovec bytes{place, size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostFds * sizeof(int))> control;
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
      received_fds_.emplace_back(fd);
    }
  }
  // No room for a descriptor: from here on nobody knows whose pipe is whose. The caller keeps enough free.
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    log_.emplace_back("No descriptors left for the output of tasks");
    return 0;
  }
  return got;
}

bool LauncherClient::attach_pipes(launch_wire::Report& report) {
  if (!report.event || report.pipes == 0) return true;
  report.event->pipes = std::make_shared<TaskPipes>();
  auto take = [&](uint8_t which, UniqueFd& to) {
    if ((report.pipes & which) == 0) return true;
    if (received_fds_.empty()) return false;
    to = std::move(received_fds_.front());
    received_fds_.pop_front();
    return true;
  };
  return take(launch_wire::kOutPipe, report.event->pipes->out) &&
         take(launch_wire::kErrPipe, report.event->pipes->err);
}

void LauncherClient::receive() {
  std::array<char, 64 * 1024> buffer;
  while (!gone_ && events_.empty()) {
    ssize_t got = receive_some(buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return on_gone();
    incoming_.append(buffer.data(), static_cast<size_t>(got));
    const TimePoint now = SystemClock().now().mono;
    while (auto frame = incoming_.next()) {
      launch_wire::Report report;
      if (!launch_wire::read_report(*frame, report) || !attach_pipes(report)) return on_gone();
      if (report.event) {
        report.event->ago = std::max(now - report.at, Duration::zero());
        events_.push_back(std::move(*report.event));
      } else {
        log_.push_back(std::move(report.log));
      }
    }
    if (incoming_.broken()) return on_gone();
  }
}

void LauncherClient::on_gone() {
  gone_ = true;
  // Nothing more comes from there: an end of file would keep the descriptor readable for ever.
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket_.get(), nullptr);
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kLauncherGone;
  events_.push_back(event);
}

std::vector<std::string> LauncherClient::take_log() {
  return std::exchange(log_, {});
}

}  // namespace hq
