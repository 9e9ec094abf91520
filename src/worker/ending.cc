// How a worker ends.
#include <utility>

#include "hq/base/log.h"
#include "worker/state.h"

namespace hq {

namespace {

constexpr Duration kStopWait = 5s;        // for the ends of stopped tasks
constexpr Duration kLastAckWait = 1s;     // for the server to have our last results on disk
constexpr Duration kGoodbyeWait = 250ms;  // for a sign that our goodbye was read

}  // namespace

void Worker::State::drop_waiting() {
  for (const Task& task : slots) forget(task);
  slots.clear();
  for (const Task& task : backlog.take_if([](const Task&) { return true; })) forget(task);
  retract.reset();
  later_retracts.clear();
  unasked_returns.clear();
  recall_all(Recall::kWorkerEnds);
}

// `must_stop`: our tasks may run elsewhere soon, so that no policy can let them finish.
void Worker::State::server_lost(Now now, std::string why, bool must_stop) {
  log::debug("Server lost: " + why);
  session.fall_silent();
  ports.output.abandon();
  fence.reset();
  if (must_stop || options.config.on_server_lost == OnServerLost::kStop) {
    return begin_stopping(now, {1, Error("Server connection closed"), std::nullopt});
  }
  if (options.set_fence) options.set_fence(std::nullopt);
  ending = {1, Error("Server connection closed"), std::nullopt};
  phase = Phase::kFinishing;
  drop_waiting();
  if (!launches.empty()) log::info("Waiting for finishing running tasks");
}

void Worker::State::begin_stopping(Now now, Ending how) {
  ending = std::move(how);
  phase = Phase::kStopping;
  phase_deadline = now.mono + kStopWait;
  drop_waiting();
  if (launches.empty()) return;
  log::info("Waiting for stopping running tasks");
  for (auto& [number_of_chain, chain] : launches.chains()) {
    for (LaunchId id : chain.members) {
      Launch& launch = launches.get(id);
      if (launch.state != Launch::State::kHanded) stop(launch, StopCause::kWorkerEnds);
    }
  }
}

void Worker::State::on_ending(Now now) {
  if (signalled && (phase == Phase::kServing || phase == Phase::kFinishing)) {
    const std::string cause = "Worker received an external stop notification";
    log::info(cause);
    begin_stopping(now, {0, std::nullopt, msg::Goodbye{msg::Goodbye::Reason::kSignal, cause, {}}});
  }
  const bool nothing_left = launches.empty() && keeping.empty();
  if (phase == Phase::kFinishing && nothing_left) {
    log::info("All running tasks were finished");
    return finish();
  }
  if (phase == Phase::kStopping && (nothing_left || now.mono >= phase_deadline)) leave(now);
  if (phase != Phase::kLeaving) return;
  if (!session.welcomed()) return finish();
  if (!goodbye_said && (reports.all_acknowledged() || now.mono >= phase_deadline)) {
    if (options.last_log_lines) ending.goodbye->last_lines = options.last_log_lines();
    session.send(*ending.goodbye);
    session.send(msg::Heartbeat{kFarewellBeat});  // its answer tells that the goodbye was read
    session.flush();
    goodbye_said = true;
    phase_deadline = now.mono + kGoodbyeWait;
  }
  if (goodbye_said && now.mono >= phase_deadline) finish();
}

void Worker::State::leave(Now now) {
  phase = Phase::kLeaving;
  phase_deadline = now.mono + kLastAckWait;
  if (!ending.goodbye || !session.welcomed()) return finish();
}

void Worker::State::finish() {
  phase = Phase::kFinished;
  if (ending.exit_code == 0) log::info("Worker stopping");
  session.close();
}

}  // namespace hq
