// A simulated machine: its clock, one life of a worker after the other, and the processes of its tasks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "hq/base/random.h"
#include "hq/worker/worker.h"
#include "sim/output.h"
#include "support/fake_meter.h"
#include "support/fake_notices.h"
#include "support/fake_peek.h"
#include "support/fake_process.h"

namespace hq::sim {

class World;
struct RunningProcess;

// Off by up to an hour; the wall clock may step, the monotonic one never does.
struct MachineClock {
  Duration mono_offset{0};
  Duration wall_offset{0};
  [[nodiscard]] Now at(TimePoint time) const {
    const Duration since = time.time_since_epoch();
    return {time + mono_offset, WallTime{1'700'000'000'000'000'000 + (since + wall_offset).count()}};
  }
};

// How programs behave; the arguments of a task name one (World::program).
struct ProgramModel {
  Duration shortest = 1ms;
  Duration longest = 20ms;
  double fails = 0;    // chance of exit code 1
  double ignores = 0;  // chance of not obeying SIGINT
  double no_exec = 0;  // chance that it can't be started
};

class Machine {
 public:
  Machine(World& world, uint32_t index, uint32_t cpus, MachineClock clock);

  // When it wants its next turn; nothing when it is dead or frozen for good.
  [[nodiscard]] std::optional<TimePoint> wake_at() const;
  // Something may have come in.
  void wake(TimePoint time);
  void turn();

  void power_on();             // the first or next life of its worker
  void kill();                 // SIGKILL of the worker; its launcher ends the tasks
  void terminate();            // SIGTERM
  void freeze(Duration time);  // SIGSTOP, SIGCONT
  void kill_launcher();
  // From now on every program fails there within milliseconds: a mount is dead.
  void set_broken(bool broken) { broken_ = broken; }
  void step_clock(Duration by) { clock_.wall_offset += by; }
  void set_hangs(double chance, Duration most) {
    hang_chance_ = chance;
    longest_hang_ = most;
  }
  [[nodiscard]] bool alive() const { return worker_ != nullptr; }
  [[nodiscard]] uint32_t index() const { return index_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  // Of its worker as a server knows it; nothing before it is registered.
  [[nodiscard]] std::optional<Worker::Registration> registration() const { return registration_; }
  [[nodiscard]] WorkerConfig config() const { return config_; }

 private:
  struct Fate {  // what will become of a launch
    bool planned = false;
    bool stop_planned = false;
    TimePoint began{};
    double chance_to_ignore = 0;
    uint64_t process = 0;
  };

  void look_at_processes();
  void plan_begin(LaunchId id);
  void begin(LaunchId id);
  void end(LaunchId id, int32_t code, int32_t signal);
  // In this life of the worker only.
  void in(Duration delay, std::function<void()> action);
  void on_fence();
  void bury();
  [[nodiscard]] WorkerConfig make_config();
  [[nodiscard]] ResourceDescriptor make_resources();
  void note_held(const ResourceItem& item, std::string labels, const std::string& request,
                 RunningProcess& process) const;
  [[nodiscard]] const ProgramModel& model_of(LaunchId id) const;
  [[nodiscard]] static std::string env_of(const LaunchRequest& request, const LaunchTemplate& base,
                                          const std::string& name);

  World& world_;
  uint32_t index_;
  std::string name_;
  uint32_t cpus_;
  MachineClock clock_;
  WorkerConfig config_;
  uint32_t life_ = 0;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<test::FakeProcesses> processes_;
  std::unique_ptr<SimOutput> output_;
  std::unique_ptr<test::FakePeek> peek_;
  test::FakeNotices notices_;
  test::FakeMeter meter_;
  std::unique_ptr<Worker> worker_;
  std::optional<Worker::Registration> registration_;
  std::map<LaunchId, Fate> fates_;
  std::optional<TimePoint> wake_at_;
  TimePoint frozen_until_{};
  uint64_t fence_number_ = 0;
  bool fenced_ = false;
  bool broken_ = false;
  double hang_chance_ = 0;
  Duration longest_hang_{0};
};

}  // namespace hq::sim
