// The format itself: golden files, and what becomes of every damage to a small file.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <tuple>

#include "samples.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

using Record = std::tuple<uint32_t, uint32_t, uint32_t, int, int, uint64_t, std::string>;

std::vector<Record> records_of(const OutputFileReader& file, std::vector<Damage>* damages = nullptr) {
  std::vector<Record> all;
  auto seen =
      file.visit(OutputFileReader::Payloads::kRead, [&](const RecordHeader& r, uint64_t, BytesView b) {
        all.emplace_back(r.key.job.value, r.key.task.value, r.key.instance.value, int(r.channel),
                         int(r.flags), r.position, std::string(b));
      });
  REQUIRE(seen.ok());
  if (damages != nullptr) *damages = *std::move(seen);
  return all;
}

Bytes sample_file(int zstd_level = 0) {
  StreamWriter writer(sample_header(), zstd_level);
  put_sample(writer);
  writer.put_index();
  return take(writer);
}

std::string command_output(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string all;
  std::array<char, 4096> buffer;
  while (size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) all.append(buffer.data(), got);
  CHECK(::pclose(pipe) == 0);
  return all;
}

const std::vector<Record> kSampleRecords = {
    {1, 5, 0, 0, 0, 0, "first "},  {1, 7, 0, 0, 0, 0, "lost"},     {1, 5, 0, 1, 0, 0, "complaint\n"},
    {1, 6, 0, 0, 3, 0, ""},        {1, 5, 0, 0, 1, 6, "second\n"}, {1, 5, 0, 1, 1, 10, ""},
    {1, 7, 1, 0, 3, 0, "again\n"},
};

}  // namespace

TEST_CASE("the bytes of a file are those of its golden file") {
  const std::string path = std::string(HQ_STREAM_GOLDEN) + "/sample.hqs";
  if (std::getenv("HQ_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(HQ_STREAM_GOLDEN);
    write_file(path, sample_file());
  }

  CHECK(sample_file() == read_file(path));
  CHECK(records_of(open_file(path)) == kSampleRecords);
}

TEST_CASE("a compressed file reads as the plain one does") {
  const std::string path = std::string(HQ_STREAM_GOLDEN) + "/sample-zstd.hqs";
  // How well zstd compresses is its own business: the golden file is read, not compared.
  if (std::getenv("HQ_UPDATE_GOLDEN") != nullptr) write_file(path, sample_file(3));

  CHECK(records_of(open_file(path)) == kSampleRecords);
}

TEST_CASE("the reader in Python reads the same") {
  const std::string python = "/usr/bin/python3 " + std::string(HQ_PYTHON_READER) + " ";
  for (const char* name : {"/sample.hqs", "/sample-zstd.hqs"}) {
    const std::string file = HQ_STREAM_GOLDEN + std::string(name);
    CHECK(command_output(python + file + " cat 1 5 0") == "first second\n");
    CHECK(command_output(python + file + " cat 1 5 1") == "complaint\n");
    CHECK(command_output(python + file + " cat 1 6 0").empty());
    CHECK(command_output(python + file + " cat 1 7 0") == "again\n");
  }
}

TEST_CASE("a file cut off anywhere gives every record before the cut, and says what is left over") {
  TempDir dir;
  for (int level : {0, 3}) {
    const Bytes whole = sample_file(level);
    for (size_t length = kOutputFileHeaderBytes; length < whole.size(); ++length) {
      write_file(dir / "f.hqs", BytesView(whole).substr(0, length));
      const OutputFileReader file = open_file(dir / "f.hqs");
      std::vector<Damage> damages;
      const auto records = records_of(file, &damages);

      CAPTURE(length);
      REQUIRE(records.size() <= kSampleRecords.size());
      CHECK(std::equal(records.begin(), records.end(), kSampleRecords.begin()));
      uint64_t covered = kOutputFileHeaderBytes;
      if (level == 0) {
        size_t wanted = 0;
        for (const Record& record : kSampleRecords) {
          covered += kRecordHeaderBytes + std::get<6>(record).size();
          wanted += covered <= length;
        }
        CHECK(records.size() == wanted);
      }
      REQUIRE(damages.size() <= 1);
      if (!damages.empty()) {
        CHECK(damages[0].tail);
        CHECK(damages[0].offset + damages[0].bytes == length);
      }
    }
  }
}

TEST_CASE("what is shorter than a file header is not an output file") {
  TempDir dir;
  const Bytes whole = sample_file();
  for (size_t length = 0; length < kOutputFileHeaderBytes; ++length) {
    write_file(dir / "f.hqs", BytesView(whole).substr(0, length));
    auto file = OutputFileReader::open(dir / "f.hqs");
    REQUIRE(file.ok());
    CHECK_FALSE(file->has_value());
  }
}

TEST_CASE("a flipped bit costs the record it hits and no other, and the place is told") {
  TempDir dir;
  const Bytes whole = sample_file();
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    Bytes damaged = whole;
    damaged[byte] = char(damaged[byte] ^ (1 << byte % 8));
    write_file(dir / "f.hqs", damaged);
    CAPTURE(byte);
    auto opened = OutputFileReader::open(dir / "f.hqs");
    REQUIRE(opened.ok());
    if (byte < kOutputFileHeaderBytes) {
      CHECK_FALSE(opened->has_value());
      continue;
    }
    std::vector<Damage> damages;
    const auto records = records_of(**opened, &damages);

    uint64_t begin = kOutputFileHeaderBytes;
    std::vector<Record> expected;
    bool hit = false;
    for (const Record& record : kSampleRecords) {
      const uint64_t end = begin + kRecordHeaderBytes + std::get<6>(record).size();
      if (byte < begin || byte >= end) {
        expected.push_back(record);
      } else {
        hit = true;
        REQUIRE(damages.size() == 1);
        CHECK(damages[0].offset == begin);
        CHECK(damages[0].bytes == end - begin);
      }
      begin = end;
    }
    CHECK(records == expected);
    // Damage to the index is none to what it lists.
    if (!hit) CHECK((*opened)->attempts()->size() == 4);
  }
}

TEST_CASE("what a task prints is never taken for a record, not even the file itself") {
  TempDir dir;
  StreamWriter writer(sample_header());
  put_sample(writer);
  const Bytes first = take(writer);
  writer.put_all(chunk(key(2, 0), OutputChannel::kStdout, kChannelEnds | kOtherEmpty), first);
  Bytes whole = first + take(writer);
  // The header of the record that holds the copy is destroyed, so the reader searches through the copy.
  whole[first.size() + 20] = char(~whole[first.size() + 20]);
  write_file(dir / "f.hqs", whole);

  std::vector<Damage> damages;
  CHECK(records_of(open_file(dir / "f.hqs"), &damages) == kSampleRecords);
  REQUIRE(damages.size() == 1);
  CHECK(damages[0].offset == first.size());
}
