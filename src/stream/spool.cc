#include "hq/stream/spool.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>

#include "stream/file_keeper.h"
#include "stream/lane.h"

namespace hq {

namespace {

constexpr Duration kCloseWait = 5s;

// What the lanes tell; outlives the spool if one of them hangs.
struct Mailbox {
  explicit Mailbox(UniqueFd descriptor) : fd(std::move(descriptor)) {}
  const UniqueFd fd;
  std::mutex mutex;
  std::deque<OutputEvent> events;

  void add(std::vector<OutputEvent> more) {
    bool wake = false;
    {
      std::lock_guard lock(mutex);
      wake = events.empty();
      events.insert(events.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    const uint64_t one = 1;
    if (wake) [[maybe_unused]]
      ssize_t put = ::write(fd.get(), &one, sizeof one);
  }
};

class ThreadedSpool final : public Spool {
 public:
  ThreadedSpool(const SpoolOptions& options, std::shared_ptr<Mailbox> mailbox)
      : options_(options), mailbox_(std::move(mailbox)) {}
  ThreadedSpool(const ThreadedSpool&) = delete;
  ThreadedSpool& operator=(const ThreadedSpool&) = delete;
  ~ThreadedSpool() override {
    for (auto& [place, lane] : lanes_) lane->close();
    const auto until = std::chrono::steady_clock::now() + kCloseWait;
    for (auto& [place, lane] : lanes_) {
      (void)lane->wait_closed(std::max<Duration>(until - std::chrono::steady_clock::now(), 0ns));
    }
  }

  [[nodiscard]] bool has_room() const override { return tasks_.size() < options_.max_tasks; }

  void start(OutputId id, const OutputPlace& place, const StreamKey& key, UniqueFd out,
             UniqueFd err) override {
    Lane* lane = lane_of(place);
    if (lane == nullptr) {
      mailbox_->add({{id, "Streaming: Cannot start a thread for the output: " + os_error_text(EAGAIN)}});
      return;
    }
    tasks_.emplace(id, lane);
    lane->start({id, key, {std::move(out), std::move(err)}});
  }
  void end(OutputId id) override {
    if (auto found = tasks_.find(id); found != tasks_.end()) found->second->end(id, false);
  }
  void cut(OutputId id) override {
    auto found = tasks_.find(id);
    if (found == tasks_.end()) return;
    found->second->end(id, true);
    tasks_.erase(found);
  }

  std::optional<OutputEvent> next_event() override {
    while (auto event = next_from_lanes()) {
      // One that was cut meanwhile waits for nothing.
      if (tasks_.erase(event->id) > 0 || event->failure) return event;
    }
    return std::nullopt;
  }
  [[nodiscard]] int event_fd() const override { return mailbox_->fd.get(); }

 private:
  Lane* lane_of(const OutputPlace& place) {
    auto& lane = lanes_[place];
    if (!lane) {
      auto fresh = std::make_shared<Lane>(
          std::make_unique<FileKeeper>(place, options_.zstd_level),
          [mailbox = mailbox_](std::vector<OutputEvent> events) { mailbox->add(std::move(events)); });
      if (fresh->run()) lane = std::move(fresh);
    }
    if (lane) return lane.get();
    lanes_.erase(place);
    return nullptr;
  }

  std::optional<OutputEvent> next_from_lanes() {
    if (taken_.empty()) {
      std::lock_guard lock(mailbox_->mutex);
      if (mailbox_->events.empty()) return std::nullopt;
      taken_.swap(mailbox_->events);
      uint64_t number = 0;
      [[maybe_unused]] ssize_t got = ::read(mailbox_->fd.get(), &number, sizeof number);
    }
    OutputEvent event = std::move(taken_.front());
    taken_.pop_front();
    return event;
  }

  const SpoolOptions options_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::map<OutputPlace, std::shared_ptr<Lane>> lanes_;
  std::unordered_map<OutputId, Lane*> tasks_;
  std::deque<OutputEvent> taken_;
};

}  // namespace

Result<std::unique_ptr<Spool>> make_spool(const SpoolOptions& options) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return os_error(errno).with_context("Cannot watch the output of tasks");
  return std::unique_ptr<Spool>(
      std::make_unique<ThreadedSpool>(options, std::make_shared<Mailbox>(std::move(fd))));
}

}  // namespace hq
