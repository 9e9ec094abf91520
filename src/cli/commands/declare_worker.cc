#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

constexpr auto kManagers = std::to_array<Choice<ManagerChoice>>({{"detect", ManagerChoice::kDetect},
                                                                 {"none", ManagerChoice::kNone},
                                                                 {"pbs", ManagerChoice::kPbs},
                                                                 {"slurm", ManagerChoice::kSlurm}});
constexpr auto kServerLostPolicies = std::to_array<Choice<ServerLostPolicy>>(
    {{"stop", ServerLostPolicy::kStop}, {"finish-running", ServerLostPolicy::kFinishRunning}});
constexpr auto kWorkerFilters = std::to_array<Choice<WorkerFilter>>({{"running", WorkerFilter::kRunning},
                                                                     {"offline", WorkerFilter::kOffline},
                                                                     {"suspect", WorkerFilter::kSuspect}});

Result<int> parse_zstd_level(std::string_view text) {
  Result<int64_t> level = parse_integer_in(text, 0, 19);
  if (!level) return std::move(level.error());
  return static_cast<int>(*level);
}

// The parser, which also notes what it was given.
template <class Parse>
auto noting(std::optional<std::string>* place, Parse parse) {
  return [place, parse](std::string_view text) {
    if (place != nullptr) *place = text;
    return parse(text);
  };
}
template <class Parse>
auto noting(std::vector<std::string>* place, Parse parse) {
  return [place, parse](std::string_view text) {
    if (place != nullptr) place->emplace_back(text);
    return parse(text);
  };
}

}  // namespace

void declare_worker_config(Command& command, WorkerConfigOptions& o, WorkerConfigTexts* texts) {
  command.section("Resources");
  command
      .option(
          "cpus", o.cpus, noting(texts == nullptr ? nullptr : &texts->cpus, parse_cpu_definition),
          "Cores that the worker offers: a number (8), sockets and cores (2x4), a list ([0,1,5]) or groups "
          "([[0,1],[4,5]]).")
      .default_is("all cores it may use");
  command.repeatable(
      "resource", o.resources,
      noting(texts == nullptr ? nullptr : &texts->resources, parse_resource_definition),
      "A further resource, NAME=DEFINITION: labels ([a,b]), groups ([[a],[b]]), numbers (range(1-8)) or "
      "an amount (sum(512)). May be repeated.");
  command.option("coupling", o.coupling, parse_text,
                 "Groups of resources that are near to each other: cpus[0]:gpus/nvidia[0]=256,...");
  command
      .option("detect-resources", o.detect_resources,
              noting(texts == nullptr ? nullptr : &texts->detect_resources, parse_detect_resources),
              "What the worker looks for by itself: all, none, or some of cpus, mem, gpus/nvidia, gpus/amd, "
              "separated by "
              "commas.")
      .default_is("all")
      .errors_alone(ValueErrorForm::kAloneWithUsage);
  command.flag("no-hyper-threading", o.no_hyper_threading, "Offer one hardware thread of each core.");
  command.section("");
  command.option("group", o.group, parse_text,
                 "Group of the worker; the workers of a multi-node task come from one group. Without it the "
                 "allocation's id, else `default`.");
  command.option("idle-timeout", o.idle_timeout, parse_duration, "Idle time after which the worker ends.");
  command
      .option("overview-interval", o.overview_interval,
              noting(texts == nullptr ? nullptr : &texts->overview_interval, parse_human_duration),
              "How often the worker reports the load of its machine; 0s for never.")
      .default_is("0s");
  command
      .option("min-utilization", o.min_utilization,
              noting(texts == nullptr ? nullptr : &texts->min_utilization, parse_min_utilization),
              "Share of the cores (0.0 to 1.0) that must be used for the worker to get tasks at all.")
      .default_is("0");
}

void declare_on_server_lost(Command& command, WorkerConfigOptions& o, const char* usual) {
  command
      .choice("on-server-lost", o.on_server_lost, Choices<ServerLostPolicy>(kServerLostPolicies),
              "What the worker does when it has lost the server for good: stop at once, or finish what runs.")
      .default_is(usual);
}

