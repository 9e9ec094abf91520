// Task and claim to what the launcher is asked for: environment, directories, outputs, pinning. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hq/base/result.h"
#include "hq/core/failure.h"
#include "hq/core/resource_pool.h"
#include "hq/core/text/placeholders.h"
#include "hq/os/process.h"
#include "worker/gpu_masks.h"
#include "worker/task.h"

namespace hq {

// What a worker says of itself to its tasks.
struct WorkerFacts {
  std::string executable;
  std::string work_dir;
  std::vector<std::pair<std::string, std::string>> task_environment;
  GpuMasks gpus;
};

// What all tasks of one definition and variant share.
[[nodiscard]] LaunchTemplate make_launch_template(const Definition& definition, uint8_t variant,
                                                  const WorkerFacts& facts);

[[nodiscard]] bool has_task_dir(const Task& task);

// One launch; its id, template and predecessor are left to the caller. `dir_name` names the task directory,
// if the task has one. The message of an Error is why the task fails.
[[nodiscard]] Result<LaunchRequest> plan_launch(const Task& task, const ResourceClaim& claim,
                                                std::string_view dir_name, const WorkerFacts& facts);

[[nodiscard]] TaskPaths paths_of(const Task& task);

// Why the launcher could not start it.
[[nodiscard]] Failure launch_failure(const Task& task, LaunchStage stage, int errnum);

}  // namespace hq
