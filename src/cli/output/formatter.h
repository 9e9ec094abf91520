// What a command prints on stdout, by output mode: `cli` for people, `json` for programs, `quiet` for shell
// scripts. Made once per command; a command says each thing in the modes it concerns and ends with finish()
// or print_error(). Log lines are not its business.
//
// Always holds: in json mode exactly one document is printed by us; a command that printed none of its own
// (raw data don't count) ends with "{}".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/output/style.h"
#include "cli/output/table.h"
#include "hq/base/json_writer.h"
#include "hq/base/result.h"

namespace hq::cli {

enum class OutputMode { kCli, kJson, kQuiet };

class Output {
 public:
  // Writes everything; returns 0 or an error number.
  using Writer = std::function<int(std::string_view)>;

  Output(OutputMode mode, const Style& style, Writer to_stdout, Writer to_stderr);
  // On the program's own stdout and stderr.
  [[nodiscard]] static Output on_standard_streams(OutputMode mode, const Style& style);

  [[nodiscard]] OutputMode mode() const { return mode_; }
  [[nodiscard]] bool cli() const { return mode_ == OutputMode::kCli; }
  [[nodiscard]] bool json() const { return mode_ == OutputMode::kJson; }
  [[nodiscard]] bool quiet() const { return mode_ == OutputMode::kQuiet; }
  [[nodiscard]] const Style& style() const { return style_; }

  // In cli mode only. A table that can't be written is a logged error, and the command goes on.
  void print_table(const Table& table);
  // A sentence and its line end, in cli mode only.
  void print_line(std::string_view text);
  // The one thing and its line end, in quiet mode only.
  void print_quiet(std::string_view text);
  // The document, in json mode only: `fill` gets the writer and writes one value. REQUIRES: called once.
  void print_json(const std::function<void(JsonWriter&)>& fill);
  // `{"id": N}`, the answer of all commands that make a job.
  void print_json_id(uint32_t id);
  // Data as they are, in every mode.
  void print_raw(std::string_view bytes);

  // The end of a command that failed: on stderr, or as a document in json mode. Returns the exit code.
  int print_error(const Error& error);
  // The end of a command that did its work. Returns the exit code: not 0 if stdout could not be written.
  int finish();

 private:
  void write(std::string_view bytes);

  OutputMode mode_;
  Style style_;
  Writer to_stdout_;
  Writer to_stderr_;
  bool document_printed_ = false;
  int stdout_error_ = 0;
};

// Ends us silently when a reader of our stdout is gone (`hq ... | head`). For all commands but those that
// serve.
void end_on_closed_pipe();

}  // namespace hq::cli
