#include "cli/serve_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "hq/base/log.h"

namespace hq::cli {

namespace {

constexpr const char* kNone = "none";
constexpr const char* kDefaultName = "journal";
constexpr const char* kTorn = "Journal contains not fully written data; they will be removed from the log";

void log_report(const JournalReport& report) {
  if (report.torn) log::warn(kTorn);
  for (const std::string& sentence : report.sentences()) log::warn("Journal: " + sentence);
}

// The newest journal that a server of this directory left behind; "" if all ended in order.
std::string left_behind(const ServerDir& dir) {
  unsigned newest = 0;
  std::string found;
  std::error_code ignored;  // what cannot be listed leaves nothing behind
  for (const auto& entry : std::filesystem::directory_iterator(dir.path, ignored)) {
    const std::string name = entry.path().filename();
    const bool number =
        !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number || name.size() > 8) continue;
    const auto value = unsigned(std::stoul(name));
    const auto journal = entry.path() / kDefaultName;
    if (value < newest || !std::filesystem::exists(journal, ignored)) continue;
    newest = value;
    found = journal;
  }
  return found;
}

void tell_of_last_run(const ServerDir& dir) {
  const std::string path = left_behind(dir);
  if (path.empty()) return;
  auto replayed = replay_journal(path);
  if (!replayed) {
    return log::warn(
        fmt::format("What the last server left in '{}' cannot be read: {}", path, replayed.error().message));
  }
  uint64_t unfinished = 0;
  replayed->state.for_each_job([&](const Job& job) { unfinished += job.active(); });
  if (unfinished == 0) return;
  log::warn(
      fmt::format("A server of this directory ended without being stopped and left {} unfinished task{}; `hq "
                  "server start --resume` "
                  "goes on with {}",
                  unfinished, unfinished == 1 ? "" : "s", unfinished == 1 ? "it" : "them"));
}

}  // namespace

Result<ServeJournal> ServeJournal::open(const ServerStartOptions& options, const ServerDir& dir) {
  ServeJournal out;
  out.opened_.journal = std::make_unique<NoJournal>();
  if (options.journal == kNone) return out;
  std::string path;
  if (options.journal) {
    path = *options.journal;
    out.shown_path_ = path;
    out.access_path_ = path + ".access";
  } else if (options.resume) {
    path = out.default_path_ = left_behind(dir);
    if (path.empty()) return Error("No server in '" + dir.path + "' left anything to go on with");
  } else {
    tell_of_last_run(dir);
    out.wants_default_ = true;
    return out;
  }
  std::error_code ignored;  // what can't be seen can't be opened either, and that is told
  const bool exists = std::filesystem::exists(path, ignored);
  if (exists) log::info("Loading journal ...");
  JournalOptions journal_options;
  journal_options.convenience = options.resume;
  if (options.journal_flush_period) journal_options.flush_period = *options.journal_flush_period;
  journal_options.takeover = options.takeover;
  journal_options.on_wait = [](const std::string& text) { log::warn(text); };
  auto opened = open_journal(path, journal_options);
  if (!opened && exists) return Error("Error: " + opened.error().message, opened.error().causes);
  if (!opened) return Error("Cannot create event log file at `" + path + "`: " + opened.error().message);
  out.opened_ = std::move(*opened);
  out.server_uid_ = out.opened_.report.server_uid;
  out.restored_ = !out.opened_.fresh;
  log_report(out.opened_.report);
  return out;
}

void ServeJournal::begin_default(const std::string& numbered) {
  if (!wants_default_) return;
  JournalOptions options;
  options.convenience = true;
  const std::string path = numbered + "/" + kDefaultName;
  auto opened = open_journal(path, options);
  if (!opened) {
    return log::warn(fmt::format("What this server does is lost if it ends without being stopped: '{}': {}",
                                 path, opened.error().message));
  }
  opened_ = std::move(*opened);
  default_path_ = path;
}

void ServeJournal::end_in_order() {
  if (default_path_.empty()) return;
  opened_.journal.reset();
  opened_.wake_fd = -1;
  std::error_code ignored;  // one that stays names no unfinished task
  std::filesystem::remove(default_path_, ignored);
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
