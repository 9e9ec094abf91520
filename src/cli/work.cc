// `hq worker start`: what the machine offers, the launcher, the connection, and the loop around Worker::turn.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/commands/show_worker.h"
#include "cli/log_file.h"
#include "cli/wiring.h"
#include "cli/worker_resources.h"
#include "hq/base/log.h"
#include "hq/base/random.h"
#include "hq/os/command.h"
#include "hq/os/hardware.h"
#include "hq/os/manager.h"
#include "hq/os/meter_thread.h"
#include "hq/os/notice_socket.h"
#include "hq/os/signals.h"
#include "hq/protocol/limits.h"
#include "hq/stream/output_peek.h"
#include "hq/stream/spool.h"
#include "hq/transport/zmq.h"
#include "hq/worker/recent_lines.h"
#include "hq/worker/worker.h"

namespace hq::cli {

namespace {

// The directory below which tasks get theirs. One that we made is removed at the end, if nothing is left in
// it.
struct WorkDir {
  std::string path;
  std::string parent;  // made by us; "" = given by the user

  WorkDir() = default;
  WorkDir(const WorkDir&) = delete;
  WorkDir& operator=(const WorkDir&) = delete;
  ~WorkDir() {
    if (parent.empty()) return;
    (void)::rmdir(path.c_str());
    (void)::rmdir(parent.c_str());
  }
  Result<void> make(const std::optional<std::string>& given) {
    if (given) {
      path = *given;
      std::error_code error;
      std::filesystem::create_directories(path, error);
      if (error) return os_error(error.value());
      return {};
    }
    std::string pattern = std::filesystem::temp_directory_path() / "hq-workerXXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      return os_error(errno).with_context("Cannot create working directory '" + pattern + "'");
    }
    parent = pattern;
    path = pattern + "/work";
    if (::mkdir(path.c_str(), 0700) != 0) return os_error(errno);
    return {};
  }
};

OnServerLost on_server_lost_of(const WorkerConfigOptions& options) {
  return options.on_server_lost == ServerLostPolicy::kFinishRunning ? OnServerLost::kFinishRunning
                                                                    : OnServerLost::kStop;
}

hq::ManagerChoice manager_choice(const WorkerStartOptions& options) {
  switch (options.manager.value_or(ManagerChoice::kDetect)) {
    case ManagerChoice::kDetect:
      return hq::ManagerChoice::kDetect;
    case ManagerChoice::kNone:
      return hq::ManagerChoice::kNone;
    case ManagerChoice::kPbs:
      return hq::ManagerChoice::kPbs;
    case ManagerChoice::kSlurm:
      return hq::ManagerChoice::kSlurm;
  }
  return hq::ManagerChoice::kDetect;
}

struct OwnConfig {
  WorkerConfig said;                 // what the worker says of itself
  std::optional<Duration> walltime;  // that the batch system leaves us
};

// Everything except the work directory.
Result<OwnConfig> make_config(const WorkerStartOptions& options) {
  OwnConfig own;
  WorkerConfig& config = own.said;
  if (options.hostname) {
    config.hostname = *options.hostname;
  } else {
    auto own = host_name();
    if (!own) return own.error();
    config.hostname = *own;
  }
  const HardwareSource machine = this_machine();
  auto manager = detect_manager(machine.env, manager_choice(options));
  if (!manager) return manager.error();
  std::optional<AllocationFacts> facts;
  if (*manager) {
    auto answer = query_allocation(**manager, machine.host, kCommandTimeout);
    if (answer) {
      facts = *answer;
    } else {
      log::warn(query_failed_text((*manager)->kind, answer.error()));
    }
    log::info(manager_detected_text((*manager)->kind));
    config.manager = (*manager)->kind;
    config.manager_job_id = (*manager)->allocation_id;
    config.group = (*manager)->allocation_id;
  }
  const BatchShare share = batch_share(*manager, machine.env, facts, machine.host, pbs_node_file(machine));
  auto resources = worker_resources(options, machine, share);
  if (!resources) return resources.error();
  config.resources = std::move(*resources);
  const WorkerConfigOptions& shared = options.config;
  if (shared.group) config.group = *shared.group;
  config.heartbeat_interval = options.heartbeat.value_or(8s);
  if (config.heartbeat_interval < limits::kMinHeartbeat) {
    return Error("The heartbeat interval has to be longer than 150ms");
  }
  if (shared.overview_interval && *shared.overview_interval > Duration{0}) {
    config.overview_interval = shared.overview_interval;
  }
  config.idle_timeout = shared.idle_timeout;
  config.time_limit = options.time_limit;
  if (facts) own.walltime = facts->remaining;
  if (!config.time_limit) config.time_limit = own.walltime;
  config.retract_check_interval = options.retract_check_interval.value_or(30s);
  config.on_server_lost = on_server_lost_of(shared);
  config.min_utilization = double{shared.min_utilization.value_or(0.0F)};
  config.pid = uint32_t(getpid());
  config.listen_address = config.hostname + ":0";  // nothing listens; the original's field stays there
  if (auto boot = boot_id(machine)) config.boot_id = *boot;
  return own;
}

// Two pipes for each streamed task, and a few descriptors for all else.
SpoolOptions spool_options(int zstd_level) {
  constexpr rlim_t kOthers = 256;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  SpoolOptions options;
  options.zstd_level = zstd_level;
  options.max_tasks = size_t(limit.rlim_cur > 2 * kOthers ? (limit.rlim_cur - kOthers) / 2 : kOthers / 2);
  return options;
}

// Only GPUs that the worker offers are measured.
HardwareMonitor::Families gpu_families(const ResourceDescriptor& resources) {
  HardwareMonitor::Families families;
  for (const ResourceItem& item : resources.items) {
    families.nvidia = families.nvidia || item.name == kNvidiaGpus;
    families.amd = families.amd || item.name == kAmdGpus;
  }
  return families;
}

std::string own_executable() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "hq" : path.string();
}

