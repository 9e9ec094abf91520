// Small output files for tests.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "hq/stream/reader.h"
#include "hq/stream/writer.h"

namespace hq::test {

inline constexpr auto kOut = OutputChannel::kStdout;
inline constexpr auto kErr = OutputChannel::kStderr;

inline OutputFileHeader sample_header() {
  return {"abcdef", 0, WorkerId(3), WallTime{1'700'000'000'000'000'000}, 0x0123456789abcdef};
}

inline StreamKey key(uint32_t job, uint32_t task, uint32_t instance = 0) {
  return {JobId(job), TaskId(task), InstanceId(instance)};
}

inline StreamWriter::Chunk chunk(StreamKey key, OutputChannel channel, uint8_t flags = 0, int64_t at_ms = 0) {
  return {key, channel, flags, WallTime{1'700'000'000'000'000'000 + at_ms * 1'000'000}};
}

// Takes all that is pending as if it were written.
inline Bytes take(StreamWriter& writer) {
  Bytes bytes(writer.pending());
  writer.on_written();
  return bytes;
}

// Three tasks: one with both channels and two records in one of them, one silent, one lost and started again.
inline void put_sample(StreamWriter& writer) {
  writer.put(chunk(key(1, 5), kOut, 0, 1), "first ");
  writer.put(chunk(key(1, 7), kOut, 0, 2), "lost");
  writer.put(chunk(key(1, 5), kErr, 0, 3), "complaint\n");
  writer.put(chunk(key(1, 6), kOut, kChannelEnds | kOtherEmpty, 4), "");
  writer.put(chunk(key(1, 5), kOut, kChannelEnds, 5), "second\n");
  writer.put(chunk(key(1, 5), kErr, kChannelEnds, 6), "");
  writer.put(chunk(key(1, 7, 1), kOut, kChannelEnds | kOtherEmpty, 7), "again\n");
}

inline void write_file(const std::string& path, BytesView bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

inline Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline OutputFileReader open_file(const std::string& path) {
  auto file = OutputFileReader::open(path);
  REQUIRE(file.ok());
  REQUIRE(file->has_value());
  return std::move(**file);
}

// What is left of a channel, in the order of positions; damage is not an error.
inline std::string content(const OutputFileReader& file, StreamKey key, OutputChannel channel) {
  auto entries = file.find(key.job, key.task);
  REQUIRE(entries.ok());
  std::string all;
  for (const IndexEntry& entry : *entries) {
    if (entry.key != key) continue;
    REQUIRE(file.read(entry, channel, [&](BytesView bytes) { all.append(bytes); }).ok());
  }
  return all;
}

}  // namespace hq::test
