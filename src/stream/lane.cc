#include "stream/lane.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hq/base/result.h"
#include "hq/base/signals_blocked.h"

namespace hq {

namespace {

constexpr size_t kBurst = 256 * 1024;  // from one pipe, before the others have their turn
constexpr int kWidePipe = 1024 * 1024;
constexpr int kRestAfterMs = 1000;
constexpr size_t kLaneStack = 256 * 1024;

uint64_t ticket(OutputId id, OutputChannel channel) {
  return id.value << 1 | uint64_t(channel);
}

}  // namespace

Lane::Lane(std::unique_ptr<Keeper> keeper, Tell tell)
    : keeper_(std::move(keeper)),
      tell_(std::move(tell)),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool Lane::run() {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = UINT64_MAX;
  if (!poll_.valid() || !wake_.valid() || ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    return false;
  }
  auto self = std::make_unique<std::shared_ptr<Lane>>(shared_from_this());
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kLaneStack);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals are for the thread that decides.
  const SignalsBlocked blocked;
  pthread_t thread;
  auto body = [](void* argument) -> void* {
    std::unique_ptr<std::shared_ptr<Lane>> lane(static_cast<std::shared_ptr<Lane>*>(argument));
    (*lane)->work();
    return nullptr;
  };
  const bool runs = ::pthread_create(&thread, &attributes, body, self.get()) == 0;
  pthread_attr_destroy(&attributes);
  if (runs) (void)self.release();
  return runs;
}

// --- from outside -----------------------------------------------------------------------------------------

void Lane::command(Command command) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(command));
    wake = std::exchange(sleeping_, false);
  }
  const uint64_t one = 1;
  if (wake) [[maybe_unused]]
    ssize_t put = ::write(wake_.get(), &one, sizeof one);
}

void Lane::start(Task task) {
  const OutputId id = task.id;
  command({Command::Kind::kStart, id, std::move(task)});
}

void Lane::end(OutputId id, bool cut) {
  command({cut ? Command::Kind::kCut : Command::Kind::kEnd, id, {}});
}

void Lane::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    sleeping_ = false;
  }
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t put = ::write(wake_.get(), &one, sizeof one);
}

bool Lane::wait_closed(Duration most) {
  std::unique_lock lock(mutex_);
  return closed_wake_.wait_for(lock, most, [&] { return closed_; });
}

// --- the thread -------------------------------------------------------------------------------------------

void Lane::work() {
  while (turn()) {
  }
  keeper_->rest(true);
  std::lock_guard lock(mutex_);
  closed_ = true;
  closed_wake_.notify_all();
}

bool Lane::turn() {
  bool closing = false;
  bool may_sleep = false;
  std::vector<Command> commands;
  {
    std::lock_guard lock(mutex_);
    commands.swap(inbox_);
    closing = closing_;
    may_sleep = commands.empty() && !closing && !more_;
    sleeping_ = may_sleep;
  }
  now_ = clock_.now().wall;
  for (Command& command : commands) {
    take(command);
    if (keeper_->full()) flush();
  }
  if (commands.empty() || watched_ > 0) read_ready(may_sleep);
  // What has ended by now needed no watching.
  for (OutputId id : std::exchange(fresh_, {})) {
    if (auto found = streams_.find(id); found != streams_.end()) watch(found->second);
  }
  if (!more_ || keeper_->full() || !ended_.empty()) flush();
  if (!events_.empty()) tell_(std::exchange(events_, {}));
  if (!closing) return true;
  std::lock_guard lock(mutex_);
  return !inbox_.empty();
}

void Lane::take(Command& command) {
  if (command.kind == Command::Kind::kStart) {
    if (auto failure = keeper_->open()) {
      events_.push_back({command.id, failure->why, 0});
      return;
    }
    Stream& stream = streams_[command.id];
    stream.id = command.id;
    stream.key = command.task.key;
    for (size_t i = 0; i < kOutputChannels; ++i) {
      stream.fds[i] = std::move(command.task.fds[i]);
      stream.ours[i] = stream.fds[i].valid();
    }
    by_key_[stream.key] = stream.id;
    fresh_.push_back(stream.id);
    return;
  }
  auto found = streams_.find(command.id);
  if (found == streams_.end()) return;  // it has failed, which was told
  const bool cut = command.kind == Command::Kind::kCut;
  finish(found->second, cut);
  unwatch(found->second);
  // Until it is written the key leads here, so that a failure finds it; nobody waits for one that was cut.
  if (!cut) ended_.emplace_back(command.id, found->second.key);
  if (cut) by_key_.erase(found->second.key);
  streams_.erase(command.id);
}

// Those that were ready and had no turn are still so, and come before any other has one again.
void Lane::read_ready(bool may_sleep) {
  if (next_ready_ == ready_count_) poll_ready(may_sleep);
  more_ = false;
  while (next_ready_ < ready_count_) {
    if (keeper_->full()) {
      more_ = true;
      return;
    }
    read_from(ready_[next_ready_++].data.u64);
  }
}

void Lane::poll_ready(bool may_sleep) {
  const int wait = !may_sleep ? 0 : rested_ || !streams_.empty() ? -1 : kRestAfterMs;
  const int count = ::epoll_wait(poll_.get(), ready_.data(), int(ready_.size()), wait);
  next_ready_ = 0;
  ready_count_ = size_t(std::max(count, 0));
  if (count == 0 && wait > 0) {
    keeper_->rest(false);
    rested_ = true;
  }
  if (wait != 0) now_ = clock_.now().wall;
}