// In the directory of the server, so that one place has the logs of all; where that can't be written, only
// stderr has it.
std::string log_path(const std::string& server_dir, const WorkerConfig& config, uint64_t uid) {
  const std::string directory = server_dir + "/workers";
  (void)::mkdir(directory.c_str(), 0700);
  std::string host = config.hostname;
  std::replace(host.begin(), host.end(), '/', '_');
  return directory + "/" + host + "-" + std::to_string(uid) + ".log";
}

}  // namespace

Result<int> work(const WorkerStartOptions& options, const GlobalOptions& global,
                 ProcessStartState start_state, Output& output) {
  log::info(std::string("HyperQueue ") + HQ_VERSION);
  auto own = make_config(options);
  if (!own) return own.error();
  WorkerConfig* const config = &own->said;
  log::info("Starting hyperqueue worker");
  const ServerDir dir = server_dir_of(global);
  auto record = load_worker_access(dir, running_version());
  if (!record) return record.error();
  WorkDir work_dir;
  if (auto made = work_dir.make(options.work_dir); !made) return made.error();
  config->work_dir = work_dir.path;

  // The launcher first: it must be forked while we are small and have one thread.
  auto signals = SignalQueue::open({SIGINT, SIGTERM, SIGTSTP});
  if (!signals) return signals.error();
  LauncherOptions launching{.start_state = std::move(start_state)};
  launching.memory_groups = prepare_memory_groups();
  auto launcher = start_launcher(std::move(launching));
  if (!launcher) return launcher.error();
  if (auto raised = raise_nofile_limit(); !raised) log::warn("Open files: " + raised.error().message);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that must not grow is an error of that write
  auto transport = Transport::make();
  if (!transport) return transport.error();

  SystemClock clock;
  SystemRandom random;
  auto active = active_dir(dir);
  if (!active) return active.error();
  RecentLines recent_lines;
  const LogFile log_file(log_path(*active, *config, random.next() >> 32),
                         [&](std::string_view line) { recent_lines.add(line); });
  const RoleAccess& server = *record->worker;
  log::info("Connecting to: " + server.host + ":" + std::to_string(server.port));
  if (!server.secret_key) log::warn("No worker key: Unauthenticated and unencrypted connection to server");

  ConnectorOptions connect;
  connect.role = Role::kWorker;
  connect.load = [dir, key = server.server_public_key]() -> Result<AccessRecord> {
    auto now = load_worker_access(dir, running_version());
    // Whoever proves the same key is our server, wherever it is; with another key it is somebody else's.
    if (now && now->worker->server_public_key != key)
      return Error("Another server has taken over '" + dir.path + "'");
    return now;
  };
  connect.limits.max_frame_bytes = limits::kMaxWorkerFrame;
  auto connector = (*transport)->make_connector(std::move(connect));
  WorkerOptions worker_options;
  worker_options.config = *config;
  worker_options.walltime = own->walltime;
  std::error_code ignored;
  worker_options.work_dir = std::filesystem::absolute(work_dir.path, ignored);
  worker_options.version = HQ_VERSION;
  worker_options.executable = own_executable();
  worker_options.task_environment = {{"RUST_BACKTRACE", "full"}, {"RUST_LIB_BACKTRACE", "0"}};
  worker_options.last_log_lines = [&] { return recent_lines.lines(); };
  for (const char* name :
       {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"}) {
    if (const char* mask = std::getenv(name)) worker_options.gpu_environment.emplace_back(name, mask);
  }
  worker_options.hide_unrequested_gpus = options.hide_unrequested_gpus;
  worker_options.set_fence = [&](std::optional<Duration> within) { (*launcher)->set_fence(within); };
  auto spool = make_spool(spool_options(options.stream_compression.value_or(0)));
  if (!spool) return spool.error();
  auto peeker = make_output_peeker();
  if (!peeker) return peeker.error();
  auto notices = open_local_notices(std::filesystem::temp_directory_path(ignored));
  if (!notices) notices = open_local_notices(worker_options.work_dir);
  if (!notices) return notices.error();
  worker_options.notice_socket = (*notices)->path();
  auto meter = make_meter_thread(gpu_families(config->resources));
  if (!meter) return meter.error();
  Worker worker(worker_options, {*connector, **launcher, **spool, **peeker, random, **notices, **meter},
                clock.now());

  FdReactor& reactor = (*transport)->reactor();
  reactor.add_fd(signals->fd());
  reactor.add_fd((*launcher)->event_fd());
  reactor.add_fd((*spool)->event_fd());
  reactor.add_fd((*peeker)->event_fd());
  reactor.add_fd((*notices)->event_fd());
  reactor.add_fd((*meter)->event_fd());
  const WallTime started = clock.now().wall;
  std::optional<TimePoint> deadline = worker.turn(clock.now());
  while (!worker.finished()) {
    reactor.wait(deadline);
    while (signals->next()) worker.on_signal();
    deadline = worker.turn(clock.now());
    if (auto registration = worker.take_registration()) {
      msg::WorkerDetail detail;
      detail.id = registration->worker;
      detail.config = *config;
      detail.started = started;
      print_started_worker(detail, output);
    }
  }
  reactor.remove_fd(signals->fd());
  reactor.remove_fd((*launcher)->event_fd());
  reactor.remove_fd((*spool)->event_fd());
  reactor.remove_fd((*peeker)->event_fd());
  reactor.remove_fd((*notices)->event_fd());
  reactor.remove_fd((*meter)->event_fd());
  if (worker.exit_code() == 0 || !worker.final_error()) return worker.exit_code();
  Error error = *worker.final_error();
  if (!error.message.starts_with(kLookupFailed)) return error;
  return std::move(error).with_context("Cannot resolve server address `" + server.host + ":" +
                                       std::to_string(server.port) + "`");
}

}  // namespace hq::cli
