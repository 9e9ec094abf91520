// What time brings.
#include <algorithm>

#include "hq/base/log.h"
#include "worker/state.h"

namespace hq {

namespace {

constexpr Duration kStuckCheck = 100ms;
// Stopping takes tasks a second, or five if they hang; the goodbye a little more.
constexpr Duration kBeforeWalltime = 10s;
constexpr Duration kShortestMeasure = 100ms;  // whatever the server says
// The socket says when it takes more; this is for the case that nobody listens.
constexpr Duration kRetrySend = 20ms;

}  // namespace

void Worker::State::on_timer(Now now) {
  session.on_timer(now);
  if (const auto end = known_end(); phase == Phase::kServing && end && now.mono >= *end) {
    log::info("Time limit reached");
    begin_stopping(
        now, {0, std::nullopt, msg::Goodbye{msg::Goodbye::Reason::kTimeLimit, "Time limit reached", {}}});
  }
  end_if_idle(now);
  tell_measurements(now);
  on_task_limits(now);
  if (phase == Phase::kServing && now.mono >= next_retract_check) {
    next_retract_check = now.mono + options.config.retract_check_interval;
    return_what_outlives_us(now);
  }
  if (phase == Phase::kServing) free_stuck_successors(now);
}

// What the batch system does at its end is no grace for anybody: by then our tasks have been stopped, their
// ends reported and our goodbye said.
std::optional<TimePoint> Worker::State::known_end() const {
  std::optional<TimePoint> end;
  if (options.config.time_limit) end = born + *options.config.time_limit;
  if (options.walltime) {
    const Duration early = std::min(kBeforeWalltime, *options.walltime / 10);
    end = std::min(end.value_or(TimePoint::max()), born + *options.walltime - early);
  }
  return end;
}

// The server ends idle workers; while it is away we do so ourselves, unless it has results to hear of.
void Worker::State::end_if_idle(Now now) {
  if (!known.empty()) {
    idle_since.reset();
    return;
  }
  if (!idle_since) idle_since = now.mono;
  if (!ends_when_idle() || now.mono < *idle_since + *options.config.idle_timeout) return;
  log::info("Idle timeout reached");
  begin_stopping(now,
                 {0, std::nullopt, msg::Goodbye{msg::Goodbye::Reason::kStopped, "Idle timeout reached", {}}});
}

// What can't leave now is not worth keeping: the next one is newer.
void Worker::State::tell_measurements(Now now) {
  if (auto measured = ports.meter.take(); measured && session.welcomed() && !session.backed_up())
    session.send(msg::Measured{*std::move(measured)});
  if (!measure_interval || !session.welcomed() || now.mono < next_measurement) return;
  next_measurement = now.mono + *measure_interval;
  ports.meter.ask();
}

void Worker::State::on(const msg::MeasureEvery& message, Now now) {
  if (options.config.overview_interval) return;
  measure_interval.reset();
  if (message.interval > 0ns) measure_interval = std::max(message.interval, kShortestMeasure);
  next_measurement = now.mono;
}

bool Worker::State::ends_when_idle() const {
  return phase == Phase::kServing && number.value != 0 && !session.welcomed() &&
         options.config.idle_timeout && idle_since && reports.all_acknowledged();
}

void Worker::State::on_task_limits(Now now) {
  while (!task_limits.empty() && task_limits.begin()->first <= now.mono) {
    Launch* launch = launches.find(task_limits.begin()->second);
    task_limits.erase(task_limits.begin());
    if (launch != nullptr) stop(*launch, StopCause::kTimeLimit);
  }
}

// Tasks whose time request no longer fits our remaining life. Successors are on their way, they start in time
// or not at all.
void Worker::State::return_what_outlives_us(Now now) {
  if (!options.config.time_limit) return;
  for (const Task& task :
       backlog.take_if([&](const Task& t) { return !outlives(t.request().variant, now); })) {
    forget(task);
    unasked_returns.push_back(task.attempt);
  }
  std::erase_if(slots, [&](const Task& task) {
    if (outlives(task.request().variant, now)) return false;
    forget(task);
    unasked_returns.push_back(task.attempt);
    return true;
  });
}

void Worker::State::send_reports(Now now) {
  if (!session.welcomed()) return;
  if (!unasked_returns.empty()) send_returned(0, std::exchange(unasked_returns, {}));
  while (!session.backed_up()) {
    const bool idle = waiting() == 0 || phase != Phase::kServing;
    const auto due = reports.due(idle);
    if (!due || *due > now.mono) return;
    session.send(reports.take(now.mono));
    session.flush();
  }
}

std::optional<TimePoint> Worker::State::next_deadline(Now now) const {
  std::optional<TimePoint> next;
  const auto at = [&](std::optional<TimePoint> moment) {
    if (moment) next = next ? std::min(*next, *moment) : *moment;
  };
  at(session.next_deadline());
  at(output_session.next_deadline());
  if (session.backed_up()) at(now.mono + kRetrySend);
  if (session.welcomed() && !session.backed_up()) at(reports.due(waiting() == 0 || phase != Phase::kServing));
  if (!task_limits.empty()) at(task_limits.begin()->first);
  switch (phase) {
    case Phase::kServing:
      at(fence);
      if (measure_interval && session.welcomed()) at(next_measurement);
      at(known_end());
      if (options.config.time_limit && waiting() > 0) at(next_retract_check);
      if (launches.handed() > 0) at(now.mono + kStuckCheck);
      if (ends_when_idle()) at(*idle_since + *options.config.idle_timeout);
      break;
    case Phase::kFinishing:
      break;
    case Phase::kStopping:
    case Phase::kLeaving:
      at(phase_deadline);
      break;
    case Phase::kFinished:
      return std::nullopt;
  }
  if (next) next = std::max(*next, now.mono);
  return next;
}

}  // namespace hq
