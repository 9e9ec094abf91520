#include "hq/stream/output_peek.h"
#include "hq/base/signals_blocked.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "hq/base/unique_fd.h"
#include "hq/stream/catalog.h"
#include "stream/file_bytes.h"

namespace hq {

namespace {

constexpr size_t kMostThreads = 16;  // as long as some of them hang
constexpr uint32_t kMostBytes = 1024 * 1024;

void choose(const PeekRange& range, Peeked& peeked) {
  peeked.position =
      range.from_end ? peeked.length - std::min<uint64_t>(peeked.length, range.most) : range.position;
}

void peek_file(const std::string& path, const PeekRange& range, Peeked& peeked) {
  // Without waiting: somebody may have put a FIFO there.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    peeked.errnum = errno;
    return;
  }
  if (!S_ISREG(info.st_mode)) {
    peeked.errnum = EINVAL;
    return;
  }
  peeked.length = uint64_t(info.st_size);
  choose(range, peeked);
  peeked.bytes.resize(range.most);
  const ssize_t got = read_at(fd.get(), peeked.bytes.data(), peeked.bytes.size(), peeked.position);
  if (got < 0) peeked.errnum = errno;
  peeked.bytes.resize(size_t(std::max<ssize_t>(got, 0)));
  peeked.length = std::max(peeked.length, peeked.position + peeked.bytes.size());
}

// Reads no more than what is wanted and what it needs to find it.
void peek_stream(const OutputFileReader& file, const IndexEntry& entry, OutputChannel channel,
                 const PeekRange& range, Peeked& peeked) {
  peeked.length = entry.length[size_t(channel)];
  choose(range, peeked);
  auto damages = file.read(
      entry, channel,
      [&](BytesView bytes) {
        peeked.bytes.append(bytes.substr(0, range.most - std::min<size_t>(range.most, peeked.bytes.size())));
      },
      peeked.position, range.most);
  if (!damages || !damages->empty()) peeked.errnum = EIO;
}

int peek_files(std::vector<OutputFileReader>& files, const PeekTarget& target, const PeekRange& range,
               Peeked& peeked) {
  for (const OutputFileReader& file : files) {
    if (file.header().server_uid != target.server_uid) continue;
    if (target.worker.value != 0 && file.header().worker != target.worker) continue;
    auto entries = file.find(target.key.job, target.key.task);
    if (!entries) return EIO;
    for (const IndexEntry& entry : *entries) {
      if (entry.key != target.key) continue;
      peek_stream(file, entry, target.channel, range, peeked);
      return peeked.errnum;
    }
  }
  return 0;  // nothing was written so far
}

int open_target(const PeekTarget& target, std::vector<OutputFileReader>& files) {
  struct stat info {};
  if (::stat(target.path.c_str(), &info) != 0) return errno;
  if (target.kind == PeekTarget::Kind::kDirectory) {
    auto found = open_output_directory(target.path);
    if (!found) return EIO;
    files = std::move(found->files);
    return 0;
  }
  auto file = OutputFileReader::open(target.path);
  if (!file) return EIO;
  if (*file) files.push_back(*std::move(*file));
  return 0;
}

}  // namespace

Peeked peek_now(PeekId id, const PeekTarget& target, const PeekRange& asked) {
  Peeked peeked;
  peeked.id = id;
  PeekRange range = asked;
  range.most = std::min(range.most, kMostBytes);
  if (target.kind == PeekTarget::Kind::kFile) {
    peek_file(target.path, range, peeked);
    return peeked;
  }
  std::vector<OutputFileReader> files;
  peeked.errnum = open_target(target, files);
  if (peeked.errnum == 0) peeked.errnum = peek_files(files, target, range, peeked);
  return peeked;
}

namespace {

struct Look {
  PeekId id;
  PeekTarget target;
  PeekRange range;
};

// Shared with the threads; outlives the peeker if one of them hangs.
struct PeekRoom {
  explicit PeekRoom(UniqueFd descriptor) : fd(std::move(descriptor)) {}
  const UniqueFd fd;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Look> looks;
  std::deque<Peeked> done;
  size_t threads = 0;
  size_t idle = 0;
  bool closed = false;

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      ++idle;
      wake.wait(lock, [&] { return closed || !looks.empty(); });
      --idle;
      if (looks.empty()) return;
      const Look look = std::move(looks.front());
      looks.pop_front();
      lock.unlock();
      Peeked peeked = peek_now(look.id, look.target, look.range);
      lock.lock();
      done.push_back(std::move(peeked));
      const uint64_t one = 1;
      [[maybe_unused]] ssize_t put = ::write(fd.get(), &one, sizeof one);
    }
  }
};

class ThreadedPeeker final : public OutputPeeker {
 public:
  explicit ThreadedPeeker(std::shared_ptr<PeekRoom> room) : room_(std::move(room)) {}
  ThreadedPeeker(const ThreadedPeeker&) = delete;
  ThreadedPeeker& operator=(const ThreadedPeeker&) = delete;
  ~ThreadedPeeker() override {
    std::lock_guard lock(room_->mutex);
    room_->closed = true;
    room_->looks.clear();
    room_->wake.notify_all();
  }
  void look(PeekId id, const PeekTarget& target, const PeekRange& range) override {
    std::lock_guard lock(room_->mutex);
    room_->looks.push_back({id, target, range});
    if (room_->idle < room_->looks.size() && room_->threads < kMostThreads) add_thread();
    room_->wake.notify_one();
  }
  std::optional<Peeked> next_peeked() override {
    std::lock_guard lock(room_->mutex);
    if (room_->done.empty()) return std::nullopt;
    Peeked peeked = std::move(room_->done.front());
    room_->done.pop_front();
    uint64_t number = 0;
    if (room_->done.empty()) [[maybe_unused]]
      ssize_t got = ::read(room_->fd.get(), &number, sizeof number);
    return peeked;
  }
  [[nodiscard]] int event_fd() const override { return room_->fd.get(); }

 private:
  void add_thread() {
    ++room_->threads;
    // Signals are for the thread that decides.
    const SignalsBlocked blocked;
    std::thread([room = room_] { room->work(); }).detach();
  }

  const std::shared_ptr<PeekRoom> room_;
};

}  // namespace

Result<std::unique_ptr<OutputPeeker>> make_output_peeker() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return os_error(errno).with_context("Cannot watch the output that is looked at");
  return std::unique_ptr<OutputPeeker>(
      std::make_unique<ThreadedPeeker>(std::make_shared<PeekRoom>(std::move(fd))));
}

}  // namespace hq
