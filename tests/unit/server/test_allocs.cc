// Queues of allocations: when the batch system is asked, and what its answers, workers and clients change.
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct Queues : TestServer {
  explicit Queues(bool durable = false) : TestServer(durable) {}

  AllocQueueId add_queue(uint32_t cpus = 1, uint32_t backlog = 1, uint32_t nodes = 1) {
    msg::AddAllocQueue request;
    request.no_trial = true;
    request.params.time_limit = 1h;
    request.params.backlog = backlog;
    request.params.max_workers_per_alloc = nodes;
    request.params.resources = worker_config(cpus).resources;
    return ask<msg::AllocQueueAdded>(request).queue;
  }
  // The submission that the batch system was asked for, after a while.
  std::pair<BatchId, BatchSubmit> submission() {
    advance(6s);
    const auto found = batch.next<BatchSubmit>();
    REQUIRE(found);
    return *found;
  }
  void accept(const std::string& id) {
    batch.answer({submission().first, id, {}, {}});
    turn();
  }
  void refuse() {
    batch.answer({submission().first, "", {}, BatchFailure{"sbatch execution failed", "Exit code: 1"}});
    turn();
  }
  // Answers the question about all allocations, which comes each half an hour.
  void tell(const std::string& id, BatchStatus::State status) {
    for (int i = 0; i < 32 && !batch.next<BatchQuery>(); ++i) advance_slowly(1min);
    const auto query = batch.next<BatchQuery>();
    REQUIRE(query);
    BatchAnswer answer;
    answer.request = query->first;
    answer.statuses[id] = {status, "told", std::nullopt, std::nullopt};
    batch.answer(answer);
    turn();
  }
  void advance_slowly(Duration duration) {
    for (Duration passed{0}; passed < duration; passed += 2s) {
      sleep(2s);
      turn();
    }
  }
  TestWorker& worker_of(const std::string& allocation, uint32_t cpus = 1) {
    WorkerConfig config = worker_config(cpus);
    config.manager = ManagerKind::kSlurm;
    config.manager_job_id = allocation;
    return add_worker(config);
  }
  std::vector<msg::AllocationInfo> allocations(uint32_t queue = 1) {
    return ask<msg::AllocationList>(msg::GetAllocations{AllocQueueId(queue)}).allocations;
  }
  msg::AllocQueueInfo queue() { return ask<msg::AllocQueueList>(msg::ListAllocQueues{}).queues.at(0); }
  size_t count() {
    size_t n = 0;
    for (const auto& [id, request] : batch.asked) n += std::holds_alternative<BatchSubmit>(request);
    return n;
  }
};

using State_ = AllocationState;

}  // namespace

TEST_CASE("a waiting task makes the server submit, and the answer is an allocation") {
  Queues w;
  w.add_queue(4);
  w.submit(submit().array(0, 10));

  const BatchSubmit asked = w.submission().second;
  CHECK(asked.directory.ends_with("/autoalloc/1/001"));
  CHECK(asked.script.find("#SBATCH --nodes=1") != std::string::npos);
  CHECK(w.allocations().empty());
  w.accept("104");

  REQUIRE(w.allocations().size() == 1);
  CHECK(w.allocations()[0].id == "104");
  CHECK(w.allocations()[0].state == State_::kQueued);
  w.advance(30s);
  CHECK(w.count() == 0);
}

TEST_CASE("nothing is asked of the batch system before the journal has it") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.journal.hold();
  w.advance(6s);
  CHECK(w.batch.asked.empty());

  w.journal.release();
  w.turn();

  CHECK(w.batch.next<BatchSubmit>());
}

TEST_CASE("several allocations of a queue are submitted one after the other, up to the first that fails") {
  Queues w;
  w.add_queue(1, 3);
  w.submit(submit().array(0, 10));
  w.advance(6s);
  CHECK(w.count() == 1);
  w.accept("104");
  CHECK(w.count() == 1);

  w.refuse();

  CHECK(w.count() == 0);
  CHECK(w.queue().failed_submissions == 1);
  CHECK(w.queue().last_failure == "sbatch execution failed: Exit code: 1");
  CHECK(*w.queue().next_attempt > w.now.wall + 40s);
  w.advance_slowly(30s);
  CHECK(w.count() == 0);
  w.advance_slowly(40s);
  CHECK(w.count() == 1);
}

TEST_CASE("an allocation runs from its first worker on, and ends with the last one") {
  Queues w;
  w.add_queue(1, 1, 2);
  w.submit(submit().array(0, 2));
  w.accept("104");

  TestWorker& first = w.worker_of("104");
  CHECK(w.allocations()[0].state == State_::kRunning);
  TestWorker& second = w.worker_of("104");
  CHECK(w.queue().known_resources == first.config.resources);

  w.advance(61s);
  w.close(first);
  CHECK(w.allocations()[0].state == State_::kRunning);
  w.close(second);

  CHECK(w.allocations()[0].state == State_::kFinished);
  CHECK(w.allocations()[0].end == AllocationEndKind::kNormal);
}

