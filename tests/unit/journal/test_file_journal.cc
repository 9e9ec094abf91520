#include <thread>

#include "hq/base/random.h"
#include "journal/read.h"
#include "journal_world.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

const std::string kPath = "d/j.bin";

// How many of the first turns are there, each whole; nothing else may be there.
size_t turns_on(Disk& disk, const std::string& path, const std::vector<std::vector<Record>>& turns) {
  std::vector<NumberedRecord> records;
  auto read = read_files(disk, path, [&](const JournalReport&, uint64_t number, Record&& record) {
    records.push_back({number, std::move(record)});
  });
  REQUIRE(read.ok());
  CHECK_FALSE(read->report.damaged());
  const Bytes found = records.empty() ? Bytes() : encode_records(records);
  for (size_t n = 0; n <= turns.size(); ++n) {
    if (history_of(turns, n) == found) return n;
  }
  FAIL("what was read is no prefix of what was written");
  return 0;
}

}  // namespace

TEST_CASE("what was committed is there when the journal is opened again") {
  TempDir dir;
  const std::string path = dir / "j.bin";
  const Story story(20);
  for (size_t i = 0; i < story.turns().size(); ++i) {
    auto opened = open_journal_on(system_disk(), quick_options(path));
    REQUIRE(opened.ok());
    CHECK(opened->fresh == (i == 0));
    CHECK(opened->report.sentences().empty());
    const CommitNumber commit = opened->journal->append(story.turns()[i]);
    CHECK(wait_for(*opened, commit));
  }

  auto replayed = replay_files(system_disk(), path);

  REQUIRE(replayed.ok());
  const Job* job = replayed->state.find_job(JobId(1));
  REQUIRE(job != nullptr);
  CHECK(job->count(TaskState::kFinished) == 17);
  CHECK(job->count(TaskState::kFailed) == 3);
  CHECK(replayed->state.server_uid() == "abcdef");
  CHECK(turns_on(system_disk(), path, story.turns()) == story.turns().size());
  // Nothing of the reserve is left.
  CHECK(std::filesystem::file_size(path) < 4'000);
}

TEST_CASE("turns that nobody confirmed are written when the journal is closed") {
  FakeDisk disk;
  const Story story(5);
  {
    auto options = quick_options(kPath);
    options.pause = options.lazy = 24h;
    auto opened = open_journal_on(disk, options);
    REQUIRE(opened.ok());
    for (const auto& turn : story.turns()) opened->journal->append(turn);
  }

  CHECK(turns_on(disk, kPath, story.turns()) == story.turns().size());
}

TEST_CASE("turns that come while a pause lasts are one record, unless somebody idle waits") {
  FakeDisk disk;
  auto options = quick_options(kPath);
  options.pause = options.lazy = 24h;
  auto opened = open_journal_on(disk, options);
  REQUIRE(opened.ok());
  const Story story(5);
  opened->journal->append(story.turns()[0]);
  REQUIRE(wait_for(*opened, 1));  // there was no sync for long
  const uint64_t before = disk.syncs();

  for (size_t i = 1; i < 4; ++i) opened->journal->append(story.turns()[i]);
  opened->journal->hasten(Haste::kNobody);
  opened->journal->hasten(Haste::kIdlePeer);

  CHECK(wait_for(*opened, 4));
  CHECK(disk.syncs() == before + 1);
  CHECK(opened->journal->status().unconfirmed_bytes == 0);
}

TEST_CASE("whichever operation of the disk fails once, nothing is lost and all becomes safe") {
  const Story story(4);
  SeededRandom random(1);
  for (uint64_t n = 1;; ++n) {
    CAPTURE(n);
    FakeDisk disk;
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    const uint64_t before = disk.operations();
    disk.fail_at(n, n % 2 == 0 ? EIO : ENOSPC, false);
    CommitNumber last = 0;
    for (const auto& turn : story.turns()) {
      last = opened->journal->append(turn);
      REQUIRE(wait_for(*opened, last));
    }
    const uint64_t operations = disk.operations() - before;
    opened->journal.reset();
    disk.heal();
    disk.crash(random);
    CHECK(turns_on(disk, kPath, story.turns()) == story.turns().size());
    if (operations < n) break;
  }
}

TEST_CASE("a crash at any moment leaves what was confirmed, and at most whole turns more") {
  const Story story(3);
  SeededRandom random(2);
  for (uint64_t n = 1; n < 40; ++n) {
    CAPTURE(n);
    for (int round = 0; round < 10; ++round) {
      FakeDisk disk;
      auto opened = open_journal_on(disk, quick_options(kPath));
      REQUIRE(opened.ok());
      disk.fail_at(n, EIO, true);  // from here on the machine is as good as gone
      CommitNumber confirmed = 0;
      for (const auto& turn : story.turns()) {
        const CommitNumber commit = opened->journal->append(turn);
        while (opened->journal->committed() < commit && opened->journal->status().trouble.empty()) {
        }
        confirmed = opened->journal->committed();
        if (confirmed < commit) break;
      }
      opened->journal.reset();
      disk.heal();
      disk.crash(random);

      CHECK(turns_on(disk, kPath, story.turns()) >= confirmed);
      auto again = open_journal_on(disk, quick_options(kPath));
      REQUIRE(again.ok());
      const size_t there = turns_on(disk, kPath, story.turns());
      for (size_t i = there; i < story.turns().size(); ++i) {
        REQUIRE(wait_for(*again, again->journal->append(story.turns()[i])));
      }
      again->journal.reset();
      CHECK(turns_on(disk, kPath, story.turns()) == story.turns().size());
    }
  }
}

TEST_CASE(
    "while nothing can be written, new work is refused with the cause, results are kept and written later") {
  FakeDisk disk;
  auto options = quick_options(kPath);
  options.most_unconfirmed_bytes = 10'000;
  auto opened = open_journal_on(disk, options);
  REQUIRE(opened.ok());
  const Story story(100);
  CHECK(opened->journal->make_room(100).ok());

  disk.fail_at(1, EDQUOT, true);
  CommitNumber last = 0;
  for (const auto& turn : story.turns()) last = opened->journal->append(turn);
  while (opened->journal->status().trouble.empty()) {
  }

  CHECK(opened->journal->status().trouble == "'d/j.bin': Disk quota exceeded (os error 122)");
  CHECK(opened->journal->status().waiting > 0ns);
  CHECK(opened->journal->overfull());
  auto room = opened->journal->make_room(100);
  REQUIRE_FALSE(room.ok());
  CHECK(room.error().message == "'d/j.bin': Disk quota exceeded (os error 122)");
  CHECK(opened->journal->committed() < last);

  disk.heal();
  CHECK(wait_for(*opened, last));
  CHECK_FALSE(opened->journal->overfull());
  CHECK(opened->journal->make_room(100).ok());
  CHECK(opened->journal->status().trouble.empty());
  opened->journal.reset();
  CHECK(turns_on(disk, kPath, story.turns()) == story.turns().size());
}

TEST_CASE("a disk that has no room for the reserve takes no new work, but the results of the old") {
  FakeDisk disk;
  disk.free = 8 << 20;
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());

  auto room = opened->journal->make_room(100);
  REQUIRE_FALSE(room.ok());
  CHECK(room.error().message.ends_with("No space left on device (os error 28)"));
  CHECK(wait_for(*opened, opened->journal->append(Story(1).turns()[0])));

  disk.free = uint64_t{1} << 40;  // seen at the next try
  while (!opened->journal->make_room(100).ok()) {
  }
}

