#include <doctest/doctest.h>

#include "hq/core/state.h"
#include "support/builders.h"

using namespace hq;

namespace {

struct AllocWorld {
  State state;
  WallTime now{1'000'000'000'000};

  AllocWorld() {
    AllocParams params;
    params.time_limit = 1h;
    apply(AllocQueueCreated{queue, std::make_shared<AllocParams>(params)});
  }
  void apply(Event event) {
    REQUIRE_FALSE(state.misfit({now, event}));
    state.apply({now, std::move(event)});
    state.check_invariants();
  }
  void submit(uint32_t number, uint32_t workers, const std::string& id) {
    apply(AllocationSubmitting{queue, number, workers, "/d"});
    apply(AllocationQueued{queue, number, id});
  }
  WorkerId connect(const std::string& allocation, uint64_t uid = 7) {
    WorkerConfig config = test::worker_config(4);
    config.manager = ManagerKind::kSlurm;
    config.manager_job_id = allocation;
    const WorkerId id = state.next_worker_id();
    apply(WorkerConnected{id, WorkerUid(uid), std::make_shared<WorkerConfig>(config)});
    return id;
  }
  void lose(WorkerId worker, LossReason reason) { apply(WorkerLost{worker, reason, false}); }
  const Allocation& at(uint32_t number) { return *state.allocations().find(queue, number); }
  const AllocQueue& known() { return *state.allocations().find(queue); }
  const AllocQueueId queue{1};
};

}  // namespace

TEST_CASE("workers are matched to their allocation by the id of the batch system") {
  AllocWorld w;
  w.submit(1, 2, "104");

  const WorkerId stranger = w.connect("105");
  const WorkerId worker = w.connect("104");

  CHECK(w.at(1).connected == std::set<WorkerId>{worker});
  CHECK(w.at(1).missing() == 1);
  CHECK(w.known().known_worker == worker);
  CHECK_FALSE(w.state.allocations().needs(stranger));
  CHECK(w.state.allocations().needs(worker));
}

TEST_CASE("a worker that comes before the batch system has answered belongs to its allocation") {
  AllocWorld w;
  w.apply(AllocationSubmitting{w.queue, 1, 1, "/d"});
  const WorkerId worker = w.connect("104");

  w.apply(AllocationQueued{w.queue, 1, "104"});

  CHECK(w.at(1).connected == std::set<WorkerId>{worker});
}

TEST_CASE("an allocation is over when as many workers have left as were wanted") {
  AllocWorld w;
  w.submit(1, 2, "104");
  const WorkerId a = w.connect("104", 1);
  const WorkerId b = w.connect("104", 2);

  w.lose(a, LossReason::kIdleTimeout);
  CHECK_FALSE(w.at(1).all_gone());
  w.lose(b, LossReason::kConnectionLost);

  CHECK(w.at(1).all_gone());
  CHECK_FALSE(w.at(1).all_crashed_early());
}

TEST_CASE("only workers lost within a minute speak against the allocation") {
  AllocWorld w;
  w.submit(1, 1, "104");
  w.submit(2, 1, "105");
  const WorkerId early = w.connect("104", 1);
  const WorkerId late = w.connect("105", 2);
  w.now = w.now + 10s;
  w.lose(early, LossReason::kHeartbeatLost);
  w.now = w.now + 60s;
  w.lose(late, LossReason::kHeartbeatLost);

  CHECK(w.at(1).all_crashed_early());
  CHECK_FALSE(w.at(2).all_crashed_early());
}

TEST_CASE("a worker that was given up and comes back makes its allocation run again") {
  AllocWorld w;
  w.submit(1, 1, "104");
  const WorkerId worker = w.connect("104", 9);
  w.apply(AllocationStarted{w.queue, 1, true});
  w.lose(worker, LossReason::kHeartbeatLost);
  w.apply(AllocationEnded{w.queue, 1, AllocationEndKind::kNormal, true, "", {}, {}});

  const WorkerId again = w.connect("104", 9);

  CHECK(w.at(1).state == AllocationState::kRunning);
  CHECK(w.at(1).connected == std::set<WorkerId>{again});
  CHECK(w.at(1).gone.empty());
}

TEST_CASE("failures make the pauses between attempts longer, success makes them short again") {
  AllocWorld w;
  const auto fail = [&](uint32_t number) {
    w.apply(AllocationSubmitting{w.queue, number, 1, "/d"});
    w.apply(AllocationNotQueued{w.queue, number, "no", true});
  };
  const Duration expected[] = {60s, 15min, 30min, 60min, 60min};
  for (uint32_t i = 0; i < 5; ++i) {
    fail(i + 1);
    CHECK(w.known().next_attempt() - w.now == expected[i]);
  }
  CHECK(w.known().failures.submissions == 5);

  w.submit(6, 1, "104");

  CHECK(w.known().failures.submissions == 0);
  CHECK(w.known().next_attempt() == w.now);
}

TEST_CASE("a submission that works does not excuse allocations that fail") {
  AllocWorld w;
  w.submit(1, 1, "104");
  w.apply(AllocationEnded{w.queue, 1, AllocationEndKind::kUnexpected, true, "FAILED", {}, {}});
  w.submit(2, 1, "105");

  CHECK(w.known().failures.delay_level == 1);
  CHECK(w.known().failures.allocations == 1);
  CHECK(w.known().failures.last == "FAILED");

  w.apply(AllocationEnded{w.queue, 2, AllocationEndKind::kNormal, false, "", {}, {}});

  CHECK(w.known().failures.delay_level == 0);
  CHECK(w.known().failures.allocations == 0);
}

TEST_CASE("to resume a queue is to forget its failures") {
  AllocWorld w;
  w.submit(1, 1, "104");
  w.apply(AllocationEnded{w.queue, 1, AllocationEndKind::kUnexpected, true, "", {}, {}});
  w.apply(AllocQueuePaused{w.queue, true});

  w.apply(AllocQueueResumed{w.queue});

  CHECK_FALSE(w.known().paused);
  CHECK(w.known().failures == AllocFailures{});
}

TEST_CASE("a submission that was never tried is no failure") {
  AllocWorld w;
  w.apply(AllocationSubmitting{w.queue, 1, 1, "/d"});
  w.apply(AllocationNotQueued{w.queue, 1, "the server ended", false});

  CHECK(w.known().failures.submissions == 0);
  CHECK(w.known().last_number == 1);
}

TEST_CASE("the end of the server cancels what waits and runs") {
  AllocWorld w;
  w.submit(1, 1, "104");
  w.submit(2, 1, "105");
  w.connect("105");
  w.apply(AllocationStarted{w.queue, 2, true});

  w.apply(ServerStopped{});

  CHECK(w.at(1).end == AllocationEndKind::kCanceled);
  CHECK(w.at(2).end == AllocationEndKind::kCanceled);
}

TEST_CASE("ids of queues and numbers of allocations are used once") {
  AllocWorld w;
  w.submit(3, 1, "104");
  CHECK(w.state.misfit({w.now, AllocationSubmitting{w.queue, 3, 1, "/d"}}));

  w.apply(AllocQueueRemoved{w.queue});

  CHECK(w.state.allocations().next_queue_id() == AllocQueueId(2));
  CHECK(w.state.allocations().find("104") == nullptr);
}