TEST_CASE("an allocation whose workers are lost at once has failed") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  TestWorker& worker = w.worker_of("104");

  w.close(worker);

  CHECK(w.allocations()[0].state == State_::kFailed);
  CHECK(w.queue().failed_allocations == 1);
  CHECK(w.queue().last_failure == "All workers of allocation 104 were lost within a minute");
}

TEST_CASE("the batch system is asked for all allocations at once, and only while a queue is active") {
  Queues w;
  w.add_queue(1, 2);
  w.submit(submit().array(0, 2));
  w.accept("104");
  w.accept("105");
  w.advance_slowly(31min);

  const auto query = w.batch.next<BatchQuery>();
  REQUIRE(query);
  CHECK(query->second.ids == std::vector<std::string>{"104", "105"});
  w.batch.answer({query->first, "", {}, {}});
  w.turn();
  w.ask<msg::Done>(msg::PauseAllocQueue{AllocQueueId(1)});
  w.advance_slowly(61min);

  CHECK_FALSE(w.batch.next<BatchQuery>());
}

TEST_CASE("what the batch system says of an allocation is taken over") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");

  w.tell("104", BatchStatus::State::kQueued);
  CHECK(w.allocations()[0].state == State_::kQueued);
  w.tell("104", BatchStatus::State::kRunning);
  CHECK(w.allocations()[0].state == State_::kRunning);
  w.tell("104", BatchStatus::State::kFailed);

  CHECK(w.allocations()[0].state == State_::kFailed);
  CHECK(w.allocations()[0].end == AllocationEndKind::kUnexpected);
  CHECK(w.queue().last_failure == "told");
}

TEST_CASE("an allocation whose workers are there is not taken for gone") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  TestWorker& worker = w.worker_of("104");
  worker.runs();
  w.advance(25min);
  for (int i = 0; i < 20 && !w.batch.next<BatchQuery>(); ++i) w.advance(1min);
  const auto query = w.batch.next<BatchQuery>();
  REQUIRE(query);
  BatchAnswer answer;
  answer.request = query->first;
  answer.statuses["104"].state = BatchStatus::State::kGone;
  w.batch.answer(answer);
  w.turn();

  CHECK(w.allocations()[0].state == State_::kRunning);
}

TEST_CASE("after many answers that tell nothing an allocation is given up, at nobody's fault") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");

  for (int i = 0; i < 10; ++i) w.tell("104", BatchStatus::State::kUnclear);
  CHECK(w.allocations()[0].state == State_::kQueued);
  w.tell("104", BatchStatus::State::kUnclear);

  CHECK(w.allocations()[0].state == State_::kFailed);
  CHECK(w.queue().failed_allocations == 0);
}

TEST_CASE("a trial comes before the queue, and its failure is the answer") {
  Queues w;
  msg::AddAllocQueue request;
  request.params.time_limit = 1h;
  const PeerId client = w.new_client();
  w.request(client, request);
  CHECK(w.replies(client).empty());
  auto trial = w.batch.next<BatchTrial>();
  REQUIRE(trial);
  CHECK(trial->second.submit.directory == trial->second.root + "/autoalloc/0/001");

  w.batch.answer(
      {trial->first,
       "",
       {},
       BatchFailure{"Could not submit allocation: sbatch execution failed", "Exit code: 3\nStderr: no"}});
  w.turn();

  const auto failed = w.replies(client);
  REQUIRE(failed.size() == 1);
  CHECK(std::get<msg::Failed>(failed[0].message).message ==
        "Could not submit allocation: sbatch execution failed\n\nCaused by:\n    Exit code: 3\n    Stderr: "
        "no\nYou can find the submitted script at " +
            trial->second.submit.directory + "/hq-submit.sh");
  CHECK(w.state().allocations().queues().empty());

  w.request(client, request);
  trial = w.batch.next<BatchTrial>();
  w.batch.answer({trial->first, "7", {}, {}});
  w.turn();

  CHECK(std::get<msg::AllocQueueAdded>(w.replies(client).at(0).message).queue == AllocQueueId(1));
}

TEST_CASE("a queue with running allocations is removed by force only, and these are canceled") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  w.worker_of("104");

  CHECK(
      w.ask<msg::Failed>(msg::RemoveAllocQueue{AllocQueueId(1), false}).message ==
      "Allocation queue has running jobs, so it will not be removed. Use `--force` if you want to remove the "
      "queue anyway");
  w.ask<msg::Done>(msg::RemoveAllocQueue{AllocQueueId(1), true});

  CHECK(w.batch.next<BatchCancel>()->second == BatchCancel{ManagerKind::kSlurm, "104"});
  CHECK(w.ask<msg::Failed>(msg::GetAllocations{AllocQueueId(1)}).message == "Queue 1 not found");
}

