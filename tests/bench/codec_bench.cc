// Processor time per task, row and byte of the codecs. Prints one line per case: what, how much, ns each.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "hq/protocol/client_codec.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/worker_codec.h"
#include "support/protocol_samples.h"

using namespace hq;

namespace {

// Of the processor: other programs on the machine don't count.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

double seconds_since(double start) {
  return cpu_seconds() - start;
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().full_text().c_str());
    std::exit(1);
  }
  return std::move(*result);
}

void bench_reports() {
  constexpr int kRounds = 20'000;
  const msg::FromWorker message = samples::report(limits::kReportTasks);
  size_t bytes = 0;
  auto start = cpu_seconds();
  for (int i = 0; i < kRounds; ++i) bytes = encode(SessionId(1), message).size();
  const double encoding = seconds_since(start);
  const Bytes frame = encode(SessionId(1), message);
  size_t tasks = 0;
  start = cpu_seconds();
  for (int i = 0; i < kRounds; ++i)
    tasks += std::get<msg::Report>(must(decode_from_worker(frame)).message).ended.size();
  const double decoding = seconds_since(start);
  std::printf("report of %u: %.1f bytes, encode %.1f ns, decode %.1f ns per task (started + ended)\n",
              limits::kReportTasks, double(bytes) / limits::kReportTasks, encoding / double(tasks) * 1e9,
              decoding / double(tasks) * 1e9);
}

void bench_runs() {
  constexpr int kRounds = 20'000;
  msg::RunTasks runs;
  for (uint32_t i = 0; i < 64; ++i)
    runs.runs.push_back({DefinitionId(1 + i / 16), {i * 3, i * 3, 1}, InstanceId(0), 0, false, false, {}});
  const msg::ToWorker message = runs;
  const auto start = cpu_seconds();
  size_t tasks = 0;
  for (int i = 0; i < kRounds; ++i)
    tasks +=
        std::get<msg::RunTasks>(must(decode_to_worker(encode(SessionId(1), message))).message).runs.size();
  std::printf("runs of 64 single tasks: encode + decode %.1f ns per run\n",
              seconds_since(start) / double(tasks) * 1e9);
}

void bench_rows() {
  constexpr uint32_t kPages = 245;  // a million rows
  const msg::ClientReply message =
      msg::TaskPage{JobId(1), samples::task_rows(0, limits::kTasksPerPage), true};
  auto start = cpu_seconds();
  size_t bytes = 0;
  for (uint32_t i = 0; i < kPages; ++i) bytes += encode(RequestId(1), message).size();
  const double encoding = seconds_since(start);
  const Bytes frame = encode(RequestId(1), message);
  size_t rows = 0;
  start = cpu_seconds();
  for (uint32_t i = 0; i < kPages; ++i)
    rows += std::get<msg::TaskPage>(must(decode_reply(frame)).message).tasks.size();
  const double decoding = seconds_since(start);
  std::printf("task rows: %.1f bytes, encode %.2f M/s, decode %.2f M/s\n", double(bytes) / double(rows),
              double(rows) / encoding / 1e6, double(rows) / decoding / 1e6);
}

void bench_entries() {
  constexpr uint32_t kLines = 1'000'000;
  msg::Submit submit;
  submit.submit.ids = IdArray::consecutive(0, kLines);
  const std::string line(200, 'x');
  auto& entries = submit.submit.entries.emplace();
  for (uint32_t i = 0; i < kLines; ++i) entries.add(line);
  const msg::ClientRequest message = std::move(submit);
  auto start = cpu_seconds();
  const Bytes frame = encode(RequestId(1), message);
  const double encoding = seconds_since(start);
  start = cpu_seconds();
  const auto back = must(decode_request(frame));
  const double decoding = seconds_since(start);
  std::printf("submit of %u lines (%.0f MB): encode %.0f ms, decode %.0f ms\n", kLines,
              double(frame.size()) / 1e6, encoding * 1e3, decoding * 1e3);
  if (back.message != message) std::exit(1);
}

}  // namespace

int main() {
  bench_reports();
  bench_runs();
  bench_rows();
  bench_entries();
}