TEST_CASE("more than the reserve is taken where the disk has room for it") {
  FakeDisk disk;
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());
  CHECK(opened->journal->make_room(uint64_t{1} << 30).ok());
  CHECK_FALSE(opened->journal->make_room(uint64_t{1} << 41).ok());
}

TEST_CASE("a failed file is left as it is, and the next one begins with what was not safe") {
  FakeDisk disk;
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());
  const Story story(2);
  REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[0])));
  const size_t size = disk.content(kPath).size();
  disk.fail_at(2, EIO, false);  // the sync
  REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[1])));
  REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[2])));
  opened->journal.reset();

  CHECK(disk.content(kPath).size() > size);
  CHECK(disk.paths() == std::vector<std::string>{kPath, kPath + ".2"});
  CHECK(turns_on(disk, kPath, story.turns()) == 3);
}

TEST_CASE("errors of opening say what the system says") {
  FakeDisk disk;
  disk.set_content("d/short", "x\n");
  disk.set_content("d/foreign", std::string(5'000, 'x'));
  auto opened = open_journal_on(disk, quick_options("d/short"));
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message == "failed to fill whole buffer");
  opened = open_journal_on(disk, quick_options("d/foreign"));
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message == "Invalid journal format");
  CHECK(disk.content("d/foreign") == std::string(5'000, 'x'));
}

TEST_CASE("an empty file becomes a journal") {
  FakeDisk disk;
  disk.set_content(kPath, "");
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());
  CHECK(opened->fresh);
}

TEST_CASE("a file of a newer format is refused, with both numbers") {
  FakeDisk disk;
  FileHeader header;
  header.version = 7;
  disk.set_content(kPath, beginning_of(header));
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().message == "'d/j.bin' was written by a newer hq (format 7, this one reads 1)");
}

