// `hq server start`: directory, access file, sockets, and the loop around Server::turn.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "cli/commands/show_server.h"
#include "cli/log_file.h"
#include "cli/serve_alloc.h"
#include "cli/serve_journal.h"
#include "cli/wiring.h"
#include "hq/base/log.h"
#include "hq/base/random.h"
#include "hq/base/small_files.h"
#include "hq/batch/batch_threads.h"
#include "hq/client/client.h"
#include "hq/os/hardware.h"
#include "hq/os/signals.h"
#include "hq/protocol/limits.h"
#include "hq/server/server.h"
#include "hq/stream/log_store.h"
#include "hq/stream/output_peek.h"
#include "hq/transport/zmq.h"

namespace hq::cli {

namespace {

constexpr size_t kServerUidLength = 6;
constexpr Duration kProbeTimeout = 5s;
constexpr Duration kPortPatience = 65s;  // a closed connection may hold its port for 60
constexpr Duration kPortPause = 200ms;
constexpr Duration kSwarm = 1ms;

// Whether a server answers in this directory. It really talks to it: a left-over access file alone says
// nothing.
bool is_online(const ServerDir& dir) {
  auto record = load_client_access(dir, running_version());
  if (!record) return false;
  auto transport = Transport::make();
  if (!transport) return false;
  ConnectorOptions options;
  options.role = Role::kClient;
  options.load = [&]() -> Result<AccessRecord> { return *record; };
  options.timeout = kProbeTimeout;
  options.limits.max_frame_bytes = limits::kMaxClientFrame;
  auto connector = (*transport)->make_connector(std::move(options));
  SystemClock clock;
  auto client = Client::connect({*connector, (*transport)->reactor(), clock},
                                [](const Client::ConnectionFailure& f) { return Error(f.text); });
  if (!client) return false;
  const RequestId request = client->send(msg::GetServerInfo{});
  auto answer = client->next_until(request, clock.now().mono + kProbeTimeout);
  return answer && answer->has_value();
}

void warn_unprotected(const char* role) {
  const std::string line(53, '!');
  log::warn(line);
  log::warn(std::string("Server is started with unprotected ") + role + " connections");
  log::warn(std::string("Anyone can connect as a ") + role);
  log::warn(line);
}

void apply_ports(const ServerStartOptions& options, AccessRecord& record) {
  if (options.client_port) record.client->port = *options.client_port;
  if (options.worker_port) record.worker->port = *options.worker_port;
}

// Hosts, ports and keys: from the access file where given, else as the journal's last server had them (on
// whatever host that was); options win.
Result<AccessRecord> make_access(const ServerStartOptions& options, const ServeJournal& journal) {
  if (options.access_file) {
    auto record = load_server_access(*options.access_file, running_version());
    if (!record) return record.error();
    if (options.host) record->client->host = record->worker->host = *options.host;
    apply_ports(options, *record);
    return record;
  }
  std::string host;
  if (options.host) {
    host = *options.host;
  } else {
    auto own = host_name();
    if (!own) return own.error();
    host = *own;
  }
  auto kept = journal.load_access(running_version());
  if (!kept) return kept.error();
  if (AccessRecord* record = *kept ? &**kept : nullptr) {
    record->client->host = record->worker->host = host;
    record->version = running_version().version;  // that of the last server could be an older one
    record->protocol = running_version().protocol;
    apply_ports(options, *record);
    return std::move(*record);
  }
  SystemRandom random;
  return generate_access(running_version(), random.alphanumeric(kServerUidLength),
                         {host, options.client_port.value_or(0), !options.disable_client_encryption},
                         {host, options.worker_port.value_or(0), !options.disable_worker_encryption});
}

// While a server is gone its port is one among many to the kernel, which may lend it to somebody's outgoing
// connection; for a minute at most, if that is short.
Result<BoundRouter> bind_patiently(Transport& transport, const RouterOptions& options, SignalQueue& signals) {
  bool told = false;
  for (const auto begin = std::chrono::steady_clock::now();;) {
    auto bound = transport.bind_router(options);
    if (bound || bound.error().message != os_error_text(EADDRINUSE)) return bound;
    if (std::chrono::steady_clock::now() - begin > kPortPatience || signals.next()) return bound;
    if (!std::exchange(told, true)) {
      log::warn("Port " + std::to_string(options.port) + " of the last server is in use; waiting for " +
                std::to_string(kPortPatience / 1s) + " s at most until it is free");
    }
    std::this_thread::sleep_for(kPortPause);
  }
}

// `signals`: of a server that comes back and needs its port again; null for others, which fail at once.
Result<BoundRouter> bind(Transport& transport, AccessRecord& access, Role role, SignalQueue* signals) {
  RouterOptions options = router_options(access, role);
  options.limits.max_frame_bytes = role == Role::kClient ? limits::kMaxClientFrame : limits::kMaxWorkerFrame;
  if (role == Role::kClient) options.limits.send_queue = limits::kClientSendQueue;
  auto bound =
      signals != nullptr ? bind_patiently(transport, options, *signals) : transport.bind_router(options);
  if (!bound) {
    if (role == Role::kWorker) return bound.error();
    return std::move(bound.error()).with_context("Cannot create HQ server socket");
  }
  access.part(role)->port = bound->port;
  return bound;
}

Result<void> write_private_file(const std::string& path, const std::string& text) {
  return write_text(path, text, 0600);
}

// SIGTERM, SIGHUP and the like are no orderly end: everything stays as it is, and we die as the sender meant
// it.
[[noreturn]] void die_by(int signal_number, std::unique_ptr<Journal>& journal) {
  journal.reset();  // writes what is left
  signal(signal_number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal_number);
  raise(signal_number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  _exit(128 + signal_number);
}

}  // namespace

Result<int> serve(const ServerStartOptions& options, const GlobalOptions& global, Output& output) {
  log::info(std::string("HyperQueue ") + HQ_VERSION);
  const ServerDir dir = server_dir_of(global);
  // An access file that can't be read is told of before anything else.
  if (options.access_file) {
    if (auto readable = load_server_access(*options.access_file, running_version()); !readable)
      return readable.error();
  }
  if (is_online(dir)) return already_online_error(dir);
  log::info("No online server found, starting a new server");
  auto journal = ServeJournal::open(options, dir);
  if (!journal) return journal.error();
  auto access = make_access(options, *journal);
  if (!access) return access.error();
  if (!journal->server_uid().empty()) access->server_uid = journal->server_uid();
  if (!access->worker->secret_key) warn_unprotected("worker");
  if (!access->client->secret_key) warn_unprotected("client");

  auto signals = SignalQueue::open_for_service();
  if (!signals) return signals.error();
  if (auto raised = raise_nofile_limit(); !raised) log::warn("Open files: " + raised.error().message);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that must not grow is an error of that write
  auto transport = Transport::make();
  if (!transport) return transport.error();
  SignalQueue* patience = journal->restored_something() ? &*signals : nullptr;
  auto clients = bind(**transport, *access, Role::kClient, patience);
  if (!clients) return clients.error();
  auto workers = bind(**transport, *access, Role::kWorker, patience);
  if (!workers) return workers.error();
  access->addresses = usable_addresses();

  auto numbered = create_numbered_dir(dir);
  if (!numbered) return numbered.error();
  LogFile log_file(*numbered + "/server.log");
  journal->begin_default(*numbered);
  if (auto kept = journal->keep_access(*access); !kept) return kept.error();
  const std::string access_file = access_file_of(*numbered);
  log::info("Storing access file as '" + access_file + "'");
  if (auto stored = store_access(access_file, *access); !stored) return stored.error();
  if (auto current = set_current(dir, *numbered); !current) return current.error();
  // Workers of allocations that were submitted before find us wherever we run now.
  for (const std::string& earlier : earlier_server_dirs(journal->restored_state(), *numbered)) {
    if (auto stored = store_access(access_file_of(earlier), *access, StoreMode::kReplace); !stored)
      log::warn("Allocations of '" + earlier + "' may not find this server: " + stored.error().message);
  }

  if (journal->restored_something()) log::info("State restoration completed");

  SystemClock clock;
  SystemRandom random;
  ServerOptions server_options;
  server_options.idle_timeout = options.idle_timeout;
  server_options.suspects = options.suspect.value_or(SuspectPolicy::kReport);
  if (options.worker_resume_window) server_options.resume_window = *options.worker_resume_window;
  server_options.after_damage = journal->was_damaged();
  server_options.info = {access->server_uid,   access->client->host, access->client->port,
                         access->worker->host, access->worker->port, HQ_VERSION,
                         uint32_t(getpid()),   clock.now().wall,     journal->shown_path()};
  server_options.alloc = alloc_options(*numbered);
  auto logs = make_log_files();
  if (!logs) return logs.error();
  auto peeker = make_output_peeker();
  if (!peeker) return peeker.error();
  auto batch = make_batch_threads();
  if (!batch) return batch.error();
  Server server(server_options,
                {*clients->channel, *workers->channel, journal->journal(), random, write_private_file, **logs,
                 **peeker, **batch},
                clock.now(), journal->take_state());
  print_server_info(server_options.info, dir.path, output);
  if (const int failed = output.finish(); failed != 0) return failed;

  FdReactor& reactor = (*transport)->reactor();
  reactor.add_fd(signals->fd());
  if (journal->wake_fd() >= 0) reactor.add_fd(journal->wake_fd());
  reactor.add_fd((*logs)->event_fd());
  reactor.add_fd((*peeker)->event_fd());
  reactor.add_fd((*batch)->event_fd());
  std::optional<TimePoint> deadline = server.turn(clock.now());
  std::optional<int> leaves_by;
  while (!server.finished()) {
    // Heartbeats come in swarms, one by one: a nap saves waking up for each.
    if (server.heard_only_heartbeats()) std::this_thread::sleep_for(kSwarm);
    reactor.wait(deadline);
    while (auto signal_number = signals->next()) {
      if (*signal_number == SIGTSTP) continue;
      if (*signal_number == SIGINT) {
        server.stop("Received SIGINT, attempting to stop");
      } else if (server.resumable() && !leaves_by) {
        leaves_by = *signal_number;
        server.leave("Received signal " + std::to_string(*signal_number) +
                     ", leaving workers to a server that goes on with the journal");
      } else {
        die_by(*signal_number, journal->owned());
      }
    }
    deadline = server.turn(clock.now());
  }
  reactor.remove_fd(signals->fd());
  if (journal->wake_fd() >= 0) reactor.remove_fd(journal->wake_fd());
  reactor.remove_fd((*logs)->event_fd());
  reactor.remove_fd((*peeker)->event_fd());
  reactor.remove_fd((*batch)->event_fd());
  if (leaves_by) die_by(*leaves_by, journal->owned());
  if (server.left()) return 0;
  journal->end_in_order();
  if (auto cleared = clear_current(dir, *numbered); !cleared) {
    log::warn("Cannot remove the link to '" + *numbered + "': " + cleared.error().message);
  }
  return 0;
}

}  // namespace hq::cli
