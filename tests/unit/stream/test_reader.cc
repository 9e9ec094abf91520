#include <doctest/doctest.h>

#include <chrono>
#include <map>

#include "hq/base/random.h"
#include "samples.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {}  // namespace

TEST_CASE("a task is found by the index, and without one by going through the file") {
  TempDir dir;
  for (int level : {0, 3}) {
    for (bool with_index : {true, false}) {
      StreamWriter writer(sample_header(), level);
      put_sample(writer);
      if (with_index) writer.put_index();
      write_file(dir / "f.hqs", take(writer));
      const OutputFileReader file = open_file(dir / "f.hqs");

      CHECK(file.has_index() == with_index);
      CHECK(content(file, key(1, 5), kOut) == "first second\n");
      CHECK(content(file, key(1, 5), kErr) == "complaint\n");
      CHECK(content(file, key(1, 6), kOut).empty());
      CHECK(content(file, key(1, 7), kOut) == "lost");
      CHECK(content(file, key(1, 7, 1), kOut) == "again\n");
      CHECK(file.find(JobId(1), TaskId(8))->empty());
      CHECK(file.find(JobId(2), std::nullopt)->empty());

      const auto attempts = *file.attempts();
      REQUIRE(attempts.size() == 4);
      CHECK(attempts[0].length == std::array<uint64_t, 2>{13, 10});
      CHECK((attempts[0].flags & (kEndedStdout | kEndedStderr)) == (kEndedStdout | kEndedStderr));
      CHECK(attempts[2].key == key(1, 7));
      CHECK(attempts[2].flags == 0);
      CHECK(*file.find(JobId(1), std::nullopt) == attempts);
    }
  }
}

TEST_CASE("one task out of very many is found with a few looks at the file") {
  constexpr uint32_t kTasks = 300'000;
  constexpr uint64_t kFewReads = 60;
  TempDir dir;
  StreamWriter writer(sample_header());
  Bytes whole;
  for (uint32_t task = 0; task < kTasks; ++task) {
    writer.put(chunk(key(1, task), kOut, kChannelEnds | kOtherEmpty), std::to_string(task));
    if (writer.pending_bytes() > (1 << 20)) whole += take(writer);
  }
  writer.put_index();
  write_file(dir / "f.hqs", whole + take(writer));
  // How often this process has read anything so far.
  const auto reads = [] {
    std::ifstream in("/proc/self/io");
    std::string what;
    uint64_t count = 0;
    while (in >> what >> count && what != "syscr:") {
    }
    return count;
  };
  REQUIRE(reads() > 0);

  const uint64_t before = reads();
  const OutputFileReader file = open_file(dir / "f.hqs");
  const std::string found = content(file, key(1, 123'456), kOut);
  const uint64_t after = reads();

  CHECK(found == "123456");
  CHECK(after - before < kFewReads);
}

TEST_CASE("a file that went on after its index reads whole, and gets a new index") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  writer.put(chunk(key(3, 1), kOut), "begun, ");
  writer.put_index();
  Bytes whole = take(writer);
  CHECK_FALSE(writer.wants_index());
  writer.put(chunk(key(3, 1), kOut, kChannelEnds | kOtherEmpty), "ended");
  whole += take(writer);
  write_file(dir / "f.hqs", whole);
  CHECK(content(open_file(dir / "f.hqs"), key(3, 1), kOut) == "begun, ended");

  REQUIRE(writer.wants_index());
  writer.put_index();
  whole += take(writer);
  write_file(dir / "f.hqs", whole);

  const OutputFileReader file = open_file(dir / "f.hqs");
  CHECK(file.has_index());
  CHECK(file.attempts()->size() == 5);
  CHECK(content(file, key(3, 1), kOut) == "begun, ended");
  CHECK(content(file, key(1, 5), kOut) == "first second\n");
}

TEST_CASE("a position in the middle of a channel gives the rest") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  write_file(dir / "f.hqs", take(writer));
  const OutputFileReader file = open_file(dir / "f.hqs");
  const IndexEntry entry = file.find(JobId(1), TaskId(5))->at(0);

  for (uint64_t position = 0; position <= 14; ++position) {
    std::string rest;
    REQUIRE(file.read(
                    entry, kOut, [&](BytesView bytes) { rest.append(bytes); }, position)
                .ok());
    CHECK(rest == std::string("first second\n").substr(std::min<size_t>(position, 13)));
  }
}

TEST_CASE("of a damaged task the intact records are read, and the damage is named") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  writer.put_index();
  Bytes whole = take(writer);
  whole[whole.find("second")] = 'S';
  write_file(dir / "f.hqs", whole);
  const OutputFileReader file = open_file(dir / "f.hqs");
  const IndexEntry entry = file.find(JobId(1), TaskId(5))->at(0);

  std::string rest;
  const auto damages = file.read(entry, kOut, [&](BytesView bytes) { rest.append(bytes); });

  CHECK(rest == "first ");
  REQUIRE(damages->size() == 1);
  CHECK(damages->at(0).text().find("(7 bytes of stdout of task 1.5)") != std::string::npos);
}

