// What the server keeps: from the pipes of a worker's tasks to a log file, over a connection that may break.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "hq/base/random.h"
#include "hq/stream/batch.h"
#include "hq/stream/catalog.h"
#include "hq/stream/log_store.h"
#include "hq/stream/spool.h"
#include "samples.h"
#include "support/pipe.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

constexpr uint8_t kEnds = kChannelEnds | kOtherEmpty;

RecordHeader record(StreamKey key, uint64_t position, uint8_t flags = 0) {
  RecordHeader header;
  header.key = key;
  header.position = position;
  header.flags = flags;
  header.time = WallTime{5};
  return header;
}

Bytes batch(std::initializer_list<std::pair<RecordHeader, std::string>> records) {
  Bytes bytes;
  for (const auto& [header, payload] : records) put_batch_record(bytes, header, payload);
  return bytes;
}

std::string content_of(const std::string& path, StreamKey task) {
  std::vector<OutputFileReader> files;
  files.push_back(open_file(path));
  auto attempt = OutputCatalog(files).task(task.job, task.task);
  REQUIRE(attempt.ok());
  std::string all;
  if (*attempt) {
    auto damages = OutputCatalog::read(**attempt, kOut, [&](BytesView b) { all.append(b); });
    REQUIRE(damages.ok());
    CHECK(damages->empty());
  }
  return all;
}

struct LogWorld {
  TempDir dir;
  LogPlace place{dir / "sub/log", "abcdef", JobUid(77)};
  std::unique_ptr<LogFiles> files = open();
  uint64_t last = 0;
  std::map<LogBatchId, LogBatchDone> done;

