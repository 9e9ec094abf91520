// What a worker says of itself when it registers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hq/base/clock.h"
#include "hq/core/resources.h"

namespace hq {

enum class OnServerLost : uint8_t { kStop, kFinishRunning };
enum class ManagerKind : uint8_t { kNone, kPbs, kSlurm };

struct WorkerConfig {
  ResourceDescriptor resources;  // normalised: sorted by name
  std::string hostname;
  std::string listen_address;  // shown as "Data provider"; nothing of ours connects to it
  std::string group = "default";
  std::string work_dir;
  Duration heartbeat_interval = 8s;
  std::optional<Duration> overview_interval;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> time_limit;  // from the worker's start
  Duration retract_check_interval = 30s;
  OnServerLost on_server_lost = OnServerLost::kStop;
  double min_utilization = 0.0;
  ManagerKind manager = ManagerKind::kNone;
  std::string manager_job_id;
  uint32_t pid = 0;
  std::string boot_id;  // of the host; a new one proves that all earlier processes there are gone
  friend bool operator==(const WorkerConfig&, const WorkerConfig&) = default;
};

// Why a worker is gone.
enum class LossReason : uint8_t {
  kStopped,
  kConnectionLost,
  kHeartbeatLost,
  kIdleTimeout,
  kTimeLimitReached
};
// True if the loss counts as a crash for the tasks that ran there.
[[nodiscard]] constexpr bool counts_as_crash(LossReason reason) {
  return reason == LossReason::kConnectionLost || reason == LossReason::kHeartbeatLost;
}

}  // namespace hq
