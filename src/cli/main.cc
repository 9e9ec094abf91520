// hq: parse, call one command, turn the result into an exit code.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <variant>
#include <vector>

#include "cli/commands/alloc_commands.h"
#include "cli/commands/command_line.h"
#include "cli/commands/connect.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/output_commands.h"
#include "cli/commands/service_commands.h"
#include "cli/wiring.h"
#include "hq/base/log.h"
#include "hq/base/small_files.h"
#include "hq/os/launcher.h"

namespace hq::cli {
namespace {

const char* environment(const char* name) {
  return std::getenv(name);
}
bool is_set(const char* name) {
  const char* value = environment(name);
  return value != nullptr && *value != '\0';
}

// Commands of one shape each: (options, context, output) → exit code.
struct Dispatch {
  const CommandContext& context;
  Output& output;

  int operator()(const ServerStopOptions& o) const { return run_server_stop(o, context, output); }
  int operator()(const ServerInfoOptions& o) const { return run_server_info(o, context, output); }
  int operator()(const ServerWaitOptions& o) const { return run_server_wait(o, context, output); }
  int operator()(const GenerateAccessOptions& o) const { return run_generate_access(o, context, output); }
  int operator()(const DebugDumpOptions& o) const { return run_debug_dump(o, context, output); }
  int operator()(const JournalExportOptions& o) const { return run_journal_export(o, context, output); }
  int operator()(const JournalCheckOptions& o) const { return run_journal_check(o, context, output); }
  int operator()(const JournalStreamOptions& o) const { return run_journal_stream(o, context, output); }
  int operator()(const JournalReplayOptions& o) const { return run_journal_replay(o, context, output); }
  int operator()(const JournalPruneOptions& o) const { return run_journal_prune(o, context, output); }
  int operator()(const JournalFlushOptions& o) const { return run_journal_flush(o, context, output); }
  int operator()(const WorkerStopOptions& o) const { return run_worker_stop(o, context, output); }
  int operator()(const WorkerResumeOptions& o) const { return run_worker_resume(o, context, output); }
  int operator()(const WorkerListOptions& o) const { return run_worker_list(o, context, output); }
  int operator()(const HwDetectOptions& o) const { return run_worker_hwdetect(o, context, output); }
  int operator()(const WorkerInfoOptions& o) const { return run_worker_info(o, context, output); }
  int operator()(const WorkerAddressOptions& o) const { return run_worker_address(o, context, output); }
  int operator()(const WorkerWaitOptions& o) const { return run_worker_wait(o, context, output); }
  int operator()(const DeployOptions& o) const { return run_worker_deploy_ssh(o, context, output); }
  int operator()(const SubmitOptions& o) const { return run_submit(o, context, output); }
  int operator()(const JobListOptions& o) const { return run_job_list(o, context, output); }
  int operator()(const JobSummaryOptions& o) const { return run_job_summary(o, context, output); }
  int operator()(const JobInfoOptions& o) const { return run_job_info(o, context, output); }
  int operator()(const JobCancelOptions& o) const { return run_job_cancel(o, context, output); }
  int operator()(const JobForgetOptions& o) const { return run_job_forget(o, context, output); }
  int operator()(const JobCatOptions& o) const { return run_job_cat(o, context, output); }
  int operator()(const JobWaitOptions& o) const { return run_job_wait(o, context, output); }
  int operator()(const JobProgressOptions& o) const { return run_job_progress(o, context, output); }
  int operator()(const JobTaskIdsOptions& o) const { return run_job_task_ids(o, context, output); }
  int operator()(const JobResubmitOptions& o) const { return run_job_resubmit(o, context, output); }
  int operator()(const JobOpenOptions& o) const { return run_job_open(o, context, output); }
  int operator()(const JobCloseOptions& o) const { return run_job_close(o, context, output); }
  int operator()(const TaskListOptions& o) const { return run_task_list(o, context, output); }
  int operator()(const TaskInfoOptions& o) const { return run_task_info(o, context, output); }
  int operator()(const TaskExplainOptions& o) const { return run_task_explain(o, context, output); }
  int operator()(const TaskNotifyOptions& o) const { return run_task_notify(o, context, output); }
  int operator()(const TaskTailOptions& o) const { return run_task_tail(o, context, output); }
  int operator()(const OutputLogOptions& o) const { return run_output_log(o, output); }
  int operator()(const AllocAddOptions& o) const { return run_alloc_add(o, context, output); }
  int operator()(const AllocDryRunOptions& o) const { return run_alloc_dry_run(o, context, output); }
  int operator()(const AllocListOptions& o) const { return run_alloc_list(o, context, output); }
  int operator()(const AllocInfoOptions& o) const { return run_alloc_info(o, context, output); }
  int operator()(const AllocLogOptions& o) const { return run_alloc_log(o, context, output); }
  int operator()(const AllocPauseOptions& o) const { return run_alloc_pause(o, context, output); }
  int operator()(const AllocResumeOptions& o) const { return run_alloc_resume(o, context, output); }
  int operator()(const AllocRemoveOptions& o) const { return run_alloc_remove(o, context, output); }
  // The two that serve are not commands of a client, and are called before we come here.
  int operator()(const ServerStartOptions&) const { return 1; }
  int operator()(const WorkerStartOptions&) const { return 1; }
  int operator()(std::monostate) const { return 1; }
};

int run(int argc, char** argv) {
  ProcessStartState start_state = capture_process_start_state();
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool stdout_terminal = isatty(STDOUT_FILENO) == 1;
  const bool stderr_terminal = isatty(STDERR_FILENO) == 1;
  const bool no_color = is_set("NO_COLOR");
  auto parsed =
      parse_command_line(words, environment, {stdout_terminal && !no_color, stderr_terminal && !no_color});
  if (auto* end = std::get_if<EarlyEnd>(&parsed)) {
    if (!write_all(end->to_stderr ? STDERR_FILENO : STDOUT_FILENO, end->text)) return 1;
    return end->exit_code;
  }
  const CommandLine& line = std::get<CommandLine>(parsed);
  log::Config log_config;
  log_config.debug = line.global.debug;
  if (const char* rust_log = environment("RUST_LOG")) log_config.rust_log = rust_log;
  log_config.stderr_is_terminal = stderr_terminal;
  log_config.no_color = no_color;
  log::configure(log_config);

  const char* term = environment("TERM");
  const TerminalFacts facts{stdout_terminal, no_color, term != nullptr && std::strcmp(term, "dumb") == 0};
  Output output = Output::on_standard_streams(line.global.output_mode.value_or(OutputMode::kCli),
                                              Style(line.global.colors.value_or(ColorChoice::kAuto), facts));
  if (const auto* options = std::get_if<ServerStartOptions>(&line.options)) {
    auto served = serve(*options, line.global, output);
    return served ? *served : output.print_error(served.error());
  }
  if (const auto* options = std::get_if<WorkerStartOptions>(&line.options)) {
    auto worked = work(*options, line.global, std::move(start_state), output);
    return worked ? *worked : output.print_error(worked.error());
  }
  end_on_closed_pipe();
  // Never destroyed: what it holds dies with us, and an orderly end of the sockets would cost more than many
  // a command.
  const auto* context = new StandardContext(server_dir_of(line.global), running_version());
  return std::visit(Dispatch{context->context(), output}, line.options);
}

}  // namespace
}  // namespace hq::cli

int main(int argc, char** argv) {
  int code = 1;
  try {
    code = hq::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("hq: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hq: internal error: %s\n", error.what());
  }
  // Nothing is left to tidy: what must be told has been told, and what we hold dies with us.
  std::fflush(nullptr);
  _exit(code);
}
