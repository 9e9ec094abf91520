// A cluster of amounts for tests of the scheduler: the real State and Scheduler, workers that start at once
// what they are given and their backlog as room comes, and a clock that goes from end to end.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hq/core/scheduler.h"
#include "hq/core/state.h"
#include "support/builders.h"

namespace hq::test {

using Amounts = std::vector<std::pair<std::string, double>>;

inline Amount amount(double x) {
  return Amount::from_scaled(uint64_t(x * 10'000 + 0.5));
}

// `all` for an amount of 0.
inline ResourceVariant variant(const Amounts& amounts, uint32_t weight = 10'000) {
  ResourceVariant out;
  for (const auto& [name, x] : amounts)
    out.entries.push_back({name, amount(x), x == 0 ? Policy::kAll : Policy::kCompact});
  out.weight = weight;
  return out;
}

inline ResourceVariant nodes(uint32_t n) {
  ResourceVariant out;
  out.nodes = n;
  return out;
}

class Cluster {
 public:
  State state;
  Scheduler scheduler;
  WallTime now{1'000'000'000};
  std::set<WorkerId> closed;
  std::set<WorkerId> retracting;
  std::set<std::pair<WorkerId, ClassId>> refused;
  std::map<WorkerId, uint64_t> at_most;
  uint64_t step_work = Scheduler::kWholePass;
  bool check = true;

  Effects apply(Event event) {
    Effects effects = state.apply({now, std::move(event)});
    if (check) state.check_invariants();
    return effects;
  }

  WorkerId add_worker(const Amounts& amounts, const std::string& group = "default",
                      double min_utilization = 0, std::optional<Duration> time_limit = {}) {
    auto config = std::make_shared<WorkerConfig>();
    config->hostname = "n";
    config->group = group;
    config->min_utilization = min_utilization;
    config->time_limit = time_limit;
    for (const auto& [name, x] : amounts) config->resources.items.push_back({name, ResourceSum{amount(x)}});
    const WorkerId id = state.next_worker_id();
    apply(WorkerConnected{id, WorkerUid(id.value), config});
    return id;
  }

  // `seconds`: how long each of its tasks runs.
  JobId add_job(std::vector<ResourceVariant> variants, uint32_t tasks, double seconds = 1,
                int32_t priority = 0) {
    SubmitDescription submit = test::submit().array(0, tasks).priority(priority).value();
    submit.task.request.variants = std::move(variants);
    return add_job(submit, seconds);
  }
  JobId add_job(const SubmitDescription& submit, double seconds = 1) {
    const JobId id = state.next_job_id();
    apply(JobSubmitted{id, JobUid(id.value + 100), false, "j", std::nullopt,
                       std::make_shared<const SubmitDescription>(submit)});
    seconds_[id] = seconds;
    return id;
  }

  // A whole pass; what is placed starts at once.
  std::vector<Placed> plan() {
    std::vector<Placed> all;
    bool more = true;
    again_in.reset();
    retractions.clear();
    while (more) {
      const Placement placement =
          scheduler.step({state, now, closed, retracting, &refused, &at_most}, step_work);
      more = placement.more;
      ++steps;
      for (const Placed& placed : placement.placed) {
        hand_out(placed);
        all.push_back(placed);
      }
      for (const Retraction& r : placement.retractions) {
        retractions.push_back(r);
        give_back(r);
      }
      if (placement.again_in) again_in = placement.again_in;
    }
    return all;
  }

  // Plans, and goes on to the next end, until nothing is left or `most` has passed.
  void run(Duration most = 1'000'000s) {
    const WallTime end = now + most;
    while (true) {
      plan();
      WallTime next = end;
      if (!ends_.empty()) next = std::min(next, ends_.begin()->first);
      if (again_in) next = std::min(next, now + *again_in);
      if (ends_.empty() && !again_in) return;
      now = next;
      if (now >= end) return;
      end_due();
    }
  }

  [[nodiscard]] uint64_t count(JobId job, TaskState s) const { return state.find_job(job)->count(s); }
  [[nodiscard]] uint64_t running(JobId job) const { return count(job, TaskState::kRunning); }
  [[nodiscard]] uint64_t waiting(JobId job) const { return count(job, TaskState::kWaiting); }
  // Tasks that were started on a worker, by variant.
  [[nodiscard]] uint64_t running_on(WorkerId worker, JobId job) const {
    uint64_t n = 0;
    for (const auto& [at, e] : ends_) n += e.worker == worker && e.task.job == job ? 1 : 0;
    return n;
  }
  [[nodiscard]] std::map<uint8_t, uint64_t> variants_of(JobId job) const {
    std::map<uint8_t, uint64_t> out;
    for (const auto& [at, e] : ends_) {
      if (e.task.job == job) ++out[e.variant];
    }
    return out;
  }
  void end_due() {
    while (!ends_.empty() && ends_.begin()->first <= now) {
      const Ending ending = ends_.begin()->second;
      ends_.erase(ends_.begin());
      TaskEnd e;
      e.task = ending.task;
      e.at = now;
      e.variant = ending.variant;
      e.usage.ran_s = float(seconds_[ending.task.job]);
      apply(TasksEnded{ending.worker, {e}});
    }
    for (const auto& [id, worker] : state.alive_workers()) start_backlog(id);
  }
  std::optional<Duration> again_in;
  std::vector<Retraction> retractions;
  uint64_t steps = 0;
  std::map<JobId, WallTime> first_start;

 private:
  struct Ending {
    WorkerId worker;
    JobTask task;
    uint8_t variant = 0;
  };

  void hand_out(const Placed& placed) {
    auto ranges = pick(state, placed);
    if (ranges.empty()) return;
    apply(TasksAssigned{placed.worker, ranges});
    for (const AssignedRange& range : ranges) {
      for (uint64_t id = range.ids.first; id <= range.ids.last; id += range.ids.step) {
        const JobTask task{range.job, TaskId(uint32_t(id))};
        if (placed.slot) {
          start(placed.worker, task, range.instance, range.variant);
        } else {
          backlog_[placed.worker][{-placed.priority, task}] = {placed.klass, range.instance};
        }
      }
    }
  }

  void start(WorkerId worker, const JobTask& task, InstanceId instance, uint8_t variant) {
    apply(TasksStarted{worker, {{task, instance, variant, now}}});
    const Duration ran{int64_t(seconds_[task.job] * 1e9)};
    ends_.emplace(now + ran, Ending{worker, task, variant});
    first_start.emplace(task.job, now);
  }

  void start_backlog(WorkerId id) {
    const WorkerState& worker = *state.find_worker(id);
    auto& waiting = backlog_[id];
    for (auto it = waiting.begin(); it != waiting.end();) {
      const VariantNeed& need = state.classes().needs(it->second.first)[0];
      if (fit_count(need, worker.free, worker.total) == 0) {
        ++it;
        continue;
      }
      const auto [klass, instance] = it->second;
      const JobTask task = it->first.second;
      it = waiting.erase(it);
      start(id, task, instance, 0);
    }
  }

  void give_back(const Retraction& retraction) {
    auto& waiting = backlog_[retraction.worker];
    TasksReturned returned{retraction.worker, {}};
    for (auto it = waiting.end(); it != waiting.begin() && returned.tasks.size() < retraction.count;) {
      --it;
      const auto place = state.find_job(it->first.second.job)->find(it->first.second.task);
      if (place->group->definition(place->position) != retraction.definition) continue;
      returned.tasks.push_back({it->first.second, it->second.second});
      it = waiting.erase(it);
    }
    if (!returned.tasks.empty()) apply(returned);
  }

  std::map<JobId, double> seconds_;
  std::multimap<WallTime, Ending> ends_;
  // By falling priority, then task: its class and instance.
  std::map<WorkerId, std::map<std::pair<int32_t, JobTask>, std::pair<ClassId, InstanceId>>> backlog_;
};

// Endless tasks of one cpu whose ends are out of step, so that no worker is ever empty by chance.
inline void add_endless_stream(Cluster& c, uint32_t cpus) {
  c.check = false;  // walks all tasks
  for (uint32_t i = 0; i < cpus; ++i) c.add_job({variant({{"cpus", 1}})}, 1, 0.1 + 0.07 * i);
  c.add_job({variant({{"cpus", 1}})}, 100'000, 1);
  c.run(2s);
}

}  // namespace hq::test
