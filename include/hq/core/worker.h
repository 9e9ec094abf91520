// A worker as the fold keeps it: what it is, what is assigned to it, and our mirror of its free amounts. Only
// State (state.h) changes it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "hq/core/event.h"
#include "hq/core/ids.h"
#include "hq/core/request_classes.h"
#include "hq/core/worker_config.h"

namespace hq {

struct WorkerState {
  WorkerId id;
  WorkerUid uid;
  std::shared_ptr<const WorkerConfig> config;
  WallTime connected;
  std::optional<LossReason> lost;
  std::optional<WallTime> ended;
  AmountVector total;
  AmountVector free;  // total minus what slots, running and lingering tasks hold

  // What was assigned, as ranges; entries whose tasks have all left are swept now and then. Which tasks are
  // still here is said by their rows.
  std::vector<AssignedRange> assigned;
  uint64_t slots = 0;    // placed, not reported as started
  uint64_t running = 0;  // reported as started
  uint64_t backlog = 0;  // waiting there beyond what was placed

  struct BacklogOf {  // per definition: what could be retracted
    DefinitionId definition;
    ClassId klass;
    GroupKey group;
    uint32_t count = 0;
    int32_t priority = 0;
  };
  std::vector<BacklogOf> backlog_of;

  // What slots and running tasks hold, counted.
  struct InUse {
    ClassId klass;
    uint8_t variant = 0;
    int32_t priority = 0;
    uint32_t count = 0;
  };
  std::vector<InUse> in_use;
  // The multi-node task that has this worker to itself, and the worker that runs it.
  struct Gang {
    JobTask task;
    WorkerId root;
    friend bool operator==(const Gang&, const Gang&) = default;
  };
  std::optional<Gang> gang;

  // Canceled or aborted while they held resources: these are free again when the worker reports the end.
  struct Lingering {
    ClassId klass;
    uint8_t variant = 0;
    InstanceId instance;
  };
  std::map<JobTask, Lingering> lingering;

  // Last time something was handed to it, or it reported a start or an end.
  WallTime last_progress;
  std::optional<JobTask> last_task;
  WallTime last_task_time;

  // Lost without proof that its processes have ended: `assigned` says which tasks are held because of that.
  bool holding = false;

  [[nodiscard]] bool alive() const { return !lost.has_value(); }
  [[nodiscard]] bool idle() const { return slots + running + backlog == 0 && lingering.empty() && !gang; }
};

}  // namespace hq
