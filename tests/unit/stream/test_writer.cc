#include <doctest/doctest.h>

#include "samples.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {}  // namespace

TEST_CASE("what can't be written costs the attempts whose bytes it holds, and the file stays in order") {
  TempDir dir;
  for (int level : {0, 3}) {
    StreamWriter writer(sample_header(), level);
    writer.put(chunk(key(1, 1), kOut, kChannelEnds | kOtherEmpty), "safe");
    writer.put(chunk(key(1, 2), kOut), "half, ");
    writer.put(chunk(key(1, 3), kOut), "untouched, ");
    Bytes whole = take(writer);

    writer.put(chunk(key(1, 2), kOut, kChannelEnds | kOtherEmpty), "lost");
    writer.put(chunk(key(1, 4), kOut, kChannelEnds | kOtherEmpty), "lost too");
    writer.put_index();
    CHECK(writer.pending_bytes() > 0);
    CHECK(writer.on_lost() == std::vector<StreamKey>{key(1, 2), key(1, 4)});
    CHECK(writer.pending_bytes() == 0);
    writer.put(chunk(key(1, 3), kOut, kChannelEnds | kOtherEmpty), "complete");
    writer.put_index();
    whole += take(writer);
    write_file(dir / "f.hqs", whole);

    const OutputFileReader file = open_file(dir / "f.hqs");
    CHECK(file.has_index());
    REQUIRE(file.attempts()->size() == 3);
    CHECK(content(file, key(1, 1), kOut) == "safe");
    CHECK(content(file, key(1, 2), kOut) == "half, ");
    CHECK(content(file, key(1, 3), kOut) == "untouched, complete");
    CHECK(file.find(JobId(1), TaskId(2))->at(0).flags == 0);
  }
}

TEST_CASE("a file that could not even be begun is begun again") {
  TempDir dir;
  StreamWriter writer(sample_header());
  writer.put(chunk(key(1, 1), kOut), "lost");
  CHECK(writer.on_lost() == std::vector<StreamKey>{key(1, 1)});

  writer.put(chunk(key(1, 2), kOut, kChannelEnds | kOtherEmpty), "kept");
  write_file(dir / "f.hqs", take(writer));

  CHECK(content(open_file(dir / "f.hqs"), key(1, 2), kOut) == "kept");
}

TEST_CASE("a segment that can't be written is made again") {
  TempDir dir;
  StreamWriter writer(sample_header());
  Bytes whole;
  for (uint32_t task = 0; task < kEntriesInSegment - 1; ++task) {
    writer.put(chunk(key(1, task), kOut, kChannelEnds | kOtherEmpty), "");
  }
  whole += take(writer);

  writer.put(chunk(key(1, kEntriesInSegment), kOut, kChannelEnds | kOtherEmpty), "lost");
  CHECK(writer.on_lost().size() == 1);
  writer.put(chunk(key(1, kEntriesInSegment + 1), kOut, kChannelEnds | kOtherEmpty), "kept");
  writer.put_index();
  whole += take(writer);
  write_file(dir / "f.hqs", whole);

  const OutputFileReader file = open_file(dir / "f.hqs");
  CHECK(file.has_index());
  CHECK(file.attempts()->size() == kEntriesInSegment);
  CHECK(content(file, key(1, kEntriesInSegment + 1), kOut) == "kept");
}

TEST_CASE("a small task costs one record, and one without output no bytes of payload") {
  StreamWriter writer(sample_header());
  writer.put(chunk(key(1, 1), kOut, kChannelEnds | kOtherEmpty), "out\n");
  CHECK(take(writer).size() == kOutputFileHeaderBytes + kRecordHeaderBytes + 4);
  writer.put(chunk(key(1, 2), kOut, kChannelEnds | kOtherEmpty), "");
  CHECK(take(writer).size() == kRecordHeaderBytes);
}
