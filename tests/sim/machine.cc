#include "sim/machine.h"

#include <algorithm>
#include <cmath>

#include "hq/base/assert.h"
#include "sim/world.h"

namespace hq::sim {

namespace {

constexpr Duration kRestartPause = 1500ms;
constexpr Duration kExecTime = 2ms;    // at most, of a launch that does not hang
constexpr Duration kBrokenTime = 5ms;  // at most, of a program on a broken node
constexpr Duration kObedience = 20ms;  // at most, of a program that obeys SIGINT
constexpr Duration kReaction = 100us;  // of a process to what it waits for
constexpr int32_t kSigInt = 2;
constexpr int32_t kSigKill = 9;
constexpr int32_t kSigTerm = 15;

}  // namespace

Machine::Machine(World& world, uint32_t index, uint32_t cpus, MachineClock clock)
    : world_(world), index_(index), name_(World::node_name(index)), cpus_(cpus), clock_(clock) {}

std::optional<TimePoint> Machine::wake_at() const {
  if (!worker_ || !wake_at_) return std::nullopt;
  return std::max(*wake_at_, frozen_until_);
}

void Machine::wake(TimePoint time) {
  if (worker_) wake_at_ = wake_at_ ? std::min(*wake_at_, time) : time;
}

// Some machines have their cpus in two groups; some have GPUs.
ResourceDescriptor Machine::make_resources() {
  ResourceDescriptor out;
  if (cpus_ >= 4 && (index_ == 0 || world_.random().chance(0.5))) {
    ResourceGroups groups{{{}, {}}};
    for (uint32_t cpu = 0; cpu < cpus_; ++cpu) groups.groups[cpu % 2].push_back(std::to_string(cpu));
    out.items.push_back({std::string(kCpus), std::move(groups)});
  } else {
    out.items.push_back({std::string(kCpus), ResourceSpan{0, cpus_ - 1}});
  }
  if (index_ == 0) out.items.push_back({"gpus", ResourceGroups{{{"a", "b"}, {"c", "d"}}}});
  if (index_ == 1) out.items.push_back({"gpus", ResourceList{{"x", "y"}}});
  return out;
}

// Another one in each life.
WorkerConfig Machine::make_config() {
  WorkerConfig config;
  config.hostname = name_;
  config.work_dir = "/work";
  config.heartbeat_interval = 1s;
  config.resources = make_resources();
  // Without a journal such a worker goes on with what its server, if only the connection broke, starts anew.
  if (world_.durable() && world_.random().chance(0.3)) config.on_server_lost = OnServerLost::kFinishRunning;
  if (world_.random().chance(0.1)) config.idle_timeout = world_.between(500ms, 5s);
  if (world_.random().chance(0.1)) config.time_limit = world_.between(3s, 20s);
  if (index_ > 0 && world_.random().chance(0.1)) config.min_utilization = 0.5;
  return config;
}

void Machine::power_on() {
  HQ_ASSERT(!worker_);
  config_ = make_config();
  ++life_;
  frozen_until_ = TimePoint{};
  fenced_ = false;
  ++fence_number_;
  random_ = std::make_unique<SeededRandom>(world_.random().next());
  connector_ = world_.network().make_connector(name_, World::kWorkerAddress);
  processes_ = std::make_unique<test::FakeProcesses>();
  output_ =
      std::make_unique<SimOutput>(world_.random(), [this](Duration delay, std::function<void()> action) {
        in(delay, [this, action = std::move(action)] {
          action();
          wake(world_.now() + kReaction);
        });
      });
  peek_ = std::make_unique<test::FakePeek>();
  processes_->start_alone = false;
  processes_->obeys_stop = false;
  WorkerOptions options;
  options.config = config_;
  options.version = "sim";
  options.executable = "/opt/hq";
  options.set_fence = [this](std::optional<Duration> within) {
    const uint64_t number = ++fence_number_;
    fenced_ = false;
    if (!within) return;
    in(*within, [this, number] {
      if (number == fence_number_) on_fence();
    });
  };
  worker_ = std::make_unique<Worker>(
      options, WorkerPorts{*connector_, *processes_, *output_, *peek_, *random_, notices_, meter_},
      clock_.at(world_.now()));
  wake(world_.now());
  world_.note("on", index_, life_);
}

void Machine::in(Duration delay, std::function<void()> action) {
  world_.in(delay, [this, life = life_, action = std::move(action)] {
    if (life == life_ && worker_) action();
  });
}

void Machine::turn() {
  wake_at_.reset();
  const auto next = worker_->turn(clock_.at(world_.now()));
  worker_->check_invariants();
  if (auto registered = worker_->take_registration()) registration_ = registered;
  look_at_processes();
  if (worker_->finished()) return bury();
  if (output_->has_events()) wake(world_.now() + 10us);
  if (next) wake(std::max(*next - clock_.mono_offset, world_.now() + 10us));
}

// The worker has ended in some way: its launcher takes the rest with it, and after a pause there is a new
// one.
void Machine::bury() {
  for (const auto& [id, fate] : fates_) {
    if (fate.process != 0) world_.rules().on_end(fate.process);
  }
  fates_.clear();
  worker_.reset();
  processes_.reset();
  output_.reset();
  peek_.reset();
  connector_.reset();
  registration_.reset();
  wake_at_.reset();
  world_.note("off", index_, life_);
  world_.in(kRestartPause + world_.between(0ns, kRestartPause), [this] {
    if (!worker_) power_on();
  });
}

// --- faults
// -------------------------------------------------------------------------------------------------

void Machine::kill() {
  if (!worker_) return;
  world_.note("kill", index_, life_);
  bury();
}

void Machine::terminate() {
  if (!worker_) return;
  world_.note("terminate", index_, life_);
  worker_->on_signal();
  wake(world_.now());
}

void Machine::freeze(Duration time) {
  world_.note("freeze", index_, uint64_t(time.count()));
  frozen_until_ = std::max(frozen_until_, world_.now() + time);
}

void Machine::kill_launcher() {
  if (!worker_) return;
  world_.note("launcher", index_, life_);
  for (const auto& [id, fate] : fates_) {
    if (fate.process != 0) world_.rules().on_end(fate.process);
  }
  fates_.clear();
  processes_->die();
  wake(world_.now() + kReaction);
}

void Machine::on_fence() {
  world_.note("fence", index_, life_);
  fenced_ = true;
  std::vector<LaunchId> running = processes_->running();
  std::vector<LaunchId> queued;
  for (const auto& [id, task] : processes_->tasks()) {
    if (!task.running) queued.push_back(id);
  }
  for (LaunchId id : queued) processes_->drop(id);
  processes_->flush();
  for (LaunchId id : running) {
    const bool obeys = !world_.random().chance(model_of(id).ignores);
    in(obeys ? world_.between(0ns, kObedience) : Duration(1s),
       [this, id = id, obeys] { end(id, 0, obeys ? kSigTerm : kSigKill); });
  }
  wake(world_.now() + kReaction);
}

// --- processes
// ----------------------------------------------------------------------------------------------

const ProgramModel& Machine::model_of(LaunchId id) const {
  const auto& task = processes_->tasks().at(id);
  const LaunchTemplate& base = processes_->templates().at(task.request.base);
  return world_.program_of(base.args.at(1));
}

// Plans what becomes of each launch, once per stage.
void Machine::look_at_processes() {
  std::vector<LaunchId> refused;
  for (const auto& [id, task] : processes_->tasks()) {
    Fate& fate = fates_[id];
    if (task.its_turn && !task.running && fenced_) {
      refused.push_back(id);
    } else if (task.its_turn && !task.running && !fate.planned) {
      fate.planned = true;
      plan_begin(id);
    } else if (task.running && task.stop_grace && !fate.stop_planned) {
      fate.stop_planned = true;
      const bool obeys = !world_.random().chance(model_of(id).ignores);
      in(obeys ? world_.between(0ns, kObedience) : *task.stop_grace,
         [this, id = id, obeys] { end(id, 0, obeys ? kSigInt : kSigKill); });
    }
  }
  for (LaunchId id : refused) processes_->drop(id);
  if (!refused.empty()) {
    processes_->flush();
    wake(world_.now() + kReaction);
  }
  std::erase_if(fates_, [&](const auto& item) {
    return item.second.process == 0 && !processes_->tasks().contains(item.first);
  });
}

void Machine::plan_begin(LaunchId id) {
  Duration delay = world_.between(50us, kExecTime);
  if (hang_chance_ > 0 && world_.random().chance(hang_chance_)) delay = world_.between(1s, longest_hang_);
  in(delay, [this, id] { begin(id); });
}

std::string Machine::env_of(const LaunchRequest& request, const LaunchTemplate& base,
                            const std::string& name) {
  std::string value;
  for (const auto* env : {&base.env, &request.env}) {
    for (const auto& [key, text] : *env) {
      if (key == name) value = text;
    }
  }
  return value;
}

// What the process was given of one resource, as its environment says. Requests of the simulation are whole
// numbers or less than one, so it is clear how much of each index is meant.
void Machine::note_held(const ResourceItem& item, std::string labels, const std::string& request,
                        RunningProcess& process) const {
  const std::vector<std::vector<std::string>> groups = item.label_groups();
  std::set<size_t> used;
  uint64_t count = 0;
  const bool all = request.empty() || request == "all";
  const auto asked =
      all ? item.size()
          : Amount::from_scaled(uint64_t(std::llround(std::stod(request) * double(Amount::kScale))));
  const uint64_t each = asked.scaled < Amount::kScale ? asked.scaled : Amount::kScale;
  labels += ',';
  for (size_t at; (at = labels.find(',')) != std::string::npos; labels.erase(0, at + 1)) {
    if (at == 0) continue;
    const std::string label = labels.substr(0, at);
    process.held[item.name + ":" + label] = each;
    ++count;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (std::find(groups[g].begin(), groups[g].end(), label) != groups[g].end()) used.insert(g);
    }
  }
  if (request.empty()) return;
  if (count * each != asked.scaled) process.missing.push_back(item.name);
  if (request.back() != '!') return;
  std::vector<size_t> sizes;
  for (const auto& group : groups) sizes.push_back(group.size());
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  size_t least = 0;
  for (uint64_t left = count; left > 0 && least < sizes.size(); ++least)
    left -= std::min<uint64_t>(left, sizes[least]);
  process.strict.push_back({item.name, used.size(), least});
}

