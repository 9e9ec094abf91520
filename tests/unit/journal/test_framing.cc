#include <doctest/doctest.h>

#include <cstring>

#include "hq/base/random.h"
#include "journal/framing.h"

using namespace hq;

namespace {

struct Written {
  uint64_t begin;
  uint64_t end;
  Bytes bytes;
};

// A file of records of these sizes, and where each is.
struct File {
  Bytes bytes{kMagic};
  std::vector<Written> records;

  void add(size_t size, Random& random) {
    Bytes record(size, '\0');
    for (char& c : record) c = char(random.next());
    const uint64_t begin = bytes.size();
    put_frame(bytes, 0, FrameKind::kRecord, record);
    records.push_back({begin, bytes.size(), record});
  }
};

struct Read {
  std::vector<Bytes> records;
  std::vector<BadBytes> damage;
  uint64_t end = 0;
  bool torn = false;
};

Read read(const Bytes& bytes) {
  FrameReader reader(
      [&](uint64_t offset, char* to, size_t size) -> Result<size_t> {
        std::memcpy(to, bytes.data() + offset, size);
        return size;
      },
      bytes.size());
  Read out;
  while (auto frame = reader.next()) out.records.emplace_back(frame->bytes);
  out.damage = reader.damage();
  out.end = reader.end();
  out.torn = reader.torn();
  return out;
}

// The records that [begin, end) does not touch.
std::vector<Bytes> untouched(const File& file, uint64_t begin, uint64_t end) {
  std::vector<Bytes> out;
  for (const Written& w : file.records) {
    if (w.end <= begin || w.begin >= end) out.push_back(w.bytes);
  }
  return out;
}

File small_file() {
  SeededRandom random(3);
  File file;
  for (size_t size : std::initializer_list<size_t>{1, 40, 300, 5, 77}) file.add(size, random);
  return file;
}

File large_file() {
  SeededRandom random(4);
  File file;
  for (size_t size : std::initializer_list<size_t>{100, 20'000, 70'000, 12, 32'000, 9, 150'000, 3, 3, 32'761,
                                                   32'768, 500, 65'000, 8})
    file.add(size, random);
  return file;
}

}  // namespace

TEST_CASE("records of all sizes come back, wherever blocks end") {
  SeededRandom random(2);
  for (size_t first = kBlockBytes - 64; first < kBlockBytes + 64; ++first) {
    File file;
    file.add(first, random);
    file.add(10, random);
    file.add(kBlockBytes * 2, random);
    const Read back = read(file.bytes);
    CHECK(back.records == untouched(file, 0, 0));
    CHECK(back.damage.empty());
    CHECK(back.end == file.bytes.size());
    CHECK_FALSE(back.torn);
  }
}

TEST_CASE("of every prefix of a file, all whole records are read") {
  for (const File& file : {small_file(), large_file()}) {
    const size_t step = file.bytes.size() > 10'000 ? 97 : 1;
    for (size_t n = 0; n <= file.bytes.size(); n += step) {
      const Read back = read(file.bytes.substr(0, n));
      CHECK(back.records == untouched(file, n, file.bytes.size() + 1));
      CHECK(back.damage.empty());  // an end that is missing is no damage
      if (!back.records.empty()) CHECK(back.end == file.records[back.records.size() - 1].end);
    }
  }
}

TEST_CASE("a flipped byte costs the record it is in, and no other") {
  const File file = small_file();
  for (size_t at = 0; at < file.bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes = file.bytes;
      bytes[at] = char(bytes[at] ^ (1 << bit));
      const Read back = read(bytes);
      CHECK(back.records == untouched(file, at, at + 1));
    }
  }
}

TEST_CASE("flipped bytes in a large file cost the records they are in") {
  const File file = large_file();
  for (size_t at = 0; at < file.bytes.size(); at += 211) {
    Bytes bytes = file.bytes;
    bytes[at] = char(bytes[at] ^ 0x10);
    const Read back = read(bytes);
    CHECK(back.records == untouched(file, at, at + 1));
  }
}

TEST_CASE("a zeroed or foreign block costs the records that touch it; the report says where") {
  const File file = large_file();
  SeededRandom random(5);
  const size_t blocks = (file.bytes.size() + kBlockBytes - 1) / kBlockBytes;
  for (size_t block = 0; block + 1 < blocks; ++block) {
    for (int how = 0; how < 3; ++how) {
      Bytes bytes = file.bytes;
      const size_t begin = block * kBlockBytes;
      if (how == 0) std::memset(bytes.data() + begin, 0, kBlockBytes);
      if (how == 1) {
        for (size_t i = 0; i < kBlockBytes; ++i) bytes[begin + i] = char(random.next());
      }
      // A good block of another place.
      if (how == 2)
        std::memcpy(bytes.data() + begin, file.bytes.data() + (block == 0) * kBlockBytes, kBlockBytes);
      if (bytes == file.bytes) continue;
      const Read back = read(bytes);
      CHECK(back.records == untouched(file, begin, begin + kBlockBytes));
      REQUIRE_FALSE(back.damage.empty());
      CHECK(back.damage.front().offset <= begin + (block == 0 ? kMagic.size() : 0));
      uint64_t end = 0;
      for (const BadBytes& d : back.damage) end = std::max(end, d.offset + d.size);
      CHECK(end >= begin + kBlockBytes);
    }
  }
}

TEST_CASE("zeros behind the last record are room, not damage; other bytes are a torn record") {
  File file = small_file();
  const size_t end = file.bytes.size();
  file.bytes.append(100'000, '\0');
  Read back = read(file.bytes);
  CHECK(back.records.size() == file.records.size());
  CHECK(back.damage.empty());
  CHECK(back.end == end);
  CHECK_FALSE(back.torn);

  file.bytes[end + 5'000] = 1;
  back = read(file.bytes);
  CHECK(back.torn);
  CHECK(back.end == end);
}

TEST_CASE("a journal inside a journal's data is not taken for records") {
  const File inner = small_file();
  File file;
  put_frame(file.bytes, 0, FrameKind::kRecord, inner.bytes + inner.bytes);
  file.bytes[20] = char(file.bytes[20] ^ 1);

  CHECK(read(file.bytes).records.empty());
}

TEST_CASE("blocks that cannot be read are damage like any other") {
  const File file = large_file();
  FrameReader reader(
      [&](uint64_t offset, char* to, size_t size) -> Result<size_t> {
        if (offset == 3 * kBlockBytes) return Error("it is broken");
        std::memcpy(to, file.bytes.data() + offset, size);
        return size;
      },
      file.bytes.size());
  std::vector<Bytes> records;
  while (auto frame = reader.next()) records.emplace_back(frame->bytes);

  CHECK(records == untouched(file, 3 * kBlockBytes, 4 * kBlockBytes));
  REQUIRE_FALSE(reader.damage().empty());
}
