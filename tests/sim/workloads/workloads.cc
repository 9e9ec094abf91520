#include "sim/workloads/workloads.h"

#include "support/builders.h"

namespace hq::sim {

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"arrays", run_arrays},
      {"cancel-storm", run_cancel_storm},
      {"priorities", run_priorities},
      {"graphs", run_graphs},
      {"many-jobs", run_many_jobs},
      {"mixed-durations", run_mixed_durations},
      {"crash-limits", run_crash_limits},
      {"output", run_output},
      {"nodes", run_nodes},
      {"resources", run_resources},
      {"stream", run_stream},
      {"requests", run_requests},
  };
  return all;
}

msg::Submit submit_of(World& world, const ProgramModel& model, SubmitDescription what) {
  auto finish = [&](TaskDescription& task, std::vector<std::string> args) {
    task.program.args = std::move(args);
    task.program.cwd = "/sim/%{SERVER_UID}";  // tells the rules which server gave the task
  };
  finish(what.task, world.program(model));
  for (GraphTask& task : what.graph) finish(task.task, world.program(model));
  msg::Submit submit;
  submit.name = "job";
  submit.submit = std::move(what);
  return submit;
}

}  // namespace hq::sim