void Machine::begin(LaunchId id) {
  const auto found = processes_->tasks().find(id);
  if (found == processes_->tasks().end() || found->second.running || fenced_) return;
  const LaunchRequest request = found->second.request;
  const LaunchTemplate& base = processes_->templates().at(request.base);
  const ProgramModel model = model_of(id);
  if (model.no_exec > 0 && world_.random().chance(model.no_exec)) {
    fates_.erase(id);
    processes_->fail(id, LaunchStage::kSpawn, 2);
    wake(world_.now() + kReaction);
    return look_at_processes();
  }

  RunningProcess process;
  process.node = index_;
  process.life = life_;
  process.server_uid = request.cwd;  // "/sim/<uid>"
  process.task.job = JobId(uint32_t(std::stoul(env_of(request, base, "HQ_JOB_ID"))));
  process.task.task = TaskId(uint32_t(std::stoul(env_of(request, base, "HQ_TASK_ID"))));
  process.instance = InstanceId(uint32_t(std::stoul(env_of(request, base, "HQ_INSTANCE_ID"))));
  for (const ResourceItem& item : config_.resources.items) {
    note_held(item, env_of(request, base, "HQ_RESOURCE_VALUES_" + item.name),
              env_of(request, base, "HQ_RESOURCE_REQUEST_" + item.name), process);
  }
  world_.note("begin", process.task.job.value, process.task.task.value, process.instance.value, index_);
  Fate& fate = fates_[id];
  fate.process = world_.next_process();
  fate.began = world_.now();
  world_.rules().on_begin(fate.process, std::move(process), world_.state(), world_.now());
  processes_->begin(id);
  if (broken_) {
    in(world_.between(1ms, kBrokenTime), [this, id] { end(id, 1, 0); });
  } else {
    const int32_t code = world_.random().chance(model.fails) ? 1 : 0;
    in(world_.between(model.shortest, model.longest), [this, id, code] { end(id, code, 0); });
  }
  wake(world_.now() + world_.between(10us, kReaction));
  look_at_processes();
}

void Machine::end(LaunchId id, int32_t code, int32_t signal) {
  const auto found = processes_->tasks().find(id);
  if (found == processes_->tasks().end() || !found->second.running) return;
  const Fate fate = fates_.at(id);
  fates_.erase(id);
  world_.rules().on_end(fate.process);
  world_.note("end", fate.process, uint64_t(code), uint64_t(signal), index_);
  processes_->end(id, code, signal, world_.now() - fate.began);
  wake(world_.now() + world_.between(10us, kReaction));
  look_at_processes();
}

}  // namespace hq::sim
