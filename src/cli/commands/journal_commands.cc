// `hq journal`.
#include <fmt/format.h>

#include "cli/commands/event_lines.h"
#include "cli/commands/follower.h"
#include "cli/commands/service_commands.h"
#include "hq/base/log.h"
#include "hq/journal/journal_file.h"
#include "hq/journal/sqlite_export.h"

namespace hq::cli {
namespace {

constexpr size_t kPrintBytes = 64 * 1024;

// Lines on stdout, many at once.
class Printing {
 public:
  explicit Printing(Output& output) : output_(output) {}
  ~Printing() { flush(); }
  Printing(const Printing&) = delete;
  Printing& operator=(const Printing&) = delete;
  void add(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kPrintBytes) flush();
  }
  void flush() {
    output_.print_raw(buffer_);
    buffer_.clear();
  }

 private:
  Output& output_;
  std::string buffer_;
};

Error cannot_open(const std::string& path, const Error& why) {
  return Error(fmt::format("Cannot open event log file at `{}`: {}", path, why.message), why.causes);
}

// What the server tells of its events, as lines.
class EventPrinting {
 public:
  explicit EventPrinting(Output& output) : printing_(output) {}

  // Until they end; a second call goes on behind the last event of the first.
  Result<void> follow(Client& client, bool live) {
    const msg::FollowEvents request{.live = live, .server_uid = {}, .after = told_};
    auto ended = client.call_each(request, [&](msg::ClientReply&& reply) -> Result<void> {
      if (const auto* notice = std::get_if<msg::TaskNotice>(&reply)) {
        lines_.take(*notice);
        printing_.flush();
        return {};
      }
      const auto* block = std::get_if<msg::EventBlock>(&reply);
      if (block == nullptr) return Error("The server answered with an unexpected message");
      auto records = decode_events(block->records);
      if (!records) return records.error();
      for (const Record& record : *records) lines_.take(record);
      told_ = block->last;
      if (live) printing_.flush();
      return {};
    });
    printing_.flush();
    return ended;
  }

 private:
  Printing printing_;
  EventLines lines_{[this](std::string_view text) { printing_.add(text); }};
  uint64_t told_ = 0;  // number of the last event that was printed
};

int make_database(const JournalExportOptions& options, Output& output) {
  if (options.output.empty())
    return output.print_error(Error("Say which file the database should be made in"));
  auto replayed = replay_journal(options.journal);
  if (!replayed) return output.print_error(cannot_open(options.journal, replayed.error()));
  if (auto made = export_sqlite(replayed->state, options.output); !made) {
    return output.print_error(
        Error(fmt::format("Cannot make the database `{}`: {}", options.output, made.error().message)));
  }
  return output.finish();
}

}  // namespace

int run_journal_export(const JournalExportOptions& options, const CommandContext&, Output& output) {
  if (options.format == ExportFormat::kSqlite) return make_database(options, output);
  if (!options.output.empty())
    return output.print_error(Error("Lines of JSON go to standard output, not to a file"));
  Printing printing(output);
  EventLines lines([&](std::string_view text) { printing.add(text); });
  auto report = read_journal(options.journal, [&](uint64_t, Record&& record) { lines.take(record); });
  if (!report) return output.print_error(cannot_open(options.journal, report.error()));
  printing.flush();
  for (const std::string& sentence : report->sentences()) {
    if (report->damaged()) log::warn("Journal: " + sentence);
  }
  log::info(fmt::format("Outputted {} {}", lines.lines(), lines.lines() == 1 ? "event" : "events"));
  return output.finish();
}

int run_journal_check(const JournalCheckOptions& options, const CommandContext&, Output& output) {
  auto replayed = replay_journal(options.journal);
  if (!replayed) return output.print_error(cannot_open(options.journal, replayed.error()));
  const JournalReport& report = replayed->report;
  const std::vector<std::string> sentences = report.sentences();
  for (const std::string& sentence : sentences) output.print_line(sentence);
  uint64_t unfinished = 0;
  uint64_t jobs = 0;
  replayed->state.for_each_job([&](const Job& job) {
    ++jobs;
    unfinished += job.active();
  });
  const bool good = !report.damaged() && report.set_aside_events + report.set_aside_rows == 0;
  output.print_line(fmt::format("{}: {} events in {} bytes, {} jobs, {} unfinished tasks",
                                good ? "The journal is good" : "The journal is damaged", report.events,
                                report.size_bytes, jobs, unfinished));
  output.print_json([&](JsonWriter& json) {
    json.begin_object();
    json.member("events", report.events);
    json.key("findings");
    json.begin_array();
    for (const std::string& sentence : sentences) json.value(sentence);
    json.end_array();
    json.member("good", good);
    json.member("jobs", jobs);
    json.member("size", report.size_bytes);
    json.member("unfinished_tasks", unfinished);
    json.end_object();
  });
  const int printed = output.finish();
  return good ? printed : 1;
}

int run_journal_flush(const JournalFlushOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto done = client->call<msg::Done>(msg::FlushJournal{});
  return done ? output.finish() : output.print_error(done.error());
}

int run_journal_prune(const JournalPruneOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto done = client->call<msg::Done>(msg::PruneJournal{});
  return done ? output.finish() : output.print_error(done.error());
}

int run_journal_replay(const JournalReplayOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  EventPrinting events(output);
  auto ended = events.follow(*client, /*live=*/false);
  return ended ? output.finish() : output.print_error(ended.error());
}

// Ends with the server; one that comes back is followed from where it was.
int run_journal_stream(const JournalStreamOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Follower follower(context, std::move(*client));
  EventPrinting events(output);
  while (true) {
    auto ended = events.follow(follower.client(), /*live=*/true);
    if (ended) return output.finish();
    if (!follower.client().lost()) return output.print_error(ended.error());
    if (!follower.come_back()) return output.finish();
  }
}

}  // namespace hq::cli