TEST_CASE("events that a replaced owner still wrote do not count") {
  FakeDisk disk;
  const Story story(5);
  auto old_owner = open_journal_on(disk, quick_options(kPath));
  REQUIRE(old_owner.ok());
  REQUIRE(wait_for(*old_owner, old_owner->journal->append(story.turns()[0])));
  FileHeader header;
  header.epoch = 2;
  header.first_number = 2;
  disk.set_content(kPath + ".2", beginning_of(header));
  REQUIRE(wait_for(*old_owner, old_owner->journal->append(story.turns()[1])));
  old_owner->journal.reset();

  CHECK(turns_on(disk, kPath, story.turns()) == 1);
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());
  REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[1])));
  opened->journal.reset();
  CHECK(turns_on(disk, kPath, story.turns()) == 2);
}

TEST_CASE("pruning drops jobs that have ended, keeps the others, the numbers and what ids are used") {
  FakeDisk disk;
  SeededRandom random(3);
  const Story story(6);
  uint64_t numbers = 0;
  {
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    for (const auto& turn : story.turns()) {
      numbers += turn.size();
      opened->journal->append(turn);
    }
    const auto record = [](Event event) { return Record{kStart, std::move(event)}; };
    const auto one = submit().array(0, 2).shared();
    REQUIRE(wait_for(
        *opened,
        opened->journal->append(
            {record(JobSubmitted{JobId(2), JobUid(6), false, "k", std::nullopt, one}),
             record(TasksAssigned{WorkerId(1), {{JobId(2), {0, 0, 1}, InstanceId(0), 0, true}}}),
             record(JobOpened{JobId(3), JobUid(7), "o", std::nullopt}), record(JobClosed{JobId(3)})})));
    numbers += 4;
    const size_t before = disk.content(kPath).size();
    REQUIRE(prune(*opened));
    CHECK(opened->journal->take_notes().empty());
    CHECK(disk.content(kPath).size() < before);
    REQUIRE(wait_for(*opened, opened->journal->append({record(JobClosed{JobId(2)})})));
  }
  disk.crash(random);

  auto opened = open_journal_on(disk, quick_options(kPath));

  REQUIRE(opened.ok());
  CHECK(opened->report.sentences().empty());
  CHECK(opened->report.last_number == numbers + 1);
  opened->restored.check_invariants();
  CHECK(opened->restored.job_ids() == std::vector<JobId>{JobId(2)});
  CHECK(opened->restored.next_job_id() == JobId(4));
  CHECK(opened->restored.connected_count() == 1);
  CHECK(disk.paths() == std::vector<std::string>{kPath});
}

TEST_CASE("a shorter journal has the queues of allocations that are there, and the ids of those that were") {
  SeededRandom random(3);
  FakeDisk disk;
  WorkerConfig config = worker_config(4);
  config.manager = ManagerKind::kPbs;
  config.manager_job_id = "104.srv";
  {
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    const auto record = [](Event event) { return Record{kStart, std::move(event)}; };
    const auto params = std::make_shared<const AllocParams>(full_alloc_params());
    REQUIRE(wait_for(
        *opened,
        opened->journal->append({
            record(ServerStarted{"abcdef"}),
            record(AllocQueueCreated{AllocQueueId(1), params}),
            record(AllocQueueCreated{AllocQueueId(2), params}),
            record(AllocQueueCreated{AllocQueueId(3), params}),
            record(AllocationSubmitting{AllocQueueId(2), 1, 1, "/d"}),
            record(AllocationQueued{AllocQueueId(2), 1, "104.srv"}),
            record(WorkerConnected{WorkerId(1), WorkerUid(9), std::make_shared<const WorkerConfig>(config)}),
            record(AllocationStarted{AllocQueueId(2), 1, true}),
            record(WorkerLost{WorkerId(1), LossReason::kIdleTimeout, false}),
            record(AllocationEnded{AllocQueueId(2), 1, AllocationEndKind::kNormal, false, "", {}, {}}),
            record(WorkerConnected{WorkerId(2), WorkerUid(10), std::make_shared<const WorkerConfig>()}),
            record(AllocQueueRemoved{AllocQueueId(1)}),
            record(AllocQueueRemoved{AllocQueueId(3)}),
        })));
    REQUIRE(prune(*opened));
    CHECK(opened->journal->take_notes().empty());
  }
  disk.crash(random);

  auto opened = open_journal_on(disk, quick_options(kPath));

  REQUIRE(opened.ok());
  const Allocations& kept = opened->restored.allocations();
  opened->restored.check_invariants();
  REQUIRE(kept.queues().size() == 1);
  CHECK(kept.next_queue_id() == AllocQueueId(4));
  CHECK(kept.find("104.srv")->state == AllocationState::kFinished);
  CHECK(kept.find(AllocQueueId(2))->known_config->resources == config.resources);
}

