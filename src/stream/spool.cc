#include "hq/stream/spool.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "hq/base/mailbox.h"
#include "stream/file_keeper.h"
#include "stream/lane.h"
#include "stream/log_keeper.h"

namespace hq {

namespace {

constexpr Duration kCloseWait = 5s;
// More places than this lose their thread while no task streams there; the next task begins a new file.
constexpr size_t kMostPlaces = 64;

class ThreadedSpool final : public Spool {
 public:
  ThreadedSpool(const SpoolOptions& options, std::shared_ptr<Mailbox<OutputEvent>> mailbox)
      : options_(options),
        mailbox_(std::move(mailbox)),
        link_(std::make_shared<LogLink>([mailbox = mailbox_] { mailbox->wake(); })) {}
  ThreadedSpool(const ThreadedSpool&) = delete;
  ThreadedSpool& operator=(const ThreadedSpool&) = delete;
  ~ThreadedSpool() override {
    link_->close();
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
    tasks_.emplace(id, Task{lane, key});
    if (lane != nullptr) ++use_[lane].tasks;
    if (lane != nullptr) return lane->start({id, key, {std::move(out), std::move(err)}});
    mailbox_->put({{id, "Streaming: Cannot start a thread for the output: " + os_error_text(EAGAIN), 0}});
  }
  void end(OutputId id) override {
    auto found = tasks_.find(id);
    if (found != tasks_.end() && found->second.lane != nullptr) found->second.lane->end(id, false);
  }
  void cut(OutputId id) override {
    auto found = tasks_.find(id);
    if (found == tasks_.end()) return;
    if (found->second.lane != nullptr) found->second.lane->end(id, true);
    forget(found->second);
    tasks_.erase(found);
  }

  std::optional<OutputEvent> next_event() override {
    while (auto event = next_from_lanes()) {
      const auto task = tasks_.find(event->id);
      if (task == tasks_.end()) continue;  // it was cut or has failed: there is nothing more to say
      if (!event->failure && link_->holds(event->after_packet)) {
        waiting_[event->after_packet].push_back(event->id);
        continue;
      }
      forget(task->second);
      tasks_.erase(task);
      event->after_packet = 0;
      return event;
    }
    return std::nullopt;
  }
  [[nodiscard]] int event_fd() const override { return mailbox_->event_fd(); }

  [[nodiscard]] bool has_packets() override { return link_->has_packets(); }
  std::optional<OutputPacket> next_packet() override { return link_->next_packet(); }
  void on_resumed(uint64_t last, const std::vector<uint64_t>& pending) override {
    for (uint64_t number : link_->unconfirmed(last)) {
      if (std::find(pending.begin(), pending.end(), number) == pending.end()) on_kept(number, {});
    }
    link_->send_again(last);
  }
  void on_kept(uint64_t number, const std::vector<PacketFailure>& failures) override {
    const auto job = link_->on_kept(number);
    if (!job) return;
    for (const PacketFailure& failure : failures) fail({*job, failure.task, failure.instance}, failure.why);
    const auto waiting = waiting_.extract(number);
    if (waiting.empty()) return;
    for (OutputId id : waiting.mapped()) tell({id, std::nullopt, 0});
  }
  void set_window(uint64_t bytes) override { link_->set_window(bytes); }
  void abandon() override {
    link_->close();
    for (const auto& [packet, ids] : std::exchange(waiting_, {})) {
      for (OutputId id : ids) tell({id, std::nullopt, 0});
    }
  }

 private:
  struct Task {
    Lane* lane = nullptr;
    StreamKey key;
  };

  struct Use {
    size_t tasks = 0;
    uint64_t last = 0;
  };

  void forget(const Task& task) {
    if (task.lane != nullptr) --use_[task.lane].tasks;
  }

  // The one that has been idle longest, if there are too many.
  void close_idle_lane() {
    if (lanes_.size() < kMostPlaces) return;
    auto oldest = lanes_.end();
    for (auto lane = lanes_.begin(); lane != lanes_.end(); ++lane) {
      const Use& use = use_[lane->second.get()];
      if (use.tasks > 0) continue;
      if (oldest == lanes_.end() || use.last < use_[oldest->second.get()].last) oldest = lane;
    }
    if (oldest == lanes_.end()) return;
    oldest->second->close();
    use_.erase(oldest->second.get());
    lanes_.erase(oldest);
  }

  Lane* lane_of(const OutputPlace& place) {
    if (!lanes_.contains(place)) close_idle_lane();
    auto& lane = lanes_[place];
    if (!lane) {
      std::unique_ptr<Keeper> keeper;
      if (place.directory.empty()) {
        keeper = std::make_unique<LogKeeper>(place, link_);
      } else {
        keeper = std::make_unique<FileKeeper>(place, options_.zstd_level);
      }
      auto fresh = std::make_shared<Lane>(
          std::move(keeper),
          [mailbox = mailbox_](std::vector<OutputEvent> events) { mailbox->put(std::move(events)); });
      if (fresh->run()) lane = std::move(fresh);
    }
    if (lane) {
      use_[lane.get()].last = ++uses_;
      return lane.get();
    }
    lanes_.erase(place);
    return nullptr;
  }

  // The server can't keep its output: the lane need not read more.
  void fail(const StreamKey& key, const std::string& why) {
    for (const auto& [id, task] : tasks_) {
      if (task.key != key) continue;
      if (task.lane != nullptr) task.lane->end(id, true);
      tell({id, why, 0});
    }
  }

  void tell(OutputEvent event) {
    taken_.push_back(std::move(event));
    mailbox_->wake();
  }
  std::optional<OutputEvent> next_from_lanes() {
    if (taken_.empty()) mailbox_->take(taken_);
    if (taken_.empty()) return std::nullopt;
    OutputEvent event = std::move(taken_.front());
    taken_.pop_front();
    return event;
  }

  const SpoolOptions options_;
  const std::shared_ptr<Mailbox<OutputEvent>> mailbox_;
  const std::shared_ptr<LogLink> link_;
  std::map<OutputPlace, std::shared_ptr<Lane>> lanes_;
  std::unordered_map<const Lane*, Use> use_;
  uint64_t uses_ = 0;
  std::unordered_map<OutputId, Task> tasks_;
  std::map<uint64_t, std::vector<OutputId>> waiting_;  // for the confirmation of a packet
  std::deque<OutputEvent> taken_;
};

}  // namespace

Result<std::unique_ptr<Spool>> make_spool(const SpoolOptions& options) {
  auto mailbox = Mailbox<OutputEvent>::make();
  if (!mailbox) return std::move(mailbox.error()).with_context("Cannot watch the output of tasks");
  return std::unique_ptr<Spool>(std::make_unique<ThreadedSpool>(options, std::move(*mailbox)));
}

}  // namespace hq
