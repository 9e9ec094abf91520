// The journal's files: opening them for a server, and reading them for everybody else (docs/journal.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/core/event.h"
#include "hq/core/state.h"
#include "hq/journal/journal.h"

namespace hq {

// Something in a file that could not be used.
struct JournalLoss {
  std::string file;
  uint64_t offset = 0;  // in the file
  uint64_t size = 0;    // bytes
  std::string cause;
};

// An event that could not be applied, since it tells of something that damage has taken away.
struct SetAsideEvent {
  uint64_t number = 0;
  std::string what;  // "tasks-assigned", ...
  std::string cause;
};

// An attempt that a worker did not know any more after events were lost: it may have run.
struct DisownedTask {
  JobTask task;
  InstanceId instance;
  WorkerId worker;
};

// What reading found. Nothing but `events` of a journal that was ended in order.
struct JournalReport {
  std::vector<std::string> files;   // in the order of reading
  std::string server_uid;           // the newest one
  uint64_t epoch = 0;               // of the newest owner
  uint64_t size_bytes = 0;          // of all files
  uint64_t events = 0;              // that were read
  uint64_t last_number = 0;         // of the newest event
  std::vector<JournalLoss> losses;  // damage between good records
  std::optional<JournalLoss> torn;  // a last record that was not written to its end (a crash)
  std::vector<std::pair<uint64_t, uint64_t>> missing;  // numbers of events that are gone: first, last
  uint64_t unknown_events = 0;                         // of kinds that only a newer program knows
  std::vector<SetAsideEvent> set_aside;                // the first 1,000
  uint64_t set_aside_events = 0;
  uint64_t set_aside_rows = 0;         // single tasks of reports
  uint64_t mended_events = 0;          // could be applied once what was lost before was made up for
  std::vector<DisownedTask> disowned;  // the first 1,000
  uint64_t disowned_tasks = 0;

  // Something that had been safe is gone.
  [[nodiscard]] bool damaged() const { return !losses.empty() || !missing.empty(); }
  // One sentence per line; empty if all is well.
  [[nodiscard]] std::vector<std::string> sentences() const;
};

// Each event of the journal, in order, with its number. An error when there is no journal to be read:
// "No such file or directory (os error 2)", "failed to fill whole buffer" (shorter than any journal),
// "Invalid journal format".
using OnRecord = std::function<void(uint64_t number, Record&& record)>;
[[nodiscard]] Result<JournalReport> read_journal(const std::string& path, const OnRecord& on_record);

// Events in the form of the journal's records, as servers send them.
[[nodiscard]] Result<std::vector<Record>> decode_events(BytesView records);

// The same, folded. Events that do not fit are set aside; behind damage they are made to fit where that
// needs no guess about what a user asked for.
struct ReplayedJournal {
  State state;
  JournalReport report;
};
[[nodiscard]] Result<ReplayedJournal> replay_journal(const std::string& path);

// --- for a server ------------------------------------------------------------------------------------------

struct JournalOptions {
  // Of this server, should the journal not say another one.
  std::string server_uid;
  // What is kept serves `server start --resume` only: nobody waits for it, nor for the server's return, and
  // it is given up rather than grow beyond 64 MB or hold up anything.
  bool convenience = false;
  // How long what nobody waits for may stay unwritten; more than 100 ms is never used.
  Duration flush_period = 100ms;
  // Take the journal from whoever has it, without waiting for a sign of life (docs/journal.md, One owner).
  bool takeover = false;
  // Gets what is said before waiting for a server on another host.
  std::function<void(const std::string&)> on_wait;
};

struct OpenedJournal {
  std::unique_ptr<Journal> journal;
  // Readable when commits have become safe: the server's next turn should not wait.
  int wake_fd = -1;
  State restored;
  JournalReport report;
  bool fresh = false;  // there was none before
};

// Reads what is there (or begins a new file) and goes on writing behind its last whole record. Errors as of
// read_journal, what the system says, and who else is using it.
[[nodiscard]] Result<OpenedJournal> open_journal(const std::string& path, const JournalOptions& options);

}  // namespace hq