TEST_CASE("whatever fails while a journal is made shorter, it holds the same") {
  const Story story(9);
  SeededRandom random(4);
  for (uint64_t n = 1; n < 60; ++n) {
    CAPTURE(n);
    FakeDisk disk;
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    CommitNumber last = 0;
    for (const auto& turn : story.turns()) last = opened->journal->append(turn);
    REQUIRE(wait_for(*opened, last));
    disk.fail_at(n, EIO, random.chance(0.5));
    REQUIRE(prune(*opened));
    disk.heal();
    REQUIRE(wait_for(*opened, opened->journal->append({{kStart, JobOpened{JobId(2), JobUid(1), "o", {}}}})));
    opened->journal.reset();
    disk.crash(random);

    auto again = open_journal_on(disk, quick_options(kPath));
    REQUIRE(again.ok());
    CHECK_FALSE(again->report.damaged());
    CHECK(again->restored.next_job_id() == JobId(3));
    CHECK(again->restored.find_job(JobId(2)) != nullptr);
  }
}

TEST_CASE("while a journal is made shorter, what is appended becomes safe, and is in the new one") {
  FakeDisk disk;
  SeededRandom random(5);
  const Story story(40);
  const auto opened_job = [](uint32_t id) {
    return std::vector<Record>{{kStart, JobOpened{JobId(id), JobUid(id), "o", {}}}};
  };
  uint32_t last_job = 1;
  uint64_t numbers = 0;
  {
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    for (const auto& turn : story.turns()) {
      numbers += turn.size();
      REQUIRE(wait_for(*opened, opened->journal->append(turn)));
    }
    const size_t before = disk.content(kPath).size();
    disk.hold_create(kPath + ".compact");
    const uint64_t wish = opened->journal->prune();
    disk.await_held();

    for (int i = 0; i < 5; ++i) REQUIRE(wait_for(*opened, opened->journal->append(opened_job(++last_job))));
    REQUIRE(wait_for(*opened, opened->journal->append({{kStart, JobForgotten{JobId(1)}}})));
    CHECK(opened->journal->pruned() < wish);
    disk.release();
    while (opened->journal->pruned() < wish) {
      REQUIRE(wait_for(*opened, opened->journal->append(opened_job(++last_job))));
    }

    CHECK(disk.content(kPath).size() < before + last_job * 100);
    CHECK(opened->journal->take_notes().empty());
    REQUIRE(wait_for(*opened, opened->journal->append(opened_job(++last_job))));
  }
  disk.crash(random);

  auto opened = open_journal_on(disk, quick_options(kPath));

  REQUIRE(opened.ok());
  CHECK(opened->report.sentences().empty());
  CHECK(opened->report.last_number == numbers + last_job);
  CHECK(opened->restored.job_ids().size() == last_job - 1);
  CHECK(opened->restored.find_job(JobId(1)) == nullptr);
  CHECK(disk.paths() == std::vector<std::string>{kPath});
}

TEST_CASE("a journal that is closed while it is made shorter is as it was, or shorter") {
  FakeDisk disk;
  const Story story(10);
  uint64_t numbers = 0;
  {
    auto opened = open_journal_on(disk, quick_options(kPath));
    REQUIRE(opened.ok());
    for (const auto& turn : story.turns()) {
      numbers += turn.size();
      opened->journal->append(turn);
    }
    disk.hold_create(kPath + ".compact");
    opened->journal->prune();
    disk.await_held();
    std::thread later([&] { disk.release(); });
    opened->journal.reset();
    later.join();
  }

  auto opened = open_journal_on(disk, quick_options(kPath));

  REQUIRE(opened.ok());
  CHECK(opened->report.sentences().empty());
  CHECK(opened->report.last_number == numbers);
  CHECK(opened->restored.next_job_id() == JobId(2));
  CHECK(disk.paths() == std::vector<std::string>{kPath});
}

