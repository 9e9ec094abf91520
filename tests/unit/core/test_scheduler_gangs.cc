// Tasks of several nodes.
#include <doctest/doctest.h>

#include "support/scheduler_world.h"

using namespace hq;
using namespace hq::test;

TEST_CASE("a multi-node task gets idle workers of one group, all or none") {
  Cluster c;
  c.add_worker({{"cpus", 4}}, "a");
  c.add_worker({{"cpus", 4}}, "b");
  const JobId job = c.add_job({nodes(2)}, 1);
  CHECK(c.plan().empty());
  c.add_worker({{"cpus", 4}}, "a");
  const auto placed = c.plan();
  REQUIRE(placed.size() == 1);
  CHECK(placed[0].nodes == std::vector<WorkerId>{WorkerId(1), WorkerId(3)});
  CHECK(c.running(job) == 1);
  const JobId other = c.add_job({variant({{"cpus", 1}})}, 30);
  c.plan();
  CHECK(c.running_on(WorkerId(1), other) + c.running_on(WorkerId(3), other) == 0);
  CHECK(c.running_on(WorkerId(2), other) == 4);
  c.now = c.now + 1s;
  c.end_due();
  c.plan();
  CHECK(c.state.find_job(job)->workers == std::vector<WorkerId>{WorkerId(1), WorkerId(3)});
  CHECK(c.running_on(WorkerId(3), other) > 0);
}

TEST_CASE("a waiting multi-node task of higher priority keeps its workers free of lower ones") {
  Cluster c;
  for (int i = 0; i < 3; ++i) c.add_worker({{"cpus", 1}});
  c.add_job({variant({{"cpus", 1}})}, 2, 3);
  c.plan();
  const JobId gang = c.add_job({nodes(2)}, 1, 1, 1);
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 10, 1);
  c.plan();
  CHECK(c.running(low) == 0);
  c.now = c.now + 3s;
  c.end_due();
  c.plan();
  CHECK(c.running(gang) == 1);
  CHECK(c.running(low) == 1);
}

TEST_CASE("a multi-node task that no group can ever hold blocks nothing") {
  Cluster c;
  c.add_worker({{"cpus", 2}});
  c.add_job({nodes(2)}, 1, 1, 1);
  const JobId low = c.add_job({variant({{"cpus", 1}})}, 2);
  c.plan();
  CHECK(c.running(low) == 2);
}

TEST_CASE("a multi-node task is not starved by small ones of its priority") {
  Cluster c;
  for (int i = 0; i < 4; ++i) c.add_worker({{"cpus", 2}});
  add_endless_stream(c, 8);
  const JobId gang = c.add_job({nodes(3)}, 2, 1);
  c.run(60s);
  CHECK(c.count(gang, TaskState::kFinished) == 2);
}

TEST_CASE("losing the worker that runs a multi-node task frees the others") {
  Cluster c;
  const WorkerId root = c.add_worker({{"cpus", 1}});
  const WorkerId second = c.add_worker({{"cpus", 1}});
  const JobId gang = c.add_job({nodes(2)}, 1);
  c.plan();
  c.apply(WorkerLost{root, LossReason::kConnectionLost});
  CHECK(c.waiting(gang) == 1);
  CHECK(c.state.find_worker(second)->idle());
}

TEST_CASE("a multi-node task that lost another worker waits again under the next instance") {
  Cluster c;
  const WorkerId root = c.add_worker({{"cpus", 1}});
  const WorkerId second = c.add_worker({{"cpus", 1}});
  const JobId gang = c.add_job({nodes(2)}, 1);
  c.plan();
  c.apply(WorkerLost{second, LossReason::kConnectionLost});
  CHECK(c.running(gang) == 1);  // until its program has been stopped
  c.apply(TasksReturned{root, {{{gang, TaskId(0)}, InstanceId(0), LossReason::kConnectionLost}}});
  CHECK(c.waiting(gang) == 1);
  const auto place = c.state.find_job(gang)->find(TaskId(0));
  CHECK(place->group->instance(place->position) == InstanceId(1));
  CHECK(c.state.find_job(gang)->losses.at(TaskId(0)).crashes == 1);
  CHECK(c.state.find_worker(root)->idle());
}

TEST_CASE("a multi-node task gets workers on which others would not reach the least utilisation") {
  Cluster c;
  for (int i = 0; i < 2; ++i) c.add_worker({{"cpus", 4}}, "a", 0.5);
  c.add_job({variant({{"cpus", 1}})}, 1);
  const JobId gang = c.add_job({nodes(2)}, 1);
  c.plan();
  CHECK(c.running(gang) == 1);
}
