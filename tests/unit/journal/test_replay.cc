#include <chrono>
#include <cstring>

#include "journal/read.h"
#include "journal_world.h"

using namespace hq;
using namespace hq::test;

namespace {

const std::string kReplayed = "j.bin";

// A journal file with one record per turn.
Bytes file_of(const std::vector<std::vector<Record>>& turns, std::vector<uint64_t>* ends = nullptr) {
  Bytes bytes = beginning_of({});
  uint64_t number = 1;
  for (const auto& turn : turns) {
    std::vector<NumberedRecord> records;
    for (const Record& record : turn) records.push_back({number++, record});
    put_frame(bytes, 0, FrameKind::kRecord, encode_records(records));
    if (ends != nullptr) ends->push_back(bytes.size());
  }
  return bytes;
}

Result<Replayed> replay(const Bytes& bytes) {
  FakeDisk disk;
  disk.set_content(kReplayed, bytes);
  auto replayed = replay_files(disk, kReplayed);
  if (replayed) replayed->state.check_invariants();
  return replayed;
}

uint64_t ended(const State& state) {
  const Job* job = state.find_job(JobId(1));
  return job == nullptr ? 0 : job->count(TaskState::kFinished) + job->count(TaskState::kFailed);
}

}  // namespace

TEST_CASE("of every prefix of a journal the whole records are restored") {
  const Story story(12);
  std::vector<uint64_t> ends;
  const Bytes bytes = file_of(story.turns(), &ends);
  for (size_t n = kMagic.size(); n <= bytes.size(); ++n) {
    auto replayed = replay(bytes.substr(0, n));
    REQUIRE(replayed.ok());
    const size_t whole = size_t(std::upper_bound(ends.begin(), ends.end(), n) - ends.begin());
    CHECK(ended(replayed->state) == (whole < 2 ? 0 : whole - 2));
    CHECK_FALSE(replayed->read.report.damaged());
    CHECK(replayed->read.report.set_aside_events == 0);
  }
}

TEST_CASE("any flipped byte leaves a state, costs at most one turn, and is reported") {
  const Story story(12);
  std::vector<uint64_t> ends;
  const Bytes bytes = file_of(story.turns(), &ends);
  for (size_t at = 0; at < bytes.size(); ++at) {
    CAPTURE(at);
    Bytes broken = bytes;
    broken[at] = char(broken[at] ^ 0x40);
    auto replayed = replay(broken);
    REQUIRE(replayed.ok());
    const JournalReport& report = replayed->read.report;
    CHECK((report.damaged() || report.torn));
    CHECK_FALSE(report.sentences().empty());
    const size_t turn = size_t(std::upper_bound(ends.begin(), ends.end(), at) - ends.begin());
    // Without the job nothing can be known of its tasks; a lost end is one task that is run again.
    if (turn != 1) CHECK(ended(replayed->state) >= 11);
    if (turn == 1) CHECK(report.set_aside_events > 0);
  }
}

TEST_CASE("behind a gap, ends count although nobody tells of their beginning") {
  std::vector<std::vector<Record>> turns;
  const auto add = [&](Event event) { turns.push_back({{kStart, std::move(event)}}); };
  const auto config = std::make_shared<const WorkerConfig>(worker_config(4));
  TaskEnd end;
  end.at = kStart;
  add(ServerStarted{"u"});
  add(JobSubmitted{JobId(1), JobUid(1), false, "j", std::nullopt, submit().array(1, 3).shared()});
  add(WorkerConnected{WorkerId(1), WorkerUid(1), config});                           // lost
  add(TasksAssigned{WorkerId(1), {{JobId(1), {1, 2, 1}, InstanceId(0), 0, true}}});  // lost
  add(ServerStarted{"u"});
  end.task = {JobId(1), TaskId(1)};
  add(TasksEnded{WorkerId(1), {end}});
  add(WorkerConnected{WorkerId(2), WorkerUid(2), config});
  add(TasksAssigned{WorkerId(2), {{JobId(1), {2, 2, 1}, InstanceId(1), 0, false}}});
  end.task = {JobId(1), TaskId(2)};
  end.instance = InstanceId(1);
  add(TasksEnded{WorkerId(2), {end}});
  std::vector<uint64_t> ends;
  Bytes bytes = file_of(turns, &ends);
  std::memset(bytes.data() + ends[1], 0, ends[3] - ends[1]);

  auto replayed = replay(bytes);

  REQUIRE(replayed.ok());
  CHECK(ended(replayed->state) == 2);
  CHECK(replayed->read.report.missing == std::vector<std::pair<uint64_t, uint64_t>>{{3, 4}});
  CHECK(replayed->read.report.set_aside_events == 0);
  CHECK(replayed->read.report.mended_events > 0);
}

