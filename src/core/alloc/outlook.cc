#include "hq/core/alloc_outlook.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "hq/core/scheduler.h"

namespace hq {

namespace {

// More than any task asks for, and far from the end of the numbers.
constexpr uint64_t kUnlimited = 1'000'000'000'000;
constexpr uint64_t kMostFuture = 10'000;  // workers of one queue that are looked at

// The copy: ready tasks by class and priority, real workers that have something free, future workers.
class Outlook {
 public:
  Outlook(const State& real, WallTime now) : real_(real), now_(now) {}

  void copy_ready();
  void copy_workers(const std::set<WorkerId>& unusable);
  void add_future(const std::vector<FutureWorkers>& future);
  [[nodiscard]] std::vector<uint64_t> count_busy(size_t entries);
  [[nodiscard]] uint64_t tasks() const { return tasks_; }

 private:
  void apply(Event event, WallTime time) { copy_.apply({time, std::move(event)}); }
  JobId submit(ClassId klass, int32_t priority, uint64_t count);
  void find_least();
  // For a task that waits, perhaps; all others can be left out.
  [[nodiscard]] bool has_room(const WorkerState& worker) const;
  [[nodiscard]] std::shared_ptr<const WorkerConfig> config_of(const AllocQueue& queue) const;

  const State& real_;
  const WallTime now_;
  State copy_;
  uint64_t tasks_ = 0;
  std::set<ClassId> waiting_;
  std::vector<std::pair<ResourceIndex, uint64_t>> least_;
  std::vector<std::pair<WorkerId, size_t>> first_of_;  // of each entry's workers
};

bool is_multi_node(const State& state, ClassId klass) {
  return state.classes().needs(klass)[0].nodes > 0;
}

JobId Outlook::submit(ClassId klass, int32_t priority, uint64_t count) {
  auto tasks = std::make_shared<SubmitDescription>();
  tasks->ids = IdArray::consecutive(0, uint32_t(std::min<uint64_t>(count, UINT32_MAX)));
  tasks->task.request = real_.classes().request(klass);
  tasks->task.priority = priority;
  const JobId id = copy_.next_job_id();
  apply(JobSubmitted{id, JobUid(id.value), false, "", std::nullopt, std::move(tasks)}, now_);
  return id;
}

// Older jobs first, as the plan goes. What waits at a worker is counted too: another may take it from there.
void Outlook::copy_ready() {
  std::map<std::tuple<JobId, int32_t, ClassId>, uint64_t> waiting;
  for (const auto& [priority, classes] : real_.ready().priorities()) {
    for (const auto& [klass, ready] : classes) {
      if (!is_multi_node(real_, klass))
        waiting[{ready.groups.begin()->first.job, priority, klass}] += ready.count;
    }
  }
  for (const auto& [id, worker] : real_.alive_workers()) {
    for (const WorkerState::BacklogOf& of : worker->backlog_of) {
      if (of.count > 0) waiting[{of.group.job, of.priority, of.klass}] += of.count;
    }
  }
  for (const auto& [key, count] : waiting) {
    submit(std::get<ClassId>(key), std::get<int32_t>(key), count);
    tasks_ += count;
    waiting_.insert(std::get<ClassId>(key));
  }
}

// The least amounts that every task that waits asks for: who has less can take none.
void Outlook::find_least() {
  std::map<ResourceIndex, std::pair<uint64_t, uint64_t>> asked;  // how often, and the least amount
  uint64_t variants = 0;
  for (ClassId klass : waiting_) {
    for (const VariantNeed& need : real_.classes().needs(klass)) {
      ++variants;
      for (const VariantNeed::Item& item : need.items) {
        const uint64_t amount = item.all ? 1 : item.amount.scaled;
        auto& [times, least] = asked.try_emplace(item.resource, 0, amount).first->second;
        ++times;
        least = std::min(least, amount);
      }
    }
  }
  for (const auto& [resource, entry] : asked) {
    if (entry.first == variants) least_.emplace_back(resource, entry.second);
  }
}

bool Outlook::has_room(const WorkerState& worker) const {
  return std::all_of(least_.begin(), least_.end(),
                     [&](const auto& entry) { return worker.free.at(entry.first).scaled >= entry.second; });
}

// What holds resources there, as tasks of one job for each class: few large jobs cost little.
void Outlook::copy_workers(const std::set<WorkerId>& unusable) {
  find_least();
  std::vector<const WorkerState*> workers;
  std::vector<WorkerState::InUse> uses;  // of all these workers, one after the other
  std::vector<size_t> ends;
  std::map<ClassId, uint64_t> held;
  const auto add = [&](ClassId klass, uint8_t variant, uint32_t count) {
    if (count == 0) return;
    uses.push_back({klass, variant, 0, count});
    held[klass] += count;
  };
  for (const auto& [id, worker] : real_.alive_workers()) {
    if (unusable.contains(id) || worker->gang || !has_room(*worker)) continue;
    for (const WorkerState::InUse& use : worker->in_use) add(use.klass, use.variant, use.count);
    for (const auto& [task, lingering] : worker->lingering) add(lingering.klass, lingering.variant, 1);
    workers.push_back(worker);
    ends.push_back(uses.size());
  }
  std::map<ClassId, std::pair<JobId, uint32_t>> jobs;  // and the next task
  for (const auto& [klass, count] : held) jobs[klass] = {submit(klass, 0, count), 0};
  size_t next = 0;
  for (size_t i = 0; i < workers.size(); ++i) {
    apply(WorkerConnected{workers[i]->id, workers[i]->uid, workers[i]->config}, workers[i]->connected);
    TasksAssigned taken{workers[i]->id, {}};
    for (; next < ends[i]; ++next) {
      auto& [job, task] = jobs[uses[next].klass];
      const IdRange ids{task, task + uses[next].count - 1, 1};
      taken.ranges.push_back({job, ids, InstanceId(0), uses[next].variant, true, {}});
      task += uses[next].count;
    }
    if (!taken.ranges.empty()) apply(std::move(taken), now_);
  }
}

// As the last worker of the queue was; else as its options say, where what they don't name is unlimited.
std::shared_ptr<const WorkerConfig> Outlook::config_of(const AllocQueue& queue) const {
  auto config = std::make_shared<WorkerConfig>();
  const AllocParams& params = *queue.params;
  config->time_limit = std::min(params.time_limit, params.worker_time_limit.value_or(params.time_limit));
  config->min_utilization = params.min_utilization;
  if (queue.known_config != nullptr) {
    config->resources = queue.known_config->resources;
    return config;
  }
  if (params.resources) config->resources = *params.resources;
  // Nobody can tell how much of an unlimited number is in use.
  if (config->resources.find(kCpus) == nullptr) config->min_utilization = 0;
  for (size_t i = 0; i < copy_.classes().resource_count(); ++i) {
    const std::string& name = copy_.classes().resource_name(ResourceIndex(i));
    if (config->resources.find(name) != nullptr) continue;
    config->resources.items.push_back({name, ResourceSum{Amount::units(kUnlimited)}});
  }
  return config;
}

void Outlook::add_future(const std::vector<FutureWorkers>& future) {
  uint32_t next = real_.last_worker_id().value + 1;
  for (const FutureWorkers& entry : future) {
    first_of_.emplace_back(WorkerId(next), first_of_.size());
    const auto config = config_of(*real_.allocations().find(entry.queue));
    for (uint64_t n = std::min({entry.count, tasks_, kMostFuture}); n > 0; --n) {
      apply(WorkerConnected{WorkerId(next), WorkerUid(next), config}, now_);
      ++next;
    }
  }
}

std::vector<uint64_t> Outlook::count_busy(size_t entries) {
  Scheduler scheduler;
  const std::set<WorkerId> none;
  Placement placement;
  // A plan that was not carried out is made anew without the workers that would have too little to do.
  do {
    placement = scheduler.step({copy_, now_, none, none}, Scheduler::kWholePass);
  } while (placement.more);
  std::set<WorkerId> busy;
  for (const Placed& placed : placement.placed) {
    if (placed.slot && placed.worker >= first_of_.front().first) busy.insert(placed.worker);
  }
  std::vector<uint64_t> counts(entries);
  for (WorkerId worker : busy) {
    const auto after = std::upper_bound(first_of_.begin(), first_of_.end(), std::pair(worker, SIZE_MAX));
    ++counts[std::prev(after)->second];
  }
  return counts;
}

}  // namespace

std::vector<uint64_t> busy_future_workers(const State& state, WallTime now,
                                          const std::set<WorkerId>& unusable,
                                          const std::vector<FutureWorkers>& future) {
  Outlook outlook(state, now);
  const auto none = [](const FutureWorkers& entry) { return entry.count == 0; };
  if (!std::all_of(future.begin(), future.end(), none)) outlook.copy_ready();
  if (outlook.tasks() == 0) return std::vector<uint64_t>(future.size());
  outlook.copy_workers(unusable);
  outlook.add_future(future);
  return outlook.count_busy(future.size());
}

}  // namespace hq