TEST_CASE("a writer goes on with a file that a crash has left") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  writer.put(chunk(key(2, 0), kOut), "half of ");
  Bytes whole = take(writer);
  write_file(dir / "f.hqs", whole + "torn");

  auto recovered = recover_output_file(open_file(dir / "f.hqs"));
  REQUIRE(recovered.ok());
  CHECK(recovered->size == whole.size());
  REQUIRE(recovered->damages.size() == 1);
  StreamWriter next(recovered->header, recovered->size, recovered->attempts);
  CHECK(next.length(key(2, 0), kOut) == 8);
  next.put(chunk(key(2, 0), kOut, kChannelEnds | kOtherEmpty), "it");
  next.put_index();
  write_file(dir / "f.hqs", whole + take(next));

  const OutputFileReader file = open_file(dir / "f.hqs");
  CHECK(file.has_index());
  CHECK(content(file, key(2, 0), kOut) == "half of it");
  CHECK(content(file, key(1, 5), kOut) == "first second\n");
}

TEST_CASE("a writer goes on with a file that came to rest without reading all of it") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  writer.put(chunk(key(2, 0), kOut), std::string(60'000, 'x'));
  writer.put_index();
  Bytes whole = take(writer);
  // Nobody looks at the payload, so nobody sees what is wrong with it.
  whole[whole.find("xxxx") + 30'000] = '?';
  write_file(dir / "f.hqs", whole);

  auto recovered = recover_output_file(open_file(dir / "f.hqs"));
  REQUIRE(recovered.ok());
  CHECK(recovered->size == whole.size());
  CHECK(recovered->damages.empty());
  StreamWriter next(recovered->header, recovered->size, recovered->attempts);
  CHECK(next.length(key(2, 0), kOut) == 60'000);
  next.put(chunk(key(2, 0), kOut, kChannelEnds | kOtherEmpty), "the end");
  next.put_index();
  write_file(dir / "f.hqs", whole + take(next));

  const OutputFileReader file = open_file(dir / "f.hqs");
  CHECK(file.attempts()->size() == 5);
  CHECK(content(file, key(1, 5), kOut) == "first second\n");
}

TEST_CASE("many tasks need several segments, and one of them is found with a few reads") {
  TempDir dir;
  StreamWriter writer(sample_header());
  Bytes whole;
  constexpr uint32_t kTasks = 200'000;
  for (uint32_t task = 0; task < kTasks; ++task) {
    // Not in order, as tasks end.
    const uint32_t id = task ^ 5;
    writer.put(chunk(key(1, id), kOut, kChannelEnds | kOtherEmpty), std::to_string(id));
    if (task % 1000 == 0) whole += take(writer);
  }
  writer.put_index();
  whole += take(writer);
  write_file(dir / "f.hqs", whole);

  const auto begin = std::chrono::steady_clock::now();
  const OutputFileReader file = open_file(dir / "f.hqs");
  for (uint32_t id : {0U, 1U, 65'535U, 65'536U, 131'071U, kTasks - 1}) {
    CHECK(content(file, key(1, id), kOut) == std::to_string(id));
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took < std::chrono::milliseconds(50));
  CHECK(file.attempts()->size() == kTasks);
}

TEST_CASE("bytes read back are the bytes written, whatever their kind and however they are cut up") {
  TempDir dir;
  for (int level : {0, 1}) {
    SeededRandom random(uint64_t(level) + 7);
    StreamWriter writer(sample_header(), level);
    std::map<std::pair<StreamKey, OutputChannel>, std::string> written;
    Bytes whole;
    for (int step = 0; step < 600; ++step) {
      const StreamKey task = key(1, uint32_t(random.below(9)));
      const OutputChannel channel = random.chance(0.5) ? kOut : kErr;
      std::string bytes(random.below(random.chance(0.1) ? 200'000 : 300), '\0');
      for (char& c : bytes) c = char(random.chance(0.5) ? random.next() : 0xe7);
      writer.put_all(chunk(task, channel), bytes);
      written[{task, channel}] += bytes;
      if (random.chance(0.2)) whole += take(writer);
      if (random.chance(0.01)) writer.put_index();
    }
    if (level == 0) writer.put_index();
    whole += take(writer);
    write_file(dir / "f.hqs", whole);

    const OutputFileReader file = open_file(dir / "f.hqs");
    for (const auto& [what, bytes] : written) CHECK(content(file, what.first, what.second) == bytes);
  }
}