TEST_CASE("a reader gets what is safe, each event once, also across new files and a shorter journal") {
  FakeDisk disk;
  auto options = quick_options(kPath);
  auto opened = open_journal_on(disk, options);
  REQUIRE(opened.ok());
  const Story story(8);
  auto reader = opened->journal->read(0);
  uint64_t told = 0;
  const auto read_on = [&] {
    for (;;) {
      auto block = reader->next();
      REQUIRE(block.ok());
      if (!*block) return;
      auto decoded = decode_records((*block)->records);
      REQUIRE(decoded.ok());
      CHECK(decoded->last_number == (*block)->last);
      for (const NumberedRecord& item : decoded->records) {
        CHECK(item.number == told + 1);
        told = item.number;
      }
    }
  };
  uint64_t appended = 0;
  for (size_t i = 0; i < story.turns().size(); ++i) {
    if (i == 3) disk.fail_at(1, EIO, false);
    if (i == 5) {
      REQUIRE(prune(*opened));
    }
    appended += story.turns()[i].size();
    REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[i])));
    if (i % 2 == 0) {
      read_on();
      CHECK(told == appended);
    }
  }
  read_on();
  CHECK(told == appended);
}

TEST_CASE("a reader that has seen some events gets the others, whatever became of the files meanwhile") {
  FakeDisk disk;
  const Story story(8);
  uint64_t appended = 0;
  {
    auto options = quick_options(kPath);
    options.pause = options.lazy = 24h;
    auto opened = open_journal_on(disk, options);
    REQUIRE(opened.ok());
    for (const auto& turn : story.turns()) {
      appended += turn.size();
      opened->journal->append(turn);
    }
  }
  auto opened = open_journal_on(disk, quick_options(kPath));
  REQUIRE(opened.ok());
  bool shorter = false;
  SUBCASE("nothing") {}
  SUBCASE("made shorter") {
    REQUIRE(wait_for(*opened, opened->journal->append({{kStart, JobOpened{JobId(2), JobUid(1), "o", {}}}})));
    ++appended;
    REQUIRE(prune(*opened));
    shorter = true;
  }
  for (uint64_t after = 0; after <= appended; ++after) {
    CAPTURE(after);
    auto reader = opened->journal->read(after);
    std::vector<uint64_t> numbers;
    for (;;) {
      auto block = reader->next();
      REQUIRE(block.ok());
      if (!*block) break;
      auto decoded = decode_records((*block)->records);
      REQUIRE(decoded.ok());
      for (const NumberedRecord& item : decoded->records) numbers.push_back(item.number);
    }
    CHECK((numbers.empty() || numbers.front() > after));
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
    if (!shorter) CHECK(numbers.size() == appended - after);
    if (after < appended) CHECK(numbers.back() == appended);
  }

  auto ahead = opened->journal->read(appended + 1)->next();

  REQUIRE_FALSE(ahead.ok());
  CHECK(ahead.error().message == "there is no event " + std::to_string(appended + 1) + ", the last one is " +
                                     std::to_string(appended));
}

TEST_CASE("a journal for convenience is given up at once for what is larger than it may be") {
  FakeDisk disk;
  auto options = quick_options(kPath);
  options.limit_bytes = 3'000;
  auto opened = open_journal_on(disk, options);
  REQUIRE(opened.ok());
  SubmitDescription large = submit().value();
  large.task.program.stdin_data.assign(4'000, 'x');
  const auto submitted = std::make_shared<const SubmitDescription>(std::move(large));

  REQUIRE(wait_for(*opened, opened->journal->append(
                                {{kStart, JobSubmitted{JobId(1), JobUid(1), false, "j", {}, submitted}}})));

  std::vector<std::string> notes;
  while (notes.empty()) notes = opened->journal->take_notes();
  CHECK(notes[0].find("it would take more than") != std::string::npos);
  REQUIRE(wait_for(*opened, opened->journal->append({{kStart, JobClosed{JobId(1)}}})));
}

TEST_CASE(
    "a journal for convenience is given up, with a word, when it cannot be written or grows too large") {
  FakeDisk disk;
  auto options = quick_options(kPath);
  options.limit_bytes = 3'000;
  auto opened = open_journal_on(disk, options);
  REQUIRE(opened.ok());
  const Story story(200);
  SUBCASE("it grows") {}
  SUBCASE("it fails") {
    disk.fail_at(3, ENOSPC, true);
  }
  CommitNumber last = 0;
  for (const auto& turn : story.turns()) {
    last = opened->journal->append(turn);
    REQUIRE(wait_for(*opened, last));
  }

  CHECK(opened->journal->make_room(uint64_t{1} << 50).ok());
  std::vector<std::string> notes;
  while (notes.empty()) {
    notes = opened->journal->take_notes();
    REQUIRE(wait_for(*opened, opened->journal->append(story.turns()[2])));
  }
  CHECK(notes[0].starts_with("What this server does is not kept any longer"));
}
