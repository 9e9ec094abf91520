// The journal of `hq server start`: which one, what is said about it, and the access record that lives beside
// it, so that workers and clients find a server that comes back.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/commands/options.h"
#include "hq/journal/journal_file.h"
#include "hq/transport/access.h"
#include "hq/transport/server_dir.h"

namespace hq::cli {

class ServeJournal {
 public:
  // Logs what was found. An error says why the server can't start.
  static Result<ServeJournal> open(const ServerStartOptions& options, const ServerDir& dir);
  // For a server that was given no journal: begins one in its numbered directory.
  void begin_default(const std::string& numbered);

  [[nodiscard]] Journal& journal() { return *opened_.journal; }
  // For whoever ends the process: destroying it writes what is left.
  [[nodiscard]] std::unique_ptr<Journal>& owned() { return opened_.journal; }
  [[nodiscard]] int wake_fd() const { return opened_.wake_fd; }
  // REQUIRES: it was not taken.
  [[nodiscard]] const State& restored_state() const { return opened_.restored; }
  [[nodiscard]] State take_state() { return std::move(opened_.restored); }
  // Of the server whose journal it is; "" for a new one.
  [[nodiscard]] const std::string& server_uid() const { return server_uid_; }
  [[nodiscard]] bool restored_something() const { return restored_; }
  // Something that had been safe is gone.
  [[nodiscard]] bool was_damaged() const { return opened_.report.damaged(); }
  // As users see it; nothing for one that nobody asked for.
  [[nodiscard]] const std::optional<std::string>& shown_path() const { return shown_path_; }
  // After an orderly end: one that nobody asked for is of no more use.
  void end_in_order();

  // The record beside the journal; nothing if there is none.
  [[nodiscard]] Result<std::optional<AccessRecord>> load_access(const RunningVersion& running) const;
  // Puts this one there.
  Result<void> keep_access(const AccessRecord& record) const;

 private:
  OpenedJournal opened_;
  std::optional<std::string> shown_path_;
  std::string default_path_;  // of the one that nobody asked for; "" = none
  bool wants_default_ = false;
  std::string access_path_;  // "" = keeps none
  std::string server_uid_;
  bool restored_ = false;
};

}  // namespace hq::cli
