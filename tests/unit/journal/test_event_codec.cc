#include <doctest/doctest.h>

#include "hq/base/random.h"
#include "samples.h"
#include "support/thin.h"

using namespace hq;
using namespace hq::test;

namespace {

bool same(const Event& a, const Event& b);

bool same_row(const TaskEnd& a, const TaskEnd& b) {
  return a.task == b.task && a.instance == b.instance && a.finished == b.finished && a.variant == b.variant &&
         a.at == b.at && a.usage == b.usage && a.failure == b.failure;
}
bool same_row(const TaskStart& a, const TaskStart& b) {
  return a.task == b.task && a.instance == b.instance && a.variant == b.variant && a.at == b.at;
}
bool same_row(const ReturnedTask& a, const ReturnedTask& b) {
  return a.task == b.task && a.instance == b.instance && a.lost == b.lost;
}
bool same_row(const AssignedRange& a, const AssignedRange& b) {
  return a.job == b.job && a.ids == b.ids && a.instance == b.instance && a.variant == b.variant &&
         a.slot == b.slot && a.nodes == b.nodes;
}
template <class Row>
bool same_rows(const std::vector<Row>& a, const std::vector<Row>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Row& x, const Row& y) { return same_row(x, y); });
}

bool same_event(const ServerStarted& a, const ServerStarted& b) {
  return a.server_uid == b.server_uid && a.window == b.window;
}
bool same_event(const ServerStopped&, const ServerStopped&) {
  return true;
}
bool same_event(const WorkerConnected& a, const WorkerConnected& b) {
  return a.worker == b.worker && a.uid == b.uid && *a.config == *b.config;
}
bool same_event(const WorkerLost& a, const WorkerLost& b) {
  return a.worker == b.worker && a.reason == b.reason && a.held == b.held;
}
bool same_event(const WorkerFenced& a, const WorkerFenced& b) {
  return a.worker == b.worker;
}
bool same_event(const WorkerMeasured& a, const WorkerMeasured& b) {
  return a.worker == b.worker && *a.overview == *b.overview;
}
bool same_event(const JobSubmitted& a, const JobSubmitted& b) {
  return a.job == b.job && a.uid == b.uid && a.attach == b.attach && a.name == b.name &&
         a.max_fails == b.max_fails && *a.submit == *b.submit;
}
bool same_event(const JobOpened& a, const JobOpened& b) {
  return a.job == b.job && a.uid == b.uid && a.name == b.name && a.max_fails == b.max_fails;
}
bool same_event(const JobCanceled& a, const JobCanceled& b) {
  return a.job == b.job && a.reason == b.reason;
}
bool same_event(const TasksAborted& a, const TasksAborted& b) {
  return a.job == b.job && a.tasks == b.tasks;
}
bool same_event(const TasksAssigned& a, const TasksAssigned& b) {
  return a.worker == b.worker && same_rows(a.ranges, b.ranges);
}
bool same_event(const TasksReclaimed& a, const TasksReclaimed& b) {
  return a.worker == b.worker && a.lost == b.lost && same_rows(a.ranges, b.ranges);
}
bool same_event(const AllocQueueCreated& a, const AllocQueueCreated& b) {
  return a.queue == b.queue && *a.params == *b.params;
}
bool same_event(const AllocQueuePaused& a, const AllocQueuePaused& b) {
  return a.queue == b.queue && a.by_failures == b.by_failures;
}
bool same_event(const AllocationSubmitting& a, const AllocationSubmitting& b) {
  return a.queue == b.queue && a.number == b.number && a.workers == b.workers && a.directory == b.directory;
}
bool same_event(const AllocationQueued& a, const AllocationQueued& b) {
  return a.queue == b.queue && a.number == b.number && a.allocation == b.allocation;
}
bool same_event(const AllocationNotQueued& a, const AllocationNotQueued& b) {
  return a.queue == b.queue && a.number == b.number && a.cause == b.cause && a.counts == b.counts;
}
bool same_event(const AllocationStarted& a, const AllocationStarted& b) {
  return a.queue == b.queue && a.number == b.number && a.by_worker == b.by_worker;
}
bool same_event(const AllocationEnded& a, const AllocationEnded& b) {
  return a.queue == b.queue && a.number == b.number && a.kind == b.kind && a.failed == b.failed &&
         a.cause == b.cause && a.started == b.started && a.ended == b.ended;
}
template <class E>
requires requires(E e) {
  e.queue;
}
bool same_event(const E& a, const E& b) {
  return a.queue == b.queue;
}
template <class E>
requires requires(E e) {
  e.tasks;
}
bool same_event(const E& a, const E& b) {
  return a.worker == b.worker && same_rows(a.tasks, b.tasks);
}
template <class E>
bool same_event(const E& a, const E& b) {
  return a.job == b.job;
}

bool same(const Event& a, const Event& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&](const auto& x) { return same_event(x, std::get<std::decay_t<decltype(x)>>(b)); }, a);
}

bool same(const std::vector<NumberedRecord>& a, const std::vector<NumberedRecord>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.number == y.number && x.record.time == y.record.time && same(x.record.event, y.record.event);
  });
}