void declare_worker_start(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerStartOptions>();
  declare_worker_config(command, o.config);
  command.flag("no-detect-resources", o.no_detect_resources, "").hidden().conflicts("detect-resources");
  declare_on_server_lost(command, o.config, "stop");
  command
      .option("heartbeat", o.heartbeat, parse_duration,
              "How often the worker tells the server that it lives.")
      .default_is("8s");
  command.option("time-limit", o.time_limit, parse_duration,
                 "How long the worker lives. Without it the rest of the allocation's time.");
  command
      .choice("manager", o.manager, Choices<ManagerChoice>(kManagers),
              "The batch system whose allocation the worker is part of.")
      .default_is("detect");
  command.option("hostname", o.hostname, parse_text, "Name of this machine as it is shown.")
      .default_is("name of this machine");
  command.option("work-dir", o.work_dir, parse_text, "Directory for the worker's files and task directories.")
      .not_empty()
      .default_is("a new one in the system's directory for temporary files");
  command
      .option("retract-check-interval", o.retract_check_interval, parse_duration,
              "How often waiting tasks are compared with the time that is left.")
      .default_is("30s");
  command.flag(
      "hide-unrequested-gpus", o.hide_unrequested_gpus,
      "Show no GPU to tasks that ask for none (empty CUDA_VISIBLE_DEVICES and ROCR_VISIBLE_DEVICES).");
  command
      .option("stream-compression", o.stream_compression, parse_zstd_level,
              "Compress what tasks print into a --stream directory with zstd at this level: 1 is fast, 19 is "
              "small, 0 writes it as it is.")
      .from_env("HQ_STREAM_ZSTD")
      .default_is("0");
}

void declare_worker_stop(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerStopOptions>();
  command.positional("SELECTOR_ARG", o.selector, parse_any_selector, "Workers: ids (1-3,7), `last` or `all`.")
      .required();
}

void declare_worker_resume(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerResumeOptions>();
  command.positional("SELECTOR", o.selector, parse_any_selector, "Workers: ids (1-3,7), `last` or `all`.")
      .required();
}

void declare_worker_list(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerListOptions>();
  command.flag("all", o.all, "Show workers that have ended, too.").conflicts("filter");
  command
      .choice(
          "filter", o.filter, Choices<WorkerFilter>(kWorkerFilters),
          "Show workers in this state only; without it the running ones. Suspect ones run, but their tasks "
          "fail at a rate that can't be chance beside the other workers; the reason is shown.")
      .lists_in_errors(2);  // scripts know that text
}

void declare_hwdetect(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<HwDetectOptions>();
  command.flag("no-hyper-threading", o.no_hyper_threading, "Count one hardware thread of each core.");
}

void declare_worker_info(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerInfoOptions>();
  command.positional("SELECTOR", o.selector, parse_any_selector, "Workers: ids (1-3,7), `last` or `all`.")
      .required();
}

void declare_worker_address(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerAddressOptions>();
  command.positional("WORKER_ID", o.worker_id, parse_u32, "Id of the worker.").required();
}

void declare_worker_wait(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<WorkerWaitOptions>();
  command.positional("WORKER_COUNT", o.count, parse_u32, "How many workers must be connected.").required();
}

void declare_deploy_ssh(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<DeployOptions>();
  command.flag("show-output", o.show_output, "Print what the workers print.");
  command
      .positional("HOSTFILE", o.hostfile, parse_text,
                  "File with one host per line: a name, perhaps with `:PORT` for ssh.")
      .not_empty()
      .required();
  command
      .trailing("WORKER_START_ARGS", o.worker_args,
                "Options of `hq worker start` for each of the workers; `hq worker deploy-ssh HOSTFILE -- "
                "--help` shows "
                "them.")
      .takes_options = true;
}

}  // namespace hq::cli
