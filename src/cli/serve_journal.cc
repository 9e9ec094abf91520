#include "cli/serve_journal.h"

#include <filesystem>

#include "hq/base/log.h"

namespace hq::cli {

namespace {

constexpr const char* kTorn = "Journal contains not fully written data; they will be removed from the log";

void log_report(const JournalReport& report) {
  if (report.torn) log::warn(kTorn);
  for (const std::string& sentence : report.sentences()) log::warn("Journal: " + sentence);
}

}  // namespace

Result<ServeJournal> ServeJournal::open(const ServerStartOptions& options) {
  ServeJournal out;
  if (!options.journal) {
    out.opened_.journal = std::make_unique<NoJournal>();
    return out;
  }
  const std::string& path = *options.journal;
  std::error_code ignored;  // what can't be seen can't be opened either, and that is told
  const bool exists = std::filesystem::exists(path, ignored);
  if (exists) log::info("Loading journal ...");
  JournalOptions journal_options;
  if (options.journal_flush_period) journal_options.flush_period = *options.journal_flush_period;
  journal_options.takeover = options.takeover;
  journal_options.on_wait = [](const std::string& text) { log::warn(text); };
  auto opened = open_journal(path, journal_options);
  if (!opened && exists) return Error("Error: " + opened.error().message, opened.error().causes);
  if (!opened) return Error("Cannot create event log file at `" + path + "`: " + opened.error().message);
  out.opened_ = std::move(*opened);
  out.access_path_ = path + ".access";
  out.server_uid_ = out.opened_.report.server_uid;
  out.restored_ = !out.opened_.fresh;
  log_report(out.opened_.report);
  return out;
}

Result<std::optional<AccessRecord>> ServeJournal::load_access(const RunningVersion& running) const {
  std::error_code ignored;
  if (access_path_.empty() || !std::filesystem::exists(access_path_, ignored))
    return std::optional<AccessRecord>();
  AccessOutcome outcome = hq::load_access(access_path_, AccessForm::kFull, running);
  if (auto* failure = std::get_if<AccessFailure>(&outcome)) {
    return failure->error().with_context("Cannot load the access record of the journal from '" +
                                         access_path_ + "'");
  }
  return std::optional(std::get<AccessRecord>(std::move(outcome)));
}

Result<void> ServeJournal::keep_access(const AccessRecord& record) const {
  if (access_path_.empty()) return {};
  auto stored = store_access(access_path_, record, StoreMode::kReplace);
  if (stored) return {};
  return std::move(stored.error())
      .with_context("Cannot store the access record of the journal as '" + access_path_ + "'");
}

}  // namespace hq::cli