// As a worker's report of `n` short tasks makes them.
TasksEnded ended_batch(uint32_t first, uint32_t n, WallTime time, Random& random) {
  TasksEnded event{WorkerId(3), {}};
  for (uint32_t i = 0; i < n; ++i) {
    TaskEnd end;
    end.task = {JobId(12), TaskId(first + i)};
    const float ago = float(double(random.below(4'000)) * 1e-6);
    end.at = time - Duration(int64_t(double{ago} * 1e9));
    end.usage.ran_s = float(double(900 + random.below(1'500)) * 1e-6);
    end.usage.user_s = float(double(300 + random.below(500)) * 1e-6);
    end.usage.system_s = float(double(300 + random.below(500)) * 1e-6);
    end.usage.peak_kib = uint32_t(1'500 + 4 * random.below(40));
    event.tasks.push_back(end);
  }
  return event;
}

TasksStarted started_batch(const TasksEnded& ends) {
  TasksStarted event{ends.worker, {}};
  for (const TaskEnd& end : ends.tasks) event.tasks.push_back({end.task, end.instance, 0, end.at});
  return event;
}

size_t size_of(Event event, uint64_t number) {
  const NumberedRecord item{number, {kStart, std::move(event)}};
  return encode_records({&item, 1}).size();
}

}  // namespace

TEST_CASE("events of every kind come back as they were, alone and together") {
  const std::vector<NumberedRecord> all = numbered(one_of_each(), 1'000'000);

  auto together = decode_records(encode_records(all));

  REQUIRE(together.ok());
  CHECK(same(together->records, all));
  CHECK(together->unknown == 0);
  CHECK(together->last_number == all.back().number);
  for (const NumberedRecord& item : all) {
    auto alone = decode_records(encode_records({&item, 1}));
    REQUIRE(alone.ok());
    CHECK(same(alone->records, {item}));
  }
}

TEST_CASE("numbers may have gaps and times may go back") {
  std::vector<NumberedRecord> records = numbered({JobClosed{JobId(1)}, JobClosed{JobId(2)}, ServerStopped{}});
  records[1].number = 1000;
  records[2].number = uint64_t{1} << 40;
  records[2].record.time = WallTime{-5};

  auto back = decode_records(encode_records(records));

  REQUIRE(back.ok());
  CHECK(same(back->records, records));
}

TEST_CASE("times and durations that no worker would send come back exactly, too") {
  TasksEnded event{WorkerId(1), {}};
  for (float f : {0.0F, -0.0F, -1.0F, 1e-9F, 0.3F, 16'777.216F, 1e30F, 3.4e38F}) {
    TaskEnd end;
    end.task = {JobId(1), TaskId(1)};
    end.at = kStart - Duration(int64_t(double{f} < 1e8 ? double{f} * 1e9 : 7.0));
    end.usage.ran_s = f;
    event.tasks.push_back(end);
  }
  const std::vector<NumberedRecord> records = numbered({event});

  auto back = decode_records(encode_records(records));

  REQUIRE(back.ok());
  CHECK(same(back->records, records));
}

TEST_CASE("events take as few bytes as promised") {
  SeededRandom random(1);
  const WallTime time = kStart;
  const TasksEnded ends = ended_batch(40'000, 16, time, random);

  const size_t lone =
      size_of(TasksAssigned{WorkerId(3), {{JobId(12), {40'000, 40'000, 1}, InstanceId(0), 0, true}}},
              5'000'000) +
      size_of(ended_batch(40'000, 1, time, random), 5'000'001);
  const size_t assigned = size_of(
      TasksAssigned{WorkerId(3), {{JobId(12), {40'000, 40'015, 1}, InstanceId(0), 0, false}}}, 5'000'000);
  const size_t started = size_of(started_batch(ends), 5'000'001);
  const size_t ended = size_of(ends, 5'000'002);
  MESSAGE("lone " << lone << ", of 16: " << assigned << " + " << started << " + " << ended);

  constexpr size_t kFrame = 7;  // around each record in the file
  CHECK(lone + 2 * kFrame <= 80);
  CHECK(assigned + kFrame <= 16 * 2);
  CHECK(ended + kFrame <= 16 * 16);
  CHECK(assigned + started + ended + 3 * kFrame <= 16 * 22);
}

TEST_CASE("kinds that are not known are skipped, and counted") {
  std::vector<NumberedRecord> records =
      numbered({JobClosed{JobId(1)}, JobForgotten{JobId(9)}, JobClosed{JobId(2)}});
  Bytes bytes = encode_records(records);
  const size_t forgotten = bytes.find('\x0b', 1);  // the kind of the second event
  REQUIRE(forgotten < 8);
  bytes[forgotten] = 100;

  auto back = decode_records(bytes);

  REQUIRE(back.ok());
  CHECK(back->unknown == 1);
  CHECK(same(back->records, {records[0], records[2]}));
}

TEST_CASE("no bytes make the decoder do anything but fail or succeed") {
  const std::vector<NumberedRecord> all = numbered(one_of_each());
  const Bytes good = encode_records(all);
  for (size_t n = 0; n < good.size(); ++n) CHECK_FALSE(decode_records(BytesView(good).substr(0, n)).ok());

  SeededRandom random(7);
  for (uint64_t round = 0; round < test::rounds(20'000); ++round) {
    Bytes bytes = good;
    for (uint64_t n = 1 + random.below(4); n > 0; --n)
      bytes[random.below(bytes.size())] = char(random.next());
    const Bytes exact(bytes.data(), bytes.size());
    if (auto decoded = decode_records(exact); decoded && !decoded->records.empty()) {
      CHECK(decode_records(encode_records(decoded->records)).ok());
    }
  }
}
