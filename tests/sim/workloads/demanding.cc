// Tasks that need much, or a lot of conditions at once, among many that need little.
#include <memory>

#include "sim/faults/faults.h"
#include "sim/workloads/workloads.h"
#include "support/builders.h"

namespace hq::sim {

namespace {

constexpr Duration kLongestSmall = 1s;
constexpr Duration kLongestBig = 1s;
constexpr Duration kBeforeReserved = 10s;  // before somebody who is passed gets a reservation
constexpr Duration kLook = 100ms;
constexpr Duration kLastSmall = kFaultTime + 150s;

ResourceEntry entry(const char* name, uint64_t scaled, Policy policy = Policy::kCompact) {
  return {name, Amount::from_scaled(scaled), policy};
}

struct Stream {
  std::vector<JobId> big;
  std::vector<msg::Submit> submits;  // of the big ones
  msg::Submit small;
  bool late = false;  // the second half of the big ones has been submitted
};

// From here on nobody interferes: whatever waits must have had its turn after some time.
bool is_calm(World& world) {
  if (world.state() == nullptr || world.now().time_since_epoch() < 1000s + kFaultTime + 1s) return false;
  for (const auto& machine : world.machines()) {
    if (!machine->registration()) return false;
  }
  return world.state()->alive_workers().size() == world.machines().size();
}

bool all_started(World& world, const Stream& stream) {
  for (JobId id : stream.big) {
    const Job* job = world.state() == nullptr ? nullptr : world.state()->find_job(id);
    if (job != nullptr && job->count(TaskState::kWaiting) > 0) return false;
  }
  return true;
}

void submit_big(World& world, const std::shared_ptr<Stream>& stream, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) {
    world.ask(stream->submits[i], [stream](const msg::ClientReply& reply) {
      if (const auto* submitted = std::get_if<msg::Submitted>(&reply)) stream->big.push_back(submitted->job);
    });
  }
}

// How many jobs wait whose tasks are like those of this one, itself included.
uint64_t alike(const State& state, const Job& job) {
  uint64_t count = 0;
  state.for_each_job([&](const Job& other) {
    const bool waits = other.count(TaskState::kWaiting) > 0;
    count += waits && other.groups[0]->klass(0) == job.groups[0]->klass(0) ? 1 : 0;
  });
  return count;
}

// One that waits for a worker may find others of its kind there before it: these have their turns.
void expect_starts(World& world, const Stream& stream) {
  if (world.state() == nullptr) return;
  const auto turns = Duration::rep(stream.submits.size() + 2);
  for (JobId id : stream.big) {
    const Job* job = world.state()->find_job(id);
    if (job == nullptr) continue;
    const Duration patience = kBeforeReserved * Duration::rep(alike(*world.state(), *job));
    world.rules().expect_start(id, world.now() + patience + turns * (kLongestSmall + kLongestBig));
  }
}

void go_on(World& world, const std::shared_ptr<Stream>& stream) {
  if (world.now().time_since_epoch() > 1000s + kLastSmall) return;
  if (stream->late && stream->big.size() > 0 && all_started(world, *stream)) return;
  if (!stream->late && is_calm(world)) {
    stream->late = true;
    submit_big(world, stream, stream->submits.size() / 2, stream->submits.size());
    world.in(kLook, [&world, stream] { expect_starts(world, *stream); });
  }
  if (world.state() != nullptr && world.state()->ready().count() < 100) world.ask(stream->small);
  world.in(kLook, [&world, stream] { go_on(world, stream); });
}

}  // namespace

// More small tasks than there is room for, as long as it takes; and some that need a whole worker, most of
// one, or several.
void run_stream(World& world) {
  const auto stream = std::make_shared<Stream>();
  ProgramModel small;
  small.shortest = 5ms;
  small.longest = world.between(20ms, kLongestSmall);
  stream->small = submit_of(world, small, test::submit().array(0, 200).value());
  // Each kind once: of several of one kind, each waits its time.
  std::vector<int> kinds{0, 1, 2, 3, 4, 5};
  for (size_t i = kinds.size(); i > 1; --i) std::swap(kinds[i - 1], kinds[world.random().below(i)]);
  for (int kind : kinds) {
    ProgramModel big;
    big.shortest = 100ms;
    big.longest = kLongestBig;
    SubmitDescription what = test::submit().crash_limit(CrashLimit::kUnlimited).value();
    std::vector<ResourceEntry>& entries = what.task.request.variants[0].entries;
    switch (kind) {
      case 0:
        entries = {entry("cpus", 0, Policy::kAll)};
        break;
      case 1:
        entries = {entry("cpus", 40'000)};
        break;
      case 2:
        entries = {entry("cpus", 30'000, Policy::kScatter), entry("gpus", 0, Policy::kAll)};
        break;
      case 3:
        entries = {entry("cpus", 20'000, Policy::kForceCompact), entry("gpus", 5'000)};
        break;
      default:
        what.task.request.variants[0].nodes = uint32_t(kind - 2);
    }
    stream->submits.push_back(submit_of(world, big, std::move(what)));
  }
  world.in(world.between(0ns, 8s),
           [&world, stream] { submit_big(world, stream, 0, stream->submits.size() / 2); });
  go_on(world, stream);
}

// Time requests, weights, several variants and priorities, in jobs that come one after the other.
void run_requests(World& world) {
  for (int i = 0; i < 14; ++i) {
    ProgramModel model;
    model.longest = world.between(5ms, 900ms);
    SubmitDescription what = test::submit()
                                 .array(0, uint32_t(1 + world.random().below(30)))
                                 .priority(int32_t(world.random().below(4)))
                                 .crash_limit(CrashLimit::kUnlimited)
                                 .value();
    what.task.request.variants.clear();
    for (uint64_t v = 0; v <= world.random().below(3); ++v) {
      ResourceVariant variant;
      const uint64_t cpus = 1 + world.random().below(4);
      variant.entries = {
          entry("cpus", cpus * 10'000, world.random().chance(0.2) ? Policy::kForceTight : Policy::kCompact)};
      if (world.random().chance(0.3))
        variant.entries.push_back(entry("gpus", 2'500 * (1 + world.random().below(4))));
      if (world.random().chance(0.3)) variant.min_time = world.between(100ms, 6s);
      if (world.random().chance(0.3)) variant.weight = uint32_t(5'000 + 5'000 * world.random().below(5));
      what.task.request.variants.push_back(std::move(variant));
    }
    if (world.random().chance(0.15)) {
      what.task.request.variants.resize(1);
      what.task.request.variants[0].nodes = uint32_t(2 + world.random().below(2));
      what.task.request.variants[0].entries.clear();
    }
    const msg::Submit submit = submit_of(world, model, std::move(what));
    world.in(world.between(0ns, 8s), [&world, submit] { world.ask(submit); });
  }
}

}  // namespace hq::sim
