#include "hq/os/meter_thread.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "hq/base/signals_blocked.h"
#include "hq/base/unique_fd.h"

namespace hq {

namespace {

// Shared with the thread; outlives the meter if a tool hangs.
struct MeterRoom {
  explicit MeterRoom(UniqueFd descriptor) : fd(std::move(descriptor)) {}
  const UniqueFd fd;
  std::mutex mutex;
  std::condition_variable wake;
  bool wanted = false;
  bool closed = false;
  std::optional<HardwareOverview> measured;

  void work(HardwareMonitor monitor) {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return closed || wanted; });
      if (closed) return;
      lock.unlock();
      HardwareOverview overview = monitor.sample();
      lock.lock();
      wanted = false;
      measured = std::move(overview);
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t put = ::write(fd.get(), &one, sizeof one);
    }
  }
};

class Meter final : public MeterThread {
 public:
  Meter(std::shared_ptr<MeterRoom> room, HardwareMonitor::Families families)
      : room_(std::move(room)), families_(families) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter() override {
    std::lock_guard lock(room_->mutex);
    room_->closed = true;
    room_->wake.notify_all();
  }
  void ask() override {
    if (!started_) {
      started_ = true;
      // Signals are for the thread that decides.
      const SignalsBlocked blocked;
      std::thread([room = room_, families = families_] {
        room->work(HardwareMonitor("", families));
      }).detach();
    }
    std::lock_guard lock(room_->mutex);
    room_->wanted = true;
    room_->wake.notify_one();
  }
  std::optional<HardwareOverview> take() override {
    std::lock_guard lock(room_->mutex);
    if (!room_->measured) return std::nullopt;
    uint64_t number = 0;
    [[maybe_unused]] const ssize_t got = ::read(room_->fd.get(), &number, sizeof number);
    return std::exchange(room_->measured, std::nullopt);
  }
  [[nodiscard]] int event_fd() const override { return room_->fd.get(); }

 private:
  const std::shared_ptr<MeterRoom> room_;
  const HardwareMonitor::Families families_;
  bool started_ = false;
};

}  // namespace

Result<std::unique_ptr<MeterThread>> make_meter_thread(HardwareMonitor::Families families) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return os_error(errno).with_context("Cannot watch how busy the machine is");
  return std::unique_ptr<MeterThread>(
      std::make_unique<Meter>(std::make_shared<MeterRoom>(std::move(fd)), families));
}

}  // namespace hq
