// `hq server generate-access`: keys and ports before there is a server.
#include "cli/commands/service_commands.h"
#include "hq/base/log.h"
#include "hq/base/random.h"
#include "hq/os/hardware.h"
#include "hq/transport/access.h"

namespace hq::cli {
namespace {

constexpr size_t kUidLength = 6;

Result<void> store(const std::string& file, const AccessRecord& record) {
  log::info("Storing access file as '" + file + "'");
  return store_access(file, record);
}

Result<void> generate(const GenerateAccessOptions& options, const RunningVersion& running) {
  std::string host = options.host.value_or("");
  if (!options.host && !(options.client_host && options.worker_host)) {
    auto own = host_name();
    if (!own) return own.error();
    host = *own;
  }
  SystemRandom random;
  const AccessRecord record =
      generate_access(running, random.alphanumeric(kUidLength),
                      {options.client_host.value_or(host), options.client_port.value_or(0), true},
                      {options.worker_host.value_or(host), options.worker_port.value_or(0), true});
  if (auto stored = store(options.access_file, record); !stored) return stored;
  if (options.client_file) {
    if (auto stored = store(*options.client_file, split_access(record, hq::Role::kClient)); !stored)
      return stored;
  }
  if (options.worker_file) return store(*options.worker_file, split_access(record, hq::Role::kWorker));
  return {};
}

}  // namespace

int run_generate_access(const GenerateAccessOptions& options, const CommandContext& context, Output& output) {
  if (auto done = generate(options, context.running); !done) return output.print_error(done.error());
  return output.finish();
}

}  // namespace hq::cli
