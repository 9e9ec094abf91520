#include <array>

#include "cli/commands/declarations.h"
#include "cli/commands/values.h"

namespace hq::cli {

namespace {

constexpr auto kExportFormats =
    std::to_array<Choice<ExportFormat>>({{"json", ExportFormat::kJson}, {"sqlite", ExportFormat::kSqlite}});

void declare_journal_file(Command& command, std::string& place) {
  command.positional("JOURNAL", place, parse_text, "File of the journal, as given to `hq server start`.")
      .not_empty()
      .required();
}

}  // namespace

void declare_journal_export(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<JournalExportOptions>();
  declare_journal_file(command, o.journal);
  command
      .choice("format", o.format, Choices<ExportFormat>(kExportFormats),
              "Lines of JSON on standard output, or an SQLite database with tables of jobs, tasks, workers "
              "and allocations in the file OUTPUT, which must not exist.")
      .default_is("json");
  command.positional("OUTPUT", o.output, parse_text, "File to make, for sqlite.");
}

void declare_journal_check(Command& command, CommandLine& line) {
  declare_journal_file(command, line.options.emplace<JournalCheckOptions>().journal);
}

void declare_journal_stream(Command&, CommandLine& line) {
  line.options.emplace<JournalStreamOptions>();
}
void declare_journal_replay(Command&, CommandLine& line) {
  line.options.emplace<JournalReplayOptions>();
}
void declare_journal_prune(Command&, CommandLine& line) {
  line.options.emplace<JournalPruneOptions>();
}
void declare_journal_flush(Command&, CommandLine& line) {
  line.options.emplace<JournalFlushOptions>();
}

}  // namespace hq::cli
