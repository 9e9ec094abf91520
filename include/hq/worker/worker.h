// A worker: holds the tasks the server gives it, starts them as their resources become free, and reports what
// became of them. It decides only; processes and the network are behind ports, and it never touches a path.
//
// What always holds:
// - a task that was taken in leaves only by a report, a list of returned tasks, a cancel or our end;
// - an end that was reported is kept until the server has acknowledged it, across any number of connections;
// - no task runs later than the window of the last answered heartbeat (docs/protocol.md, Lease);
// - what runs never takes more than the worker offers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/random.h"
#include "hq/base/result.h"
#include "hq/core/ids.h"
#include "hq/core/worker_config.h"
#include "hq/os/hardware_meter.h"
#include "hq/os/local_notices.h"
#include "hq/os/process.h"
#include "hq/stream/output_peek.h"
#include "hq/stream/task_output.h"
#include "hq/transport/channel.h"

namespace hq {

struct WorkerOptions {
  WorkerConfig config;   // normalised; work_dir as it is shown to people
  std::string work_dir;  // absolute
  std::string version;
  std::string executable;  // what tasks see as HQ
  // When the batch system ends us, counted from our start; tasks are stopped in good time before.
  std::optional<Duration> walltime;
  std::string notice_socket;  // where its tasks reach `notices` below; "" = they can't
  // Set for each task, below what the user asked for.
  std::vector<std::pair<std::string, std::string>> task_environment;
  // Masks of GPUs in our own environment (CUDA_VISIBLE_DEVICES, ...).
  std::vector<std::pair<std::string, std::string>> gpu_environment;
  bool hide_unrequested_gpus = false;  // tasks that ask for no GPU see none
  // Ends all tasks by itself when it was not called again within the duration, even if this process is
  // frozen; nullopt switches it off. May be empty.
  std::function<void(std::optional<Duration>)> set_fence;
  // The newest log lines, for the server to show why the worker ended. May be empty.
  std::function<std::vector<std::string>()> last_log_lines;
};

// All outlive the worker.
struct WorkerPorts {
  Connector& connector;
  ProcessPort& processes;
  TaskOutput& output;
  OutputPeek& peek;
  Random& random;
  LocalNotices& notices;
  HardwareMeter& meter;
};

class Worker {
 public:
  Worker(WorkerOptions options, WorkerPorts ports, Now start);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Handles all that is ready, up to a fair share. To be called again when a port has something, and at the
  // latest at the moment it returns.
  std::optional<TimePoint> turn(Now now);
  // SIGINT, SIGTERM or SIGTSTP came: the next turn stops the tasks and then the worker.
  void on_signal();

  struct Registration {
    WorkerId worker;
    std::string server_uid;
  };
  // Once, after the first welcome.
  [[nodiscard]] std::optional<Registration> take_registration();

  [[nodiscard]] bool finished() const;
  // REQUIRES: finished(). 0, or 1 together with final_error().
  [[nodiscard]] int exit_code() const;
  [[nodiscard]] const std::optional<Error>& final_error() const;
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hq