TEST_CASE("what was submitted for a queue that is gone by then is canceled") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  const BatchId id = w.submission().first;
  w.ask<msg::Done>(msg::RemoveAllocQueue{AllocQueueId(1), false});

  w.batch.answer({id, "104", {}, {}});
  w.turn();

  CHECK(w.batch.next<BatchCancel>()->second.id == "104");
}

TEST_CASE("the end of the server waits until its allocations are canceled") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  w.ask<msg::Done>(msg::StopServer{});
  w.advance(1s);
  CHECK_FALSE(w.server->finished());
  const auto cancel = w.batch.next<BatchCancel>();
  REQUIRE(cancel);

  w.batch.answer({cancel->first, "", {}, {}});
  w.turn();
  w.advance(2s);

  CHECK(w.server->finished());
}

TEST_CASE("a batch system that hangs does not keep the server from ending") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  w.ask<msg::Done>(msg::StopServer{});

  w.advance(20s);

  CHECK(w.server->finished());
}

TEST_CASE("a server that leaves to come back cancels nothing") {
  Queues w(true);
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.accept("104");
  w.ask<msg::Done>(msg::StopServer{true});
  w.advance(1s);

  CHECK(w.server->finished());
  CHECK_FALSE(w.batch.next<BatchCancel>());
}

TEST_CASE("a server that leaves while something is submitted awaits the answer, and cancels nothing") {
  Queues w(true);
  w.add_queue();
  w.submit(submit().array(0, 1));
  const BatchId id = w.submission().first;
  w.ask<msg::Done>(msg::StopServer{true});
  w.advance(1s);
  CHECK_FALSE(w.server->finished());

  w.batch.answer({id, "104", {}, {}});
  w.turn();
  w.advance(1s);

  CHECK(w.server->finished());
  CHECK_FALSE(w.batch.next<BatchCancel>());
  w.restart();
  CHECK(w.batch.next<BatchRecall>());
}

TEST_CASE("a restarted server knows its queues, and the workers of their allocations") {
  Queues w(true);
  w.add_queue();
  w.submit(submit().array(0, 2));
  w.accept("104");
  TestWorker& worker = w.worker_of("104");
  w.refuse();
  w.ask<msg::Done>(msg::PauseAllocQueue{AllocQueueId(1)});
  const msg::AllocQueueInfo before = w.queue();
  const auto allocations = w.allocations();

  w.restart();

  CHECK(w.queue() == before);
  CHECK(w.allocations() == allocations);
  TestWorker& back = w.reconnect(worker);
  back.register_now();
  w.advance(61s);
  w.close(back);
  w.advance(2s);
  CHECK(w.allocations()[0].state == State_::kFinished);
}

TEST_CASE("a submission that a crash cut off is found again by its directory") {
  Queues w(true);
  w.add_queue();
  w.submit(submit().array(0, 1));
  const auto directory = w.submission().second.directory;
  w.batch.asked.clear();

  w.restart();
  const auto recall = w.batch.next<BatchRecall>();
  REQUIRE(recall);
  CHECK(recall->second.directory == directory);
  w.batch.answer({recall->first, "104", {}, {}});
  w.turn();

  CHECK(w.allocations().at(0).id == "104");
  w.advance(40s);
  CHECK(w.count() == 0);
}

TEST_CASE("a submission that was cut off and left nothing is made anew") {
  Queues w(true);
  w.add_queue();
  w.submit(submit().array(0, 1));
  w.submission();
  w.batch.asked.clear();
  w.restart();

  w.batch.answer({w.batch.next<BatchRecall>()->first, "", {}, {}});
  w.turn();

  CHECK(w.submission().second.directory.ends_with("/autoalloc/1/002"));
  CHECK(w.queue().failed_submissions == 0);
}

TEST_CASE("directories of failed submissions are removed in the end, but for the newest") {
  Queues w;
  w.add_queue();
  w.submit(submit().array(0, 1));
  for (int i = 0; i < 22; ++i) {
    w.refuse();
    w.ask<msg::Done>(msg::ResumeAllocQueue{AllocQueueId(1)});
  }
  w.advance_slowly(31min);

  const auto discard = w.batch.next<BatchDiscard>();
  REQUIRE(discard);
  CHECK(discard->second.directories.size() == 2);
  CHECK(discard->second.directories[0].ends_with("/autoalloc/1/001"));
}

TEST_CASE("a queue with nonsense in it is refused") {
  Queues w;
  msg::AddAllocQueue request;
  request.params.time_limit = 1h;
  request.params.backlog = 0;
  CHECK(w.ask<msg::Failed>(request).message == "Backlog has to be at least 1");
  request.params.backlog = 1;
  request.params.worker_time_limit = 2h;
  CHECK(w.ask<msg::Failed>(request).message == "Worker time limit cannot be larger than queue time limit");
  request.params.worker_time_limit.reset();
  request.params.manager = ManagerKind::kNone;
  CHECK(w.ask<msg::Failed>(request).message == "An allocation queue needs a manager");
}
