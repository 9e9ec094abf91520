#include "cli/output/formatter.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "hq/base/log.h"
#include "hq/core/text/failure_text.h"

namespace hq::cli {
namespace {

int write_stream(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

Output::Output(OutputMode mode, const Style& style, Writer to_stdout, Writer to_stderr)
    : mode_(mode), style_(style), to_stdout_(std::move(to_stdout)), to_stderr_(std::move(to_stderr)) {}

Output Output::on_standard_streams(OutputMode mode, const Style& style) {
  return {mode, style, [](std::string_view bytes) { return write_stream(STDOUT_FILENO, bytes); },
          [](std::string_view bytes) { return write_stream(STDERR_FILENO, bytes); }};
}

void Output::write(std::string_view bytes) {
  if (stdout_error_ == 0) stdout_error_ = to_stdout_(bytes);
}

void Output::print_table(const Table& table) {
  if (!cli()) return;
  int failed = 0;
  table.print(style_.tables(), [&](std::string_view piece) {
    failed = to_stdout_(piece);
    return failed == 0;
  });
  if (failed == 0) return;
  log::error("Cannot print table to stdout: " + os_debug_text(failed));
}

void Output::print_line(std::string_view text) {
  if (cli()) write(fmt::format("{}\n", text));
}

void Output::print_quiet(std::string_view text) {
  if (quiet()) write(fmt::format("{}\n", text));
}

void Output::print_json(const std::function<void(JsonWriter&)>& fill) {
  if (!json()) return;
  HQ_ASSERT(!document_printed_);
  document_printed_ = true;
  JsonWriter writer(JsonWriter::Layout::kPretty, [this](std::string_view piece) { write(piece); });
  fill(writer);
  writer.finish();
  write("\n");
}

void Output::print_json_id(uint32_t id) {
  print_json([&](JsonWriter& writer) {
    writer.begin_object();
    writer.member("id", id);
    writer.end_object();
  });
}

void Output::print_raw(std::string_view bytes) {
  write(bytes);
}

int Output::print_error(const Error& error) {
  if (json()) {
    document_printed_ = false;  // an error after the document is a second one
    print_json([&](JsonWriter& writer) {
      writer.begin_object();
      writer.member("error", error.full_text());
      writer.end_object();
    });
  } else {
    to_stderr_(error.full_text() + "\n");  // ignored: there is no place left to complain to
  }
  return 1;
}

int Output::finish() {
  if (json() && !document_printed_) {
    print_json([](JsonWriter& writer) {
      writer.begin_object();
      writer.end_object();
    });
  }
  if (stdout_error_ == 0) return 0;
  to_stderr_(fmt::format("failed printing to stdout: {}\n", os_error_text(stdout_error_)));
  return 1;
}

void end_on_closed_pipe() {
  signal(SIGPIPE, SIG_DFL);
}

}  // namespace hq::cli
