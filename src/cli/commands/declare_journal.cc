#include "cli/commands/declarations.h"
#include "cli/commands/values.h"

namespace hq::cli {

namespace {

void declare_journal_file(Command& command, std::string& place) {
  command.positional("JOURNAL", place, parse_text, "File of the journal, as given to `hq server start`.")
      .not_empty()
      .required();
}

}  // namespace

void declare_journal_export(Command& command, CommandLine& line) {
  declare_journal_file(command, line.options.emplace<JournalExportOptions>().journal);
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
