#include "cli/commands/hostfile.h"

#include <fmt/format.h>

#include <limits>

#include "hq/core/text/option_text.h"

namespace hq::cli {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Where the colon before the port is, if there is one.
size_t port_separator(std::string_view line) {
  if (line.starts_with('[')) {
    const size_t end = line.find("]:");
    return end == line.npos ? end : end + 1;
  }
  const size_t colon = line.find(':');
  return colon == line.rfind(':') ? colon : line.npos;
}

std::string name_of(std::string_view host) {
  if (host.size() > 2 && host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

Result<SshHost> parse_line(std::string_view line) {
  const size_t separator = port_separator(line);
  SshHost host;
  host.name = name_of(line.substr(0, separator));
  if (host.name.empty()) return Error("The provided hostname is empty");
  // A name that starts with a dash would be an option of ssh.
  if (host.name.starts_with('-')) return Error(fmt::format("Invalid hostname {}", host.name));
  if (separator == line.npos) return host;
  auto port = parse_integer_in(line.substr(separator + 1), 0, std::numeric_limits<uint16_t>::max());
  if (!port) return Error(fmt::format("Cannot parse port from {}: {}", line, port.error().message));
  host.port = static_cast<uint16_t>(*port);
  return host;
}

}  // namespace

std::string SshHost::text() const {
  return port ? fmt::format("{}:{}", name, *port) : name;
}

Result<std::vector<SshHost>> parse_hostfile(std::string_view text) {
  std::vector<SshHost> hosts;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty()) continue;
    auto host = parse_line(line);
    if (!host) return host.error();
    hosts.push_back(std::move(*host));
  }
  if (hosts.empty()) return Error("The provided hostname is empty");
  return hosts;
}

std::vector<std::string> ssh_command(const SshHost& host, const std::string& program,
                                     const std::vector<std::string>& worker_args) {
  // A terminal is asked for so that the worker is told when the connection ends.
  std::vector<std::string> argv = {"ssh", host.name, "-t", "-t"};
  if (host.port) argv.insert(argv.end(), {"-p", std::to_string(*host.port)});
  argv.insert(argv.end(), {"--", program, "worker", "start"});
  argv.insert(argv.end(), worker_args.begin(), worker_args.end());
  return argv;
}

}  // namespace hq::cli
