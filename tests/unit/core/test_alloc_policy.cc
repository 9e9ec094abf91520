#include <doctest/doctest.h>

#include "hq/core/alloc_policy.h"
#include "support/scheduler_world.h"

using namespace hq;
using namespace hq::test;

namespace {

using Submissions = std::vector<AllocDecision::Submission>;

// A cluster with queues, and a batch system that starts what it has when it is told to.
struct PolicyWorld : Cluster {
  AllocDecision last;
  uint32_t ids = 100;

  AllocQueueId add_queue(uint32_t backlog = 1, uint32_t nodes = 1, const Amounts& amounts = {},
                         std::optional<uint32_t> most = {}, Duration time_limit = 1h,
                         double min_utilization = 0) {
    auto params = std::make_shared<AllocParams>();
    params->backlog = backlog;
    params->max_workers_per_alloc = nodes;
    params->time_limit = time_limit;
    params->max_worker_count = most;
    params->min_utilization = min_utilization;
    if (!amounts.empty()) {
      params->resources.emplace();
      for (const auto& [name, x] : amounts)
        params->resources->items.push_back({name, ResourceSum{amount(x)}});
    }
    const AllocQueueId id = state.allocations().next_queue_id();
    apply(AllocQueueCreated{id, params});
    return id;
  }
  const AllocDecision& decide() {
    last = decide_allocations(state, now, closed, {}, last.unneeded);
    return last;
  }
  Submissions wanted() { return decide().submissions; }
  // What is decided is done.
  Submissions submit() {
    const Submissions submissions = wanted();
    for (const auto& submission : submissions) queue(submission.queue, submission.workers);
    return submissions;
  }
  std::string queue(AllocQueueId id, uint32_t workers) {
    const uint32_t number = state.allocations().find(id)->last_number + 1;
    apply(AllocationSubmitting{id, number, workers, "/d"});
    apply(AllocationQueued{id, number, std::to_string(++ids)});
    return std::to_string(ids);
  }
  // One of its workers comes.
  WorkerId start(const std::string& allocation, const Amounts& amounts) {
    const Allocation& found = *state.allocations().find(allocation);
    auto config = std::make_shared<WorkerConfig>();
    config->manager = ManagerKind::kSlurm;
    config->manager_job_id = allocation;
    config->group = allocation;
    for (const auto& [name, x] : amounts) config->resources.items.push_back({name, ResourceSum{amount(x)}});
    const WorkerId id = state.next_worker_id();
    apply(WorkerConnected{id, WorkerUid(id.value), config});
    if (found.state == AllocationState::kQueued) apply(AllocationStarted{found.queue, found.number, true});
    return id;
  }
};

constexpr AllocQueueId kOne{1};
constexpr AllocQueueId kTwo{2};
constexpr AllocQueueId kThree{3};

}  // namespace

TEST_CASE("nothing is submitted without tasks that wait") {
  PolicyWorld w;
  w.add_queue(4);

  CHECK(w.wanted().empty());
}

TEST_CASE("a queue of which nothing is known gets one worker, however many tasks wait") {
  PolicyWorld w;
  w.add_queue(4, 3);
  w.add_job({variant({{"cpus", 4}})}, 1000);

  CHECK(w.submit() == Submissions{{kOne, 1}});
  CHECK(w.wanted().empty());
}

TEST_CASE("workers are asked for as the tasks need them, in allocations as large as allowed") {
  PolicyWorld w;
  w.add_queue(2, 3, {{"cpus", 4}});
  w.add_job({variant({{"cpus", 4}})}, 20);

  CHECK(w.submit() == Submissions{{kOne, 3}, {kOne, 3}});
  CHECK(w.wanted().empty());
}

TEST_CASE("the rest is a smaller allocation") {
  PolicyWorld w;
  w.add_queue(5, 3, {{"cpus", 4}});
  w.add_job({variant({{"cpus", 2}})}, 8);

  CHECK(w.wanted() == Submissions{{kOne, 3}, {kOne, 1}});
}