void Lane::read_from(uint64_t which) {
  if (which == UINT64_MAX) {
    uint64_t number = 0;
    [[maybe_unused]] ssize_t got = ::read(wake_.get(), &number, sizeof number);
    return;
  }
  auto found = streams_.find(OutputId(which >> 1));
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  const auto channel = OutputChannel(which & 1);
  if (!read_once(stream, channel)) return;
  more_ = true;
  if (!stream.wide) {  // it writes fast: let it do so in larger pieces, where the kernel allows
    stream.wide = true;
    for (const UniqueFd& fd : stream.fds) {
      if (fd.valid()) (void)::fcntl(fd.get(), F_SETPIPE_SZ, kWidePipe);
    }
  }
  for (size_t total = kMaxChunk; total < kBurst && !keeper_->full(); total += kMaxChunk) {
    if (rest_in(stream, channel) < kMaxChunk || !read_once(stream, channel)) return;
  }
}

// REQUIRES: something is there, or the other end is closed. True: there may be more.
bool Lane::read_once(Stream& stream, OutputChannel channel) {
  UniqueFd& fd = stream.fds[size_t(channel)];
  if (!fd.valid()) return false;
  const std::span<char> room = keeper_->room(kMaxChunk);
  ssize_t got = 0;
  do {
    got = ::read(fd.get(), room.data(), room.size());
  } while (got < 0 && errno == EINTR);
  rested_ = false;
  if (got <= 0) {
    // Its end is marked when the task has ended.
    if (stream.watched) ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
    fd.reset();
    return false;
  }
  keeper_->put({stream.key, channel, 0, now_}, size_t(got));
  return size_t(got) == room.size();
}

size_t Lane::rest_in(const Stream& stream, OutputChannel channel) const {
  const UniqueFd& fd = stream.fds[size_t(channel)];
  int bytes = 0;
  if (!fd.valid() || ::ioctl(fd.get(), FIONREAD, &bytes) != 0) return 0;
  return size_t(std::max(bytes, 0));
}

// The last `bytes` of a channel, with its end mark on the last record.
void Lane::put_rest(Stream& stream, OutputChannel channel, size_t bytes, uint8_t flags) {
  do {
    const std::span<char> room = keeper_->room(std::min<size_t>(bytes, kMaxChunk));
    size_t got = 0;
    while (got < room.size()) {
      const ssize_t now = ::read(stream.fds[size_t(channel)].get(), room.data() + got, room.size() - got);
      if (now < 0 && errno == EINTR) continue;
      if (now <= 0) break;
      got += size_t(now);
    }
    bytes = got < room.size() ? 0 : bytes - got;
    keeper_->put({stream.key, channel, bytes == 0 ? flags : uint8_t(0), now_}, got);
  } while (bytes > 0);
}

void Lane::finish(Stream& stream, bool cut) {
  constexpr auto kOut = OutputChannel::kStdout;
  constexpr auto kErr = OutputChannel::kStderr;
  const uint8_t end = uint8_t(kChannelEnds | (cut ? kCutShort : 0));
  const std::array<size_t, 2> rest{rest_in(stream, kOut), rest_in(stream, kErr)};
  auto silent = [&](OutputChannel channel) {
    return rest[size_t(channel)] == 0 && keeper_->length(stream.key, channel) == 0;
  };
  const bool out_silent = silent(kOut);
  const bool err_silent = silent(kErr);
  if (!out_silent && !err_silent) {
    put_rest(stream, kOut, rest[0], end);
    put_rest(stream, kErr, rest[1], end);
  } else {
    const OutputChannel only = !err_silent || !stream.ours[0] ? kErr : kOut;
    put_rest(stream, only, rest[size_t(only)], uint8_t(end | kOtherEmpty));
  }
  rested_ = false;
}

void Lane::watch(Stream& stream) {
  stream.watched = true;
  ++watched_;
  for (size_t i = 0; i < kOutputChannels; ++i) {
    if (!stream.fds[i].valid()) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = ticket(stream.id, OutputChannel(i));
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, stream.fds[i].get(), &event) != 0) {
      return fail({stream.key}, false, "Streaming: Cannot watch the output: " + os_error_text(errno));
    }
  }
}

// Closing is not enough: a process that is just being spawned may hold a copy of the descriptor.
void Lane::unwatch(Stream& stream) {
  if (!stream.watched) return;
  stream.watched = false;
  --watched_;
  for (const UniqueFd& fd : stream.fds) {
    if (fd.valid()) ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  }
}

void Lane::drop(OutputId id) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  unwatch(found->second);
  streams_.erase(found);
}

void Lane::fail(const std::vector<StreamKey>& lost, bool all, const std::string& why) {
  std::vector<OutputId> ids;
  for (const StreamKey& key : lost) {
    auto found = by_key_.find(key);
    if (found != by_key_.end()) ids.push_back(found->second);
  }
  if (all) {
    for (const auto& [id, stream] : streams_) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (OutputId id : ids) {
    events_.push_back({id, why, 0});
    std::erase_if(ended_, [&](const auto& item) { return item.first == id; });
    drop(id);
  }
  std::erase_if(by_key_,
                [&](const auto& item) { return std::binary_search(ids.begin(), ids.end(), item.second); });
}

void Lane::flush() {
  if (auto failure = keeper_->flush()) fail(failure->lost, failure->all, failure->why);
  for (const auto& [id, key] : std::exchange(ended_, {})) {
    by_key_.erase(key);
    events_.push_back({id, std::nullopt, keeper_->handed_over()});
  }
}

}  // namespace hq
