#include "hq/os/notice_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <map>

#include "hq/base/random.h"
#include "hq/base/small_files.h"
#include "hq/base/unique_fd.h"

namespace hq {

namespace {

constexpr size_t kMostConnections = 128;
constexpr size_t kMostHeader = 80;  // "TOKEN LENGTH\n"
constexpr std::string_view kTaken = "ok\n";

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return os_error(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> local_socket(int flags) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd.valid()) return os_error(errno);
  return fd;
}

// One connection, until its message is complete and answered.
struct Speaker {
  UniqueFd fd;
  std::string bytes;
};

enum class Reading { kMore, kComplete, kBroken };

// What has come of "TOKEN LENGTH\n" and the text.
Reading look_at(const std::string& bytes, LocalNotice& notice) {
  const size_t line = bytes.find('\n');
  if (line == std::string::npos) return bytes.size() > kMostHeader ? Reading::kBroken : Reading::kMore;
  const size_t blank = bytes.find(' ');
  if (line > kMostHeader || blank >= line) return Reading::kBroken;
  size_t length = 0;
  const char* end = bytes.data() + line;
  const auto [parsed, error] = std::from_chars(bytes.data() + blank + 1, end, length);
  if (error != std::errc() || parsed != end || length > kMostNoticeBytes) return Reading::kBroken;
  const size_t had = bytes.size() - line - 1;
  if (had < length) return Reading::kMore;
  if (had > length) return Reading::kBroken;
  notice.token = bytes.substr(0, blank);
  notice.text = bytes.substr(line + 1);
  return Reading::kComplete;
}

bool is_our_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

class NoticeSocket final : public LocalNoticeSocket {
 public:
  NoticeSocket(std::string path, UniqueFd listener, UniqueFd poll)
      : path_(std::move(path)), listener_(std::move(listener)), poll_(std::move(poll)) {
    watch(listener_.get());
  }
  NoticeSocket(const NoticeSocket&) = delete;
  NoticeSocket& operator=(const NoticeSocket&) = delete;
  ~NoticeSocket() override { (void)::unlink(path_.c_str()); }

  void take_in() override {
    std::array<epoll_event, 64> events;
    const int ready = ::epoll_wait(poll_.get(), events.data(), int(events.size()), 0);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[size_t(i)].data.fd;
      if (fd == listener_.get()) {
        accept_waiting();
      } else {
        read_from(fd);
      }
    }
  }
  std::optional<LocalNotice> next() override {
    if (complete_.empty()) return std::nullopt;
    LocalNotice notice = std::move(complete_.front());
    complete_.pop_front();
    return notice;
  }
  void confirm(LocalNoticeId id) override {
    const auto found = unanswered_.find(id);
    if (found == unanswered_.end()) return;
    // It fits into any socket; who does not wait for it any more does without.
    (void)::send(found->second.get(), kTaken.data(), kTaken.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    refuse(id);
  }
  void refuse(LocalNoticeId id) override {
    unanswered_.erase(id);
    if (paused_ && open() < kMostConnections) {
      paused_ = false;
      watch(listener_.get());
    }
  }
  [[nodiscard]] int event_fd() const override { return poll_.get(); }
  [[nodiscard]] const std::string& path() const override { return path_; }

 private:
  [[nodiscard]] size_t open() const { return speakers_.size() + unanswered_.size(); }
  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    (void)::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  void unwatch(int fd) { (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  void accept_waiting() {
    while (true) {
      if (open() >= kMostConnections && order_.empty()) {
        // All of them wait for us: the next ones wait in the kernel.
        paused_ = true;
        unwatch(listener_.get());
        return;
      }
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd.valid()) return;
      if (!is_our_user(fd.get())) continue;
      const int number = fd.get();
      watch(number);
      order_.push_back(number);
      speakers_[number].fd = std::move(fd);
      while (open() > kMostConnections && order_.size() > 1) give_up_oldest();
    }
  }

  // It has connected and not said its message by now.
  void give_up_oldest() {
    const int fd = order_.front();
    read_from(fd);
    if (speakers_.contains(fd)) drop(fd);
  }
  void drop(int fd) {
    std::erase(order_, fd);
    speakers_.erase(fd);
  }

  void read_from(int fd) {
    const auto found = speakers_.find(fd);
    if (found == speakers_.end()) return;
    Speaker& speaker = found->second;
    std::array<char, kMostHeader + kMostNoticeBytes + 1> buffer;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return drop(fd);
    speaker.bytes.append(buffer.data(), size_t(got));
    LocalNotice notice;
    switch (look_at(speaker.bytes, notice)) {
      case Reading::kMore:
        return;
      case Reading::kBroken:
        return drop(fd);
      case Reading::kComplete:
        break;
    }
    unwatch(fd);
    notice.id = LocalNoticeId(++last_);
    unanswered_.emplace(notice.id, std::move(speaker.fd));
    drop(fd);
    complete_.push_back(std::move(notice));
  }

  const std::string path_;
  const UniqueFd listener_;
  const UniqueFd poll_;
  bool paused_ = false;  // the listener is not watched
  std::map<int, Speaker> speakers_;
  std::deque<int> order_;  // of the speakers, as they came
  std::deque<LocalNotice> complete_;
  std::map<LocalNoticeId, UniqueFd> unanswered_;
  uint64_t last_ = 0;
};

Result<UniqueFd> listen_at(const std::string& path) {
  auto address = address_of(path);
  if (!address) return address.error();
  auto fd = local_socket(SOCK_NONBLOCK);
  if (!fd) return fd;
  // Before it has a name: nobody else ever finds it open.
  if (::fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0) return os_error(errno);
  if (::bind(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return os_error(errno);
  if (::listen(fd->get(), int(kMostConnections)) != 0) {
    const int failed = errno;
    (void)::unlink(path.c_str());
    return os_error(failed);
  }
  return fd;
}

Error io_error(int errnum) {
  return Error("IO error: " + os_error_text(errnum));
}

}  // namespace

Result<std::unique_ptr<LocalNoticeSocket>> open_local_notices(const std::string& directory) {
  SystemRandom random;
  const std::string name = "/hq-lc-" + random.alphanumeric(8);
  std::string path = directory + name;
  if (!address_of(path)) path = "/tmp" + name;
  const auto failed = [&](Error why) {
    return std::move(why).with_context("Cannot listen to tasks at '" + path + "'");
  };
  UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll.valid()) return failed(os_error(errno));
  auto listener = listen_at(path);
  if (!listener) return failed(listener.error());
  return std::unique_ptr<LocalNoticeSocket>(
      std::make_unique<NoticeSocket>(path, std::move(*listener), std::move(poll)));
}

Result<void> say_notice(const std::string& path, std::string_view token, std::string_view text) {
  auto address = address_of(path);
  if (!address) return Error("IO error: " + address.error().message);
  auto fd = local_socket(0);
  if (!fd) return Error("IO error: " + fd.error().message);
  if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return io_error(errno);
  std::string said(token);
  said += " " + std::to_string(text.size()) + "\n";
  said += text;
  // One small message: it goes as a whole, or the other side has gone.
  if (::send(fd->get(), said.data(), said.size(), MSG_NOSIGNAL) != ssize_t(said.size()))
    return io_error(errno);
  std::string answer;
  std::array<char, 16> buffer;
  while (answer.size() < kTaken.size()) {
    const ssize_t got = ::recv(fd->get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != ECONNRESET) return io_error(errno);
    if (got <= 0) return Error("Unexpected end of stream");
    answer.append(buffer.data(), size_t(got));
  }
  if (answer != kTaken) return Error("Unexpected end of stream");
  return {};
}

}  // namespace hq