  static std::unique_ptr<LogFiles> open() {
    auto made = make_log_files();
    REQUIRE(made.ok());
    return std::move(*made);
  }
  LogBatchId append(Bytes records) {
    const LogBatchId id(++last);
    files->append(id, place, std::move(records));
    return id;
  }
  LogBatchDone outcome(LogBatchId id) {
    while (!done.contains(id)) {
      pollfd fd{files->event_fd(), POLLIN, 0};
      REQUIRE(::poll(&fd, 1, 30'000) == 1);
      while (auto more = files->next_done()) done[more->id] = *more;
    }
    return done.at(id);
  }
  bool kept(Bytes records) { return outcome(append(std::move(records))).failures.empty(); }
};

// A spool whose packets go to a log file, by a test that plays both connections.
struct Relay : LogWorld {
  OutputPlace output;
  std::unique_ptr<Spool> spool;
  std::map<OutputId, std::optional<std::string>> told;

  Relay() {
    output.server_uid = "abcdef";
    output.log_path = place.path;
    output.job = JobId(1);
    output.job_uid = JobUid(77);
    auto made = make_spool({});
    REQUIRE(made.ok());
    spool = std::move(*made);
  }
  void start(uint32_t task, UniqueFd pipe) {
    spool->start(OutputId(task), output, key(1, task), std::move(pipe), UniqueFd());
  }
  void take_events() {
    while (auto event = spool->next_event()) told[event->id] = event->failure;
  }
  // The next packet, waiting for it; nothing if the end of a task is told and no packet is there.
  std::optional<OutputPacket> packet() {
    while (true) {
      take_events();
      if (auto next = spool->next_packet()) return next;
      if (!told.empty()) return std::nullopt;
      pollfd fd{spool->event_fd(), POLLIN, 0};
      REQUIRE(::poll(&fd, 1, 30'000) == 1);
    }
  }
};

}  // namespace

TEST_CASE("batches are in the file when they are confirmed") {
  LogWorld world;
  CHECK(world.kept(batch({{record(key(1, 1), 0), "one "}, {record(key(1, 2), 0, kEnds), "other"}})));
  CHECK(world.kept(batch({{record(key(1, 1), 4, kEnds), "two"}})));

  CHECK(content_of(world.place.path, key(1, 1)) == "one two");
  CHECK(content_of(world.place.path, key(1, 2)) == "other");
  CHECK(open_file(world.place.path).header().owner == 77);
}

TEST_CASE("what is sent again is not written again, not even in other pieces or after a restart") {
  for (bool restart : {false, true}) {
    LogWorld world;
    CHECK(world.kept(batch({{record(key(1, 1), 0), "one "}, {record(key(1, 2), 0, kEnds), "ended"}})));
    if (restart) {
      world.files.reset();
      world.files = LogWorld::open();
    }
    CHECK(world.kept(batch({{record(key(1, 1), 0), "one "}})));
    if (restart) CHECK(world.kept(batch({{record(key(1, 2), 0, kEnds), "ended"}})));
    CHECK(world.kept(batch({{record(key(1, 1), 2, kEnds), "e two"}})));

    CHECK(content_of(world.place.path, key(1, 1)) == "one two");
    CHECK(content_of(world.place.path, key(1, 2)) == "ended");
  }
}

TEST_CASE("a file that was cut off anywhere is gone on with, and takes again what it has lost") {
  LogWorld world;
  const std::vector<Bytes> batches = {
      batch({{record(key(1, 1), 0), "one "}, {record(key(1, 2), 0), "other "}}),
      batch({{record(key(1, 1), 4, kEnds), "two"}}), batch({{record(key(1, 2), 6, kEnds), "end"}})};
  for (const Bytes& records : batches) CHECK(world.kept(records));
  world.files.reset();
  const Bytes whole = read_file(world.place.path);
  for (size_t length = 0; length <= whole.size(); ++length) {
    CAPTURE(length);
    write_file(world.place.path, BytesView(whole).substr(0, length));
    world.files = LogWorld::open();
    for (const Bytes& records : batches) CHECK(world.kept(records));
    world.files.reset();

    CHECK(content_of(world.place.path, key(1, 1)) == "one two");
    CHECK(content_of(world.place.path, key(1, 2)) == "other end");
  }
}

TEST_CASE("the file of another job is replaced") {
  LogWorld world;
  CHECK(world.kept(batch({{record(key(1, 1), 0, kEnds), "old"}})));
  world.place.owner = JobUid(78);
  CHECK(world.kept(batch({{record(key(2, 1), 0, kEnds), "new"}})));

  CHECK(open_file(world.place.path).attempts()->size() == 1);
  CHECK(content_of(world.place.path, key(2, 1)) == "new");
}

TEST_CASE("a file that can't be made is a failure that names it and the cause") {
  LogWorld world;
  write_file(world.dir / "sub", "a file");
  const auto done = world.outcome(world.append(batch({{record(key(1, 3), 0, kEnds), "lost"}})));

  REQUIRE(done.failures.size() == 1);
  CHECK(done.failures[0].key == key(1, 3));
  CHECK(done.failures[0].why.find(world.dir / "sub") != std::string::npos);
  std::filesystem::remove(world.dir / "sub");
  CHECK(world.kept(batch({{record(key(1, 4), 0, kEnds), "kept"}})));
}

TEST_CASE("a batch that is no batch fails nobody else and breaks nothing") {
  LogWorld world;
  Bytes damaged = batch({{record(key(1, 1), 0, kEnds), "damaged"}});
  damaged.back() = '?';
  (void)world.outcome(world.append(damaged));
  (void)world.outcome(world.append("rubbish"));
  CHECK(world.kept(batch({{record(key(1, 2), 0, kEnds), "fine"}})));

  CHECK(content_of(world.place.path, key(1, 2)) == "fine");
}

TEST_CASE("a task's end is told when the server has confirmed its last packet") {
  Relay relay;
  Pipe pipe;
  REQUIRE(::write(pipe.writing.get(), "hello", 5) == 5);
  relay.start(1, std::move(pipe.reading));
  relay.spool->end(OutputId(1));
  // One packet, or one with the bytes and one with their end, if the latter was known a little later.
  while (const auto packet = relay.packet()) {
    relay.take_events();
    CHECK(relay.told.empty());
    CHECK(relay.kept(packet->records));
    relay.spool->on_kept(packet->number, {});
  }

  CHECK(relay.told == std::map<OutputId, std::optional<std::string>>{{OutputId(1), std::nullopt}});
  CHECK_FALSE(relay.spool->has_packets());
  CHECK(content_of(relay.place.path, key(1, 1)) == "hello");
}

TEST_CASE("a packet whose failure is told fails its task") {
  Relay relay;
  Pipe pipe;
  REQUIRE(::write(pipe.writing.get(), "hello", 5) == 5);
  relay.start(1, std::move(pipe.reading));
  const auto packet = relay.packet();
  REQUIRE(packet.has_value());
  relay.spool->on_kept(packet->number, {{TaskId(1), InstanceId(0), "no room"}});
  relay.take_events();

  CHECK(relay.told.at(OutputId(1)) == "no room");
}

TEST_CASE("when the server is gone for good, tasks end all the same") {
  Relay relay;
  for (uint32_t task = 1; task <= 2; ++task) {
    Pipe pipe;
    const std::string bytes(60'000, 'x');
    REQUIRE(::write(pipe.writing.get(), bytes.data(), bytes.size()) == 60'000);
    relay.start(task, std::move(pipe.reading));
    relay.spool->end(OutputId(task));
  }
  (void)relay.packet();
  relay.spool->abandon();
  while (relay.told.size() < 2) {
    relay.take_events();
    pollfd fd{relay.spool->event_fd(), POLLIN, 0};
    if (relay.told.size() < 2) REQUIRE(::poll(&fd, 1, 30'000) == 1);
  }

  for (const auto& [id, failure] : relay.told) CHECK_FALSE(failure.has_value());
  CHECK_FALSE(relay.spool->has_packets());
}

TEST_CASE("no more than the window is under way; the rest waits in the pipe") {
  Relay relay;
  relay.spool->set_window(100'000);
  Pipe pipe;
  std::string bytes(1'000'000, 'x');
  ::fcntl(pipe.writing.get(), F_SETFL, O_NONBLOCK);
  relay.start(1, std::move(pipe.reading));
  size_t written = 0;
  std::map<uint64_t, OutputPacket> under_way;
  uint64_t under_way_bytes = 0;
  while (written < bytes.size()) {
    const ssize_t put = ::write(pipe.writing.get(), bytes.data() + written, bytes.size() - written);
    if (put > 0) written += size_t(put);
    relay.take_events();
    while (auto packet = relay.spool->next_packet()) {
      under_way_bytes += packet->records.size();
      CHECK(under_way_bytes <= 100'000);
      under_way.emplace(packet->number, *packet);
    }
    if (put > 0 || under_way.empty()) {
      if (put <= 0) poll(nullptr, 0, 1);
      continue;
    }
    CHECK(relay.kept(under_way.begin()->second.records));
    under_way_bytes -= under_way.begin()->second.records.size();
    relay.spool->on_kept(under_way.begin()->first, {});
    under_way.erase(under_way.begin());
  }
  relay.spool->end(OutputId(1));
  while (relay.told.empty()) {
    for (const auto& [number, packet] : std::exchange(under_way, {})) {
      CHECK(relay.kept(packet.records));
      relay.spool->on_kept(number, {});
    }
    relay.take_events();
    if (auto packet = relay.spool->next_packet()) under_way.emplace(packet->number, *packet);
  }

  CHECK((content_of(relay.place.path, key(1, 1)) == bytes));
}

TEST_CASE("a packet is never larger than the window, however small that is") {
  Relay relay;
  relay.spool->set_window(4096);
  Pipe pipe;
  const std::string bytes(60'000, 'x');
  REQUIRE(::write(pipe.writing.get(), bytes.data(), bytes.size()) == 60'000);
  relay.start(1, std::move(pipe.reading));
  relay.spool->end(OutputId(1));
  while (const auto packet = relay.packet()) {
    CHECK(packet->records.size() <= 4096);
    CHECK(relay.kept(packet->records));
    relay.spool->on_kept(packet->number, {});
  }

  CHECK((content_of(relay.place.path, key(1, 1)) == bytes));
}

TEST_CASE("of many tasks that write without end each is read in its turn") {
  constexpr uint32_t kTasks = 10;
  Relay relay;
  relay.spool->set_window(30'000);
  std::map<uint32_t, Pipe> pipes;
  auto fill = [&] {
    const std::string bytes(16'384, 'x');
    for (auto& [task, pipe] : pipes) {
      while (::write(pipe.writing.get(), bytes.data(), bytes.size()) > 0) {
      }
    }
  };
  for (uint32_t task = 1; task <= kTasks; ++task) ::fcntl(pipes[task].writing.get(), F_SETFL, O_NONBLOCK);
  fill();
  for (auto& [task, pipe] : pipes) relay.start(task, std::move(pipe.reading));
  std::map<TaskId, uint64_t> read;
  uint64_t all = 0;
  while (all < 20'000'000) {
    fill();
    const auto packet = relay.packet();
    REQUIRE(packet.has_value());
    CHECK(visit_batch(packet->records, [&](const RecordHeader& record, BytesView payload) {
      read[record.key.task] += payload.size();
      all += payload.size();
    }));
    relay.spool->on_kept(packet->number, {});
  }

  CHECK(read.size() == kTasks);
  for (const auto& [task, bytes] : read) {
    CAPTURE(task.value);
    CHECK(bytes > all / kTasks / 4);
  }
}

TEST_CASE("over any number of broken connections and restarts every byte arrives once") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    Relay relay;
    relay.spool->set_window(30'000);
    std::map<uint32_t, Pipe> pipes;
    std::map<uint32_t, std::string> written;
    for (uint32_t task = 1; task <= 3; ++task) {
      ::fcntl(pipes[task].writing.get(), F_SETFL, O_NONBLOCK);
      relay.start(task, std::move(pipes[task].reading));
    }
    uint64_t arrived = 0;                     // what the server says in its welcome
    std::map<uint64_t, LogBatchId> appended;  // not confirmed to the worker
    auto confirm = [&] {
      for (const auto& [number, id] : std::exchange(appended, {})) {
        CHECK(relay.outcome(id).failures.empty());
        if (!random.chance(0.3)) relay.spool->on_kept(number, {});  // else the confirmation is lost
      }
    };
    auto reconnect = [&] {
      const bool restarted = random.chance(0.3);
      if (restarted) {
        relay.files.reset();
        relay.files = LogWorld::open();
        appended.clear();
      }
      std::vector<uint64_t> pending;
      for (const auto& [number, id] : appended) pending.push_back(number);
      if (restarted) arrived = 0;
      relay.spool->on_resumed(arrived, pending);
    };
    for (int step = 0; step < 200; ++step) {
      const uint32_t task = 1 + uint32_t(random.below(3));
      const std::string bytes(random.below(3000), char('a' + random.below(26)));
      const ssize_t put = ::write(pipes[task].writing.get(), bytes.data(), bytes.size());
      if (put > 0) written[task].append(bytes, 0, size_t(put));
      relay.take_events();
      // On one connection packets arrive in order, until it breaks.
      while (auto packet = relay.spool->next_packet()) {
        if (random.chance(0.1)) {
          reconnect();
          break;
        }
        if (packet->number <= arrived) continue;
        arrived = packet->number;
        appended[packet->number] = relay.append(packet->records);
      }
      if (random.chance(0.3)) confirm();
    }
    for (uint32_t task = 1; task <= 3; ++task) relay.spool->end(OutputId(task));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (relay.told.size() < 3 && std::chrono::steady_clock::now() < end) {
      reconnect();
      while (auto packet = relay.spool->next_packet()) {
        if (packet->number <= arrived) continue;
        arrived = packet->number;
        appended[packet->number] = relay.append(packet->records);
      }
      for (const auto& [number, id] : std::exchange(appended, {})) {
        (void)relay.outcome(id);
        relay.spool->on_kept(number, {});
      }
      relay.take_events();
    }
    CAPTURE(seed);
    REQUIRE(relay.told.size() == 3);
    for (const auto& [id, failure] : relay.told) CHECK_FALSE(failure.has_value());
    for (const auto& [task, bytes] : written) CHECK((content_of(relay.place.path, key(1, task)) == bytes));
  }
}
