#include "cli/commands/show_server.h"

#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

Table server_table(const msg::ServerInfo& info, const std::optional<std::string>& server_dir) {
  Table table = Table::vertical();
  if (server_dir) table.add_row("Server directory", *server_dir);
  table.add_row("Server UID", info.server_uid);
  table.add_row("Client host", info.client_host);
  table.add_row("Client port", std::to_string(info.client_port));
  table.add_row("Worker host", info.worker_host);
  table.add_row("Worker port", std::to_string(info.worker_port));
  table.add_row("Version", info.version);
  table.add_row("Pid", std::to_string(info.pid));
  table.add_row("Start date", utc_text(info.started));
  table.add_row("Journal path", info.journal_path.value_or(""));
  if (info.journal_stalled > Duration{0}) {
    table.add_row("Journal stalled", "for " + duration_text(info.journal_stalled));
  }
  if (!info.journal_trouble.empty()) table.add_row("Journal trouble", info.journal_trouble);
  return table;
}

void write_server(const msg::ServerInfo& info, const std::optional<std::string>& server_dir,
                  JsonWriter& json) {
  json.begin_object();
  json.member("client_host", info.client_host);
  json.member("client_port", uint32_t{info.client_port});
  json.member("journal_path", info.journal_path);
  if (info.journal_stalled > Duration{0}) {
    json.member("journal_stalled", std::chrono::duration<double>(info.journal_stalled).count());
  }
  if (!info.journal_trouble.empty()) json.member("journal_trouble", info.journal_trouble);
  json.member("pid", info.pid);
  json.member("server_dir", server_dir);
  json.member("server_uid", info.server_uid);
  json.member("start_date", rfc3339_text(info.started));
  json.member("version", info.version);
  json.member("worker_host", info.worker_host);
  json.member("worker_port", uint32_t{info.worker_port});
  json.end_object();
}

}  // namespace

void print_server_info(const msg::ServerInfo& info, const std::optional<std::string>& server_dir,
                       Output& output) {
  if (output.cli()) output.print_table(server_table(info, server_dir));
  if (output.json()) output.print_json([&](JsonWriter& json) { write_server(info, server_dir, json); });
  if (server_dir) output.print_quiet(*server_dir);
}

}  // namespace hq::cli