TEST_CASE("what real workers have room for needs no allocation") {
  PolicyWorld w;
  w.add_queue(5, 1, {{"cpus", 4}});
  w.add_worker({{"cpus", 4}});
  w.add_job({variant({{"cpus", 1}})}, 4);

  CHECK(w.wanted().empty());

  w.add_job({variant({{"cpus", 1}})}, 1);

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("what runs on real workers is in their way") {
  PolicyWorld w;
  w.add_queue(5, 1, {{"cpus", 4}});
  w.add_worker({{"cpus", 4}});
  w.add_job({variant({{"cpus", 3}})}, 1, 100);
  w.plan();
  w.add_job({variant({{"cpus", 1}})}, 1);
  CHECK(w.wanted().empty());
  w.add_job({variant({{"cpus", 2}})}, 1);

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("workers that get no tasks don't count") {
  PolicyWorld w;
  w.add_queue(5, 1, {{"cpus", 4}});
  w.closed.insert(w.add_worker({{"cpus", 4}}));
  w.add_job({variant({{"cpus", 1}})}, 4);

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("tasks that could never run there ask for nothing") {
  PolicyWorld w;
  w.add_queue(2, 1, {{"cpus", 4}});
  ResourceVariant slow = variant({{"cpus", 1}});
  slow.min_time = 2h;
  w.add_job({variant({{"cpus", 5}})}, 3);
  w.add_job({slow}, 3);
  CHECK(w.wanted().empty());

  w.add_job({variant({{"cpus", 1}, {"gpus", 1}})}, 1);

  CHECK(w.wanted() == Submissions{{kOne, 1}});  // gpus were not named: it may have any number of them
}

TEST_CASE("the last worker of a queue tells what the next one will have") {
  PolicyWorld w;
  w.add_queue(4, 1);
  w.add_job({variant({{"cpus", 4}})}, 3);
  w.submit();

  w.start("101", {{"cpus", 4}});

  CHECK(w.wanted() == Submissions{{kOne, 1}, {kOne, 1}});
  w.add_job({variant({{"cpus", 4}, {"gpus", 1}})}, 3);
  CHECK(w.wanted() == Submissions{{kOne, 1}, {kOne, 1}});
}

TEST_CASE("what comes for a queue of which nothing is known may turn out to have everything") {
  PolicyWorld w;
  w.add_queue(1);
  w.add_queue(2, 1, {{"cpus", 4}});
  w.add_job({variant({{"cpus", 4}})}, 2);
  CHECK(w.submit() == Submissions{{kOne, 1}});
  CHECK(w.wanted().empty());

  w.start("101", {{"cpus", 1}});

  CHECK(w.wanted() == Submissions{{kTwo, 1}, {kTwo, 1}});
}

TEST_CASE("equal queues are used one after the other") {
  PolicyWorld w;
  for (int i = 0; i < 3; ++i) w.add_queue(1, 1, {{"cpus", 4}});
  w.add_job({variant({{"cpus", 4}})}, 1);
  CHECK(w.wanted() == Submissions{{kOne, 1}});
  w.add_job({variant({{"cpus", 4}})}, 1);
  CHECK(w.wanted() == Submissions{{kOne, 1}, {kTwo, 1}});
  w.add_job({variant({{"cpus", 4}})}, 1);
  CHECK(w.submit() == Submissions{{kOne, 1}, {kTwo, 1}, {kThree, 1}});
  CHECK(w.wanted().empty());
}

TEST_CASE("tasks go to the queue that has what they need") {
  PolicyWorld w;
  w.add_queue(2, 1, {{"cpus", 4}, {"gpus", 0.0001}});
  w.add_queue(2, 1, {{"cpus", 4}, {"gpus", 2}});
  w.add_job({variant({{"cpus", 1}, {"gpus", 1}})}, 4);

  CHECK(w.wanted() == Submissions{{kTwo, 1}, {kTwo, 1}});
}

TEST_CASE("waiting and running workers together stay below the greatest number") {
  PolicyWorld w;
  w.add_queue(4, 3, {{"cpus", 1}}, 5);
  w.add_job({variant({{"cpus", 1}})}, 100);

  CHECK(w.submit() == Submissions{{kOne, 3}, {kOne, 2}});
  w.start("101", {{"cpus", 1}});
  w.plan();
  CHECK(w.wanted().empty());
}

TEST_CASE("the backlog bounds what waits, not what runs") {
  PolicyWorld w;
  w.add_queue(1, 1, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 100, 1000);
  for (int i = 0; i < 4; ++i) {
    CHECK(w.submit() == Submissions{{kOne, 1}});
    CHECK(w.wanted().empty());
    w.start(std::to_string(w.ids), {{"cpus", 1}});
    w.plan();
  }
}

TEST_CASE("workers of a started allocation are awaited for a minute") {
  PolicyWorld w;
  w.add_queue(1, 2, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 2, 1000);
  CHECK(w.submit() == Submissions{{kOne, 2}});
  w.start("101", {{"cpus", 1}});
  w.plan();

  CHECK(w.wanted().empty());
  w.now = w.now + 61s;

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("paused queues submit nothing, but what they have waiting is counted") {
  PolicyWorld w;
  w.add_queue(1, 1, {{"cpus", 1}});
  w.add_queue(1, 1, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 1);
  w.submit();
  w.apply(AllocQueuePaused{kOne, false});

  CHECK(w.wanted().empty());
  w.add_job({variant({{"cpus", 1}})}, 1);

  CHECK(w.wanted() == Submissions{{kTwo, 1}});
}

TEST_CASE("every multi-node task gets an allocation of its size, and several requests count together") {
  PolicyWorld w;
  w.add_queue(10, 4);
  w.add_job({nodes(2)}, 2);
  w.add_job({nodes(3)}, 1);
  w.add_job({nodes(5)}, 1);

  CHECK(w.submit() == Submissions{{kOne, 2}, {kOne, 2}, {kOne, 3}});
  CHECK(w.wanted().empty());
}

TEST_CASE("a multi-node task takes what waits already, and its rest serves single tasks") {
  PolicyWorld w;
  w.add_queue(10, 4, {{"cpus", 1}});
  w.queue(kOne, 4);
  w.add_job({nodes(3)}, 1);
  w.add_job({variant({{"cpus", 1}})}, 2);

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("a multi-node task waits for the last worker of its allocation") {
  PolicyWorld w;
  w.add_queue(2, 2);
  w.add_job({nodes(2)}, 1);
  w.submit();
  w.start("101", {{"cpus", 1}});

  CHECK(w.wanted().empty());
}

TEST_CASE("multi-node tasks go to the first queue that is large and lasts long enough") {
  PolicyWorld w;
  w.add_queue(1, 1);
  w.add_queue(1, 4, {}, {}, 10min);
  w.add_queue(1, 4, {}, {}, 2h);
  ResourceVariant gang = nodes(2);
  gang.min_time = 1h;
  w.add_job({gang}, 2);

  CHECK(w.wanted() == Submissions{{kThree, 2}});  // its backlog has room for one
}

TEST_CASE("after a failure the queue waits, and another one takes its part") {
  PolicyWorld w;
  w.add_queue(2, 1, {{"cpus", 1}});
  w.add_queue(2, 1, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 1);
  w.apply(AllocationSubmitting{kOne, 1, 1, "/d"});
  w.apply(AllocationNotQueued{kOne, 1, "no", true});

  CHECK(w.wanted() == Submissions{{kTwo, 1}});
  w.now = w.now + 60s;
  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("too many failures one after the other pause a queue") {
  PolicyWorld w;
  w.add_queue(1, 1, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(w.decide().pauses.empty());
    const std::string id = w.queue(kOne, 1);
    const Allocation& found = *w.state.allocations().find(id);
    w.apply(AllocationEnded{kOne, found.number, AllocationEndKind::kUnexpected, true, "FAILED", {}, {}});
    w.now = w.now + 60min;
  }

  CHECK(w.decide().pauses == std::vector<AllocQueueId>{kOne});
  CHECK(w.last.submissions.empty());
  w.apply(AllocQueuePaused{kOne, true});
  CHECK(w.decide().pauses.empty());

  w.apply(AllocQueueResumed{kOne});
  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("nothing is asked for twice while the batch system has not answered") {
  PolicyWorld w;
  w.add_queue(5, 1, {{"cpus", 1}});
  w.add_job({variant({{"cpus", 1}})}, 1);
  w.apply(AllocationSubmitting{kOne, 1, 1, "/d"});

  CHECK(w.wanted().empty());
}

TEST_CASE("an allocation that nobody needs any more is given up after a while") {
  PolicyWorld w;
  w.add_queue(3, 1, {{"cpus", 1}});
  const JobId job = w.add_job({variant({{"cpus", 1}})}, 3);
  CHECK(w.submit().size() == 3);
  w.apply(JobCanceled{job, ""});
  w.add_job({variant({{"cpus", 1}})}, 1);

  CHECK(w.decide().cancellations.empty());
  CHECK(w.last.unneeded.size() == 2);
  w.now = w.now + 29s;
  CHECK(w.decide().cancellations.empty());
  w.now = w.now + 1s;

  CHECK(w.decide().cancellations == std::vector<AllocationKey>{{kOne, 2}, {kOne, 3}});
}

TEST_CASE("an allocation that is needed again in time is kept") {
  PolicyWorld w;
  w.add_queue(1, 1, {{"cpus", 1}});
  const JobId job = w.add_job({variant({{"cpus", 1}})}, 1);
  w.submit();
  w.apply(JobCanceled{job, ""});
  w.decide();
  w.now = w.now + 29s;
  const JobId next = w.add_job({variant({{"cpus", 1}})}, 1);
  w.decide();
  w.apply(JobCanceled{next, ""});
  w.now = w.now + 20s;

  CHECK(w.decide().cancellations.empty());
}

TEST_CASE("a paused queue keeps what it has waiting") {
  PolicyWorld w;
  w.add_queue(1, 1, {{"cpus", 1}});
  const JobId job = w.add_job({variant({{"cpus", 1}})}, 1);
  w.submit();
  w.apply(AllocQueuePaused{kOne, false});
  w.apply(JobCanceled{job, ""});
  w.decide();
  w.now = w.now + 1h;

  CHECK(w.decide().cancellations.empty());
}

TEST_CASE("workers that would not be busy enough are not asked for") {
  PolicyWorld w;
  w.add_queue(4, 1, {{"cpus", 4}}, {}, 1h, 0.75);
  w.add_job({variant({{"cpus", 1}})}, 6);

  CHECK(w.wanted() == Submissions{{kOne, 1}});
}

TEST_CASE("a batch system that is slow to start gets no more than was wanted, until all has run") {
  PolicyWorld w;
  w.add_queue(2, 2, {{"cpus", 2}}, 6);
  const JobId job = w.add_job({variant({{"cpus", 1}})}, 40, 600);
  std::vector<std::string> waiting;
  uint32_t most = 0;
  for (int minute = 0; minute < 300 && w.waiting(job) + w.running(job) > 0; ++minute) {
    w.submit();
    waiting.clear();
    uint32_t workers = 0;
    for (const auto& [number, allocation] : w.state.allocations().find(kOne)->allocations) {
      if (allocation.active()) workers += allocation.workers;
      if (allocation.state == AllocationState::kQueued && minute % 3 == 0) waiting.push_back(allocation.id);
    }
    most = std::max(most, workers);
    for (const std::string& id : waiting) {
      const uint32_t count = w.state.allocations().find(id)->workers;
      for (uint32_t i = 0; i < count; ++i) w.start(id, {{"cpus", 2}});
    }
    w.plan();
    w.run(60s);
  }

  CHECK(most == 6);
  CHECK(w.count(job, TaskState::kFinished) == 40);
  w.now = w.now + 1min;
  CHECK(w.wanted().empty());
}
