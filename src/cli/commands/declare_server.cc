#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

constexpr auto kColorChoices = std::to_array<Choice<ColorChoice>>(
    {{"auto", ColorChoice::kAuto}, {"always", ColorChoice::kAlways}, {"never", ColorChoice::kNever}});
constexpr auto kOutputModes = std::to_array<Choice<OutputMode>>(
    {{"cli", OutputMode::kCli}, {"json", OutputMode::kJson}, {"quiet", OutputMode::kQuiet}});

constexpr auto kSuspectPolicies =
    std::to_array<Choice<SuspectPolicy>>({{"off", SuspectPolicy::kOff},
                                          {"report", SuspectPolicy::kReport},
                                          {"quarantine", SuspectPolicy::kQuarantine}});

}  // namespace

void declare_global_options(Command& command, CommandLine& line) {
  GlobalOptions& o = line.global;
  command
      .option(
          "server-dir", o.server_dir, parse_text,
          "Directory where the server leaves the access file that its clients and workers connect with. All "
          "commands about one server must be given the same directory.")
      .not_empty()
      .from_env("HQ_SERVER_DIR")
      .default_is("$HOME/.hq-server")
      .is_global = true;
  command
      .choice("colors", o.colors, Choices<ColorChoice>(kColorChoices),
              "Colours on standard output: on a terminal, always, or never.")
      .default_is("auto")
      .is_global = true;
  command
      .choice("output-mode", o.output_mode, Choices<OutputMode>(kOutputModes),
              "What is printed: tables and sentences for people (cli), a JSON document for programs (json), "
              "or the one "
              "value that a shell script wants (quiet).")
      .from_env("HQ_OUTPUT_MODE")
      .default_is("cli")
      .is_global = true;
  command
      .flag("debug", o.debug, "Log more, with milliseconds. The filter in RUST_LOG goes before this option.")
      .from_env("HQ_DEBUG")
      .is_global = true;
}

void declare_server_start(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<ServerStartOptions>();
  command.option(
      "host", o.host, parse_text,
      "Name or address under which clients and workers reach this machine; the server listens on all its "
      "addresses. Without it the name in the access file, else the name of the machine.");
  command.option("idle-timeout", o.idle_timeout, parse_duration,
                 "Idle time after which workers end that set none themselves.");
  command.option("client-port", o.client_port, parse_limited<uint16_t>,
                 "Port for clients. Without it the one in the access file, else any free port.");
  command.option("port", o.client_port, parse_limited<uint16_t>, "").hidden().conflicts("client-port");
  command.option("worker-port", o.worker_port, parse_limited<uint16_t>,
                 "Port for workers. Without it the one in the access file, else any free port.");
  command
      .option("journal", o.journal, parse_text,
              "File in which everything is kept that must survive the end of the server. If it exists, jobs "
              "and tasks "
              "are restored from it first. Without it a small one is kept for --resume; `none` keeps none.")
      .from_env("HQ_JOURNAL")
      .not_empty();
  command
      .option("journal-flush-period", o.journal_flush_period, parse_duration,
              "How often the journal is written out when nobody waits for it.")
      .default_is("30s");
  command
      .flag("resume", o.resume,
            "Go on with what a server of this directory left behind when it ended without being "
            "stopped.")
      .conflicts("journal");
  command.flag("takeover", o.takeover,
               "Take the journal from the server that uses it, although that one may still live (it stops "
               "writing as soon as it notices). Without this option a journal that was used on another host "
               "is taken over once that host has given no sign for a minute.");
  command
      .option("access-file", o.access_file, parse_text,
              "File made by `hq server generate-access` that says hosts, ports, keys and the uid of the "
              "server.")
      .not_empty();
  command.flag(
      "disable-client-authentication-and-encryption", o.disable_client_encryption,
      "Let any client in, without encryption. Dangerous: whoever reaches the port can run programs as you.");
  command.flag("disable-worker-authentication-and-encryption", o.disable_worker_encryption,
               "Let any worker in, without encryption. Dangerous: whoever reaches the port gets your tasks.");
  command
      .option("scheduler-time-limit", o.scheduler_time_limit, parse_duration,
              "Longest time that one placement of tasks may take.")
      .default_is("5s");
  command
      .option(
          "worker-resume-window", o.worker_resume_window, parse_duration,
          "With a journal: how long workers keep their tasks running while the server is gone. Tasks of a "
          "worker that is silent are started elsewhere after that time only.")
      .default_is("10m");
  command
      .choice(
          "suspect", o.suspect, Choices<SuspectPolicy>(kSuspectPolicies),
          "What is done about workers whose tasks fail at a rate that can't be chance beside the others of "
          "the same job: say so (`hq worker list --filter=suspect`, `hq task explain`, the log), or also "
          "give them one task a minute only, until `hq worker resume`.")
      .default_is("report");
}

void declare_server_stop(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<ServerStopOptions>();
  command.flag("keep-workers", o.keep_workers,
               "Workers keep their tasks running and wait for the server to be started again with its "
               "journal, as for an upgrade. Without this option they end with the server.");
}
void declare_server_info(Command&, CommandLine& line) {
  line.options.emplace<ServerInfoOptions>();
}

void declare_server_wait(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<ServerWaitOptions>();
  command.option("timeout", o.timeout, parse_duration, "How long to wait before giving up.").default_is("5m");
}

void declare_generate_access(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<GenerateAccessOptions>();
  command
      .positional("ACCESS_FILE", o.access_file, parse_text,
                  "File to make for the server, with the keys of both roles.")
      .not_empty()
      .required();
  command.option("client-file", o.client_file, parse_text, "A second file, with what clients need alone.")
      .not_empty();
  command.option("worker-file", o.worker_file, parse_text, "A third file, with what workers need alone.")
      .not_empty();
  command.option("host", o.host, parse_text, "Name or address of the server's machine.")
      .default_is("name of this machine");
  command.option("client-host", o.client_host, parse_text, "The same, for clients only.")
      .default_is("--host");
  command.option("worker-host", o.worker_host, parse_text, "The same, for workers only.")
      .default_is("--host");
  command.option("client-port", o.client_port, parse_limited<uint16_t>, "Port for clients.").required();
  command.option("worker-port", o.worker_port, parse_limited<uint16_t>, "Port for workers.").required();
}

void declare_debug_dump(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<DebugDumpOptions>();
  command.positional("PATH", o.path, parse_text, "File that the server writes, on its own machine.")
      .not_empty()
      .required();
}

}  // namespace hq::cli
