#include "hq/worker/worker.h"

#include <utility>

#include "hq/base/assert.h"
#include "hq/base/log.h"
#include "worker/state.h"

namespace hq {

Worker::State::State(WorkerOptions given, WorkerPorts p, Now start)
    : options(std::move(given)),
      ports(p),
      facts{options.executable, options.work_dir, options.task_environment,
            gpu_masks(options.config.resources, options.gpu_environment, options.hide_unrequested_gpus)},
      born(start.mono),
      uid(WorkerUid(p.random.next() | 1)),  // never 0
      session(p.connector, p.random, options.config.heartbeat_interval,
              options.config.manager != ManagerKind::kNone, start.mono),
      output_session(p.connector, p.random, p.output),
      pool(options.config.resources),
      next_retract_check(start.mono + options.config.retract_check_interval),
      measure_interval(options.config.overview_interval) {}

Worker::Worker(WorkerOptions options, WorkerPorts ports, Now start)
    : state_(std::make_unique<State>(std::move(options), ports, start)) {}

Worker::~Worker() = default;

std::optional<TimePoint> Worker::turn(Now now) {
  State& s = *state_;
  if (s.phase == Phase::kFinished) return std::nullopt;
  // Before anything is heard: if we were frozen over the end of the window, our tasks were ended by the
  // fence, and their ends are none of their own.
  if (s.phase == Phase::kServing && s.fence && now.mono >= *s.fence) {
    log::error("The server has not answered for too long; tasks are stopped");
    s.server_lost(now, "no answer within the window", true);
  }
  // Processes first: what has ended before a stop or cancel was read has ended by itself.
  bool more = s.handle_processes(now);
  more = s.handle_server(now) || more;
  // Events before packets: asking for them takes back what was to wake us for either.
  more = s.handle_output(now) || more;
  more = s.output_session.turn(s.session.number(), s.uid, now) || more;
  s.report_told(now);
  s.answer_peeks();
  s.pass_on_notices();
  s.on_timer(now);
  s.start_ready(now);
  s.send_reports(now);
  s.on_ending(now);
  s.ports.processes.flush();
  for (const std::string& line : s.ports.processes.take_log()) log::warn(line);
  s.session.flush();
  return more ? now.mono : s.next_deadline(now);
}

void Worker::on_signal() {
  state_->signalled = true;
}

std::optional<Worker::Registration> Worker::take_registration() {
  return std::exchange(state_->registration, std::nullopt);
}

bool Worker::finished() const {
  return state_->phase == Phase::kFinished;
}

int Worker::exit_code() const {
  HQ_ASSERT(finished());
  return state_->ending.exit_code;
}

const std::optional<Error>& Worker::final_error() const {
  return state_->ending.error;
}

void Worker::check_invariants() const {
  const State& s = *state_;
  s.pool.check_invariants();
  s.backlog.check_invariants();
  s.launches.check_invariants();
  s.reports.check_invariants();
  HQ_ASSERT(s.known.size() == s.slots.size() + s.backlog.size() + s.launches.size() + s.keeping.size());
  s.backlog.for_each([&](const Task& task) { HQ_ASSERT(s.known.contains(task.attempt)); });
  for (const auto& [id, kept] : s.keeping) HQ_ASSERT(s.known.contains(kept.task.attempt));
  for (const Task& task : s.slots) HQ_ASSERT(s.known.contains(task.attempt));
  size_t asked_back = 0;
  for (const auto& [id, launch] : s.launches.all()) {
    HQ_ASSERT(s.known.contains(launch.task.attempt));
    asked_back += launch.recall == Recall::kRetract;
  }
  HQ_ASSERT(asked_back == (s.retract ? s.retract->outstanding : 0));
}

}  // namespace hq
