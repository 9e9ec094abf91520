// `hq worker hwdetect`: what a worker would find here. Needs no server.
#include "cli/commands/service_commands.h"
#include "cli/commands/show_worker.h"
#include "cli/worker_resources.h"
#include "hq/base/log.h"
#include "hq/os/hardware.h"
#include "hq/os/manager.h"

namespace hq::cli {

int run_worker_hwdetect(const HwDetectOptions& options, const CommandContext&, Output& output) {
  const HardwareSource machine = this_machine();
  auto manager = detect_manager(machine.env, hq::ManagerChoice::kDetect);
  if (!manager) return output.print_error(manager.error());
  if (*manager) log::info(manager_detected_text((*manager)->kind));
  // The batch system itself is not asked: only a worker has to know how long it may live.
  const BatchShare share =
      batch_share(*manager, machine.env, std::nullopt, machine.host, pbs_node_file(machine));
  print_detected_resources(detected_resources(machine, share, options.no_hyper_threading), output);
  return output.finish();
}

}  // namespace hq::cli
