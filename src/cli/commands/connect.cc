#include "cli/commands/connect.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>

#include "cli/commands/foreground.h"
#include "hq/base/log.h"
#include "hq/protocol/limits.h"

namespace hq::cli {
namespace {

std::string current_directory() {
  std::array<char, PATH_MAX> path{};
  return ::getcwd(path.data(), path.size()) == nullptr ? std::string() : std::string(path.data());
}

Result<std::string> read_all(int fd) {
  std::string bytes;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(errno);
    if (n == 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(n));
  }
}

void sleep_until(TimePoint moment) {
  const int64_t ns = moment.time_since_epoch().count();
  const timespec at{ns / 1'000'000'000, ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// The name of this very machine needs no look-up, which may take longer than all the rest. The other
// addresses of the record are still tried when nothing listens here.
void shorten_way(RoleAccess& server) {
  std::array<char, 256> own{};
  const bool here = server.host == "localhost" ||
                    (::gethostname(own.data(), own.size() - 1) == 0 && server.host == own.data());
  if (here) server.host = "127.0.0.1";
}

}  // namespace

Error connection_error(const ServerDir& dir, const RoleAccess& server,
                       const Client::ConnectionFailure& failure) {
  if (failure.was_open) return Error("Tako error: " + failure.text, {failure.text});
  if (failure.refused || server.secret_key_unusable) {
    return unreachable_error(dir, server, refusal_causes(failure.text));
  }
  return unreachable_error(dir, server, {failure.text});
}

StandardContext::StandardContext(ServerDir dir, RunningVersion running) {
  context_.working_directory = current_directory();
  context_.environment = [](const char* name) { return std::getenv(name); };
  context_.connect = [this] { return connect(); };
  context_.server_dir = std::move(dir);
  context_.running = std::move(running);
  context_.clock = &clock_;
  context_.sleep_until = sleep_until;
  context_.read_stdin = [] { return read_all(STDIN_FILENO); };
  context_.files = &files_;
  context_.run_program = run_in_foreground;
  context_.stdout_is_terminal = ::isatty(STDOUT_FILENO) == 1;
}

Result<Client> StandardContext::connect() {
  auto record = load_client_access(context_.server_dir, context_.running);
  if (!record) return record.error();
  const RoleAccess server = *record->client;
  if (!server.secret_key && !server.secret_key_unusable && !warned_) {
    log::warn("No client key: Unauthenticated and unencrypted connection to server");
    warned_ = true;
  }
  if (transport_ == nullptr) {
    auto made = Transport::make();
    if (!made) return made.error();
    transport_ = std::move(*made);
  }
  shorten_way(*record->client);
  ConnectorOptions options;
  options.role = hq::Role::kClient;
  options.load = [record = std::move(*record)]() -> Result<AccessRecord> { return record; };
  options.limits.max_frame_bytes = limits::kMaxClientFrame;
  connectors_.push_back(transport_->make_connector(std::move(options)));
  return Client::connect({*connectors_.back(), transport_->reactor(), clock_},
                         [dir = context_.server_dir, server](const Client::ConnectionFailure& failure) {
                           return connection_error(dir, server, failure);
                         });
}

}  // namespace hq::cli