TEST_CASE("tasks that a worker did not know any more behind a gap are named") {
  std::vector<std::vector<Record>> turns;
  const auto add = [&](Event event) { turns.push_back({{kStart, std::move(event)}}); };
  add(ServerStarted{"u"});
  add(WorkerConnected{WorkerId(1), WorkerUid(1), std::make_shared<const WorkerConfig>(worker_config(4))});
  add(JobSubmitted{JobId(1), JobUid(1), false, "j", std::nullopt, submit().array(1, 3).shared()});
  add(TasksAssigned{WorkerId(1), {{JobId(1), {1, 2, 1}, InstanceId(0), 0, true}}});
  add(JobOpened{JobId(2), JobUid(2), "o", {}});  // lost
  add(ServerStarted{"u"});
  add(TasksReturned{WorkerId(1), {{{JobId(1), TaskId(2)}, InstanceId(0), LossReason::kStopped}}});
  std::vector<uint64_t> ends;
  Bytes bytes = file_of(turns, &ends);
  const auto whole = replay(bytes);
  std::memset(bytes.data() + ends[3], 0, ends[4] - ends[3]);

  auto replayed = replay(bytes);

  REQUIRE(replayed.ok());
  REQUIRE(whole.ok());
  CHECK(whole->read.report.sentences().empty());
  const std::vector<std::string> sentences = replayed->read.report.sentences();
  CHECK(sentences.back() ==
        "Started anew: task 2 of job 1, since worker 1 did not know instance 0 of it any more, which may "
        "have run");
  CHECK(replayed->state.find_job(JobId(1))->groups[0]->instance(1) == InstanceId(1));
}

TEST_CASE("events that do not fit are set aside one by one, and named") {
  std::vector<std::vector<Record>> turns = Story(2).turns();
  turns.insert(turns.begin() + 2, {{kStart, JobClosed{JobId(9)}}, {kStart, ServerStarted{"abcdef"}}});

  auto replayed = replay(file_of(turns));

  REQUIRE(replayed.ok());
  CHECK(ended(replayed->state) == 2);
  REQUIRE(replayed->read.report.set_aside.size() == 1);
  CHECK(replayed->read.report.sentences() ==
        std::vector<std::string>{"Set aside: event 4 (job-close): there is no such job"});
}

TEST_CASE("a million finished and a million waiting tasks are restored") {
  constexpr uint32_t kTasks = 1'000'000;
  constexpr uint32_t kBatch = 64;
  Bytes bytes = beginning_of({});
  uint64_t number = 1;
  const auto put = [&](std::vector<Event> events) {
    std::vector<NumberedRecord> records;
    for (Event& event : events) records.push_back({number++, {kStart, std::move(event)}});
    put_frame(bytes, 0, FrameKind::kRecord, encode_records(records));
  };
  put({ServerStarted{"u"},
       WorkerConnected{WorkerId(1), WorkerUid(1), std::make_shared<const WorkerConfig>(worker_config(64))},
       JobSubmitted{JobId(1), JobUid(1), false, "j", std::nullopt, submit().array(0, kTasks).shared()},
       JobSubmitted{JobId(2), JobUid(1), false, "j", std::nullopt, submit().array(0, kTasks).shared()}});
  for (uint32_t first = 0; first < kTasks; first += kBatch) {
    TasksEnded ends{WorkerId(1), {}};
    for (uint32_t i = first; i < first + kBatch && i < kTasks; ++i) {
      TaskEnd end;
      end.task = {JobId(1), TaskId(i)};
      end.at = kStart - Duration(int64_t(i % 4'000) * 1'000);
      end.usage = {float(1'000 + i % 500) * 1e-6F, 0.0005F, 0.0004F, 1'500 + i % 64 * 4};
      ends.tasks.push_back(end);
    }
    const uint32_t last = ends.tasks.back().task.task.value;
    put({TasksAssigned{WorkerId(1), {{JobId(1), {first, last, 1}, InstanceId(0), 0, false}}},
         std::move(ends)});
  }
  CHECK(bytes.size() < uint64_t{kTasks} * 20);

  FakeDisk disk;
  disk.set_content(kReplayed, bytes);
  const auto begin = std::chrono::steady_clock::now();
  auto replayed = replay_files(disk, kReplayed);
  const auto took = std::chrono::steady_clock::now() - begin;

  REQUIRE(replayed.ok());
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  MESSAGE("a million ended tasks take " << (bytes.size() >> 20) << " MiB and are read in " << ms << " ms");
  CHECK(replayed->state.find_job(JobId(1))->count(TaskState::kFinished) == kTasks);
  CHECK(replayed->state.find_job(JobId(2))->count(TaskState::kWaiting) == kTasks);
}
