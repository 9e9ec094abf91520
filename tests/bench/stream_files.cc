// Makes a directory of output files as workers leave it: stream_files DIRECTORY TASKS FILES. Each task of job
// 1 has printed one line; they are dealt out to the files in turns.
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "hq/stream/writer.h"

namespace {

constexpr size_t kAtOnce = size_t{4} << 20;

uint32_t number(const char* text) {
  const std::string_view word = text;
  uint32_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

bool make_file(const std::string& path, uint32_t first, uint32_t step, uint32_t tasks) {
  using namespace hq;
  std::ofstream out(path, std::ios::binary);
  StreamWriter writer({"abcdef", 0, WorkerId(first), WallTime{1'700'000'000'000'000'000},
                       uint64_t{first} << 32 | 0x1234'5678});
  const auto flush = [&] {
    const BytesView bytes = writer.pending();
    out.write(bytes.data(), std::streamsize(bytes.size()));
    writer.on_written();
  };
  for (uint32_t task = first; task <= tasks; task += step) {
    writer.put({{JobId(1), TaskId(task), InstanceId(0)},
                OutputChannel::kStdout,
                kChannelEnds | kOtherEmpty,
                WallTime{}},
               "this is the output of task " + std::to_string(task) + "\n");
    if (writer.pending_bytes() > kAtOnce) flush();
  }
  writer.put_index();
  flush();
  return bool(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || number(argv[2]) == 0 || number(argv[3]) == 0) {
    std::fprintf(stderr, "usage: stream_files DIRECTORY TASKS FILES\n");
    return 2;
  }
  const uint32_t files = number(argv[3]);
  std::filesystem::create_directories(argv[1]);
  for (uint32_t file = 1; file <= files; ++file) {
    if (!make_file(std::string(argv[1]) + "/worker" + std::to_string(file) + ".hqs", file, files,
                   number(argv[2])))
      return 1;
  }
  return 0;
}
