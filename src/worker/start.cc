// What runs: slots first, then the backlog as resources become free, and successors behind short tasks.
#include <algorithm>
#include <utility>

#include "hq/base/assert.h"
#include "worker/state.h"

namespace hq {

namespace {

// A launcher that holds what comes next wastes nothing between two short tasks; for longer ones the round
// trip is nothing, and a successor only waits at the wrong place.
constexpr Duration kShortTask = 50ms;
constexpr Duration kStuck = 200ms;
// As many as run in this time: the launcher tells of ends ten milliseconds late, and until it has been told
// of more it must not run dry.
constexpr Duration kSuccessorTime = 16ms;
constexpr size_t kFewestSuccessors = 4;
constexpr size_t kMostSuccessors = 64;
constexpr Duration kStopGrace = 1s;

bool is_short(const Definition& definition) {
  return definition.usual_run && *definition.usual_run <= kShortTask;
}

// REQUIRES: a short one.
size_t most_successors(const Definition& definition) {
  const Duration run = std::max(*definition.usual_run, Duration(1));
  return std::clamp(size_t(kSuccessorTime / run), kFewestSuccessors, kMostSuccessors);
}

// "hq17-q3jX0bWz": the launch, and what nobody can guess. Of one random number, since each launch needs it.
std::string token_of(LaunchId id, Random& random) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string token = "hq" + id.text() + "-";
  uint64_t rest = random.next();
  for (int i = 0; i < 8; ++i, rest /= kLetters.size()) token += kLetters[rest % kLetters.size()];
  return token;
}

}  // namespace

bool Worker::State::outlives(const ResourceVariant& variant, Now now) const {
  if (variant.min_time <= 0ns || !options.config.time_limit) return true;
  return born + *options.config.time_limit - now.mono >= variant.min_time;
}

void Worker::State::start_ready(Now now) {
  // Without room for its pipes a streamed task can't run; all wait, so that none overtakes another.
  if (phase != Phase::kServing || !ports.output.has_room()) return;
  start_slots(now);
  if (!slots.empty()) {  // they come before any backlog: what gets free now is for them
    recall_all(Recall::kBacklog);
    return;
  }
  start_backlog(now);
  recall_for_free_resources();
  hand_successors(now);
}

void Worker::State::start_slots(Now now) {
  for (auto slot = slots.begin(); slot != slots.end();) {
    const ResourceVariant& variant = slot->request().variant;
    if (!outlives(variant, now)) {
      unasked_returns.push_back(slot->attempt);
      forget(*slot);
      slot = slots.erase(slot);
      continue;
    }
    // A multi-node task has us to itself, whatever its entries say.
    auto claim = pool.allocate(variant.nodes > 0 ? ResourceVariant{} : variant);
    if (!claim) {
      if (!pool.has_amounts(variant)) {
        ++slot;
        continue;
      }
      // The amounts are there, the indices lie wrong for it: others may use them meanwhile.
      unasked_returns.push_back(slot->attempt);
      forget(*slot);
      slot = slots.erase(slot);
      continue;
    }
    Task task = std::move(*slot);
    slot = slots.erase(slot);
    launch(std::move(task), std::move(*claim), now);
  }
}

void Worker::State::start_backlog(Now now) {
  while (!backlog.empty()) {
    std::optional<ResourceClaim> claim;
    auto task = backlog.take_first([&](const Request& request) {
      if (!outlives(request.variant, now)) return true;
      claim = pool.allocate(request.variant);
      return claim.has_value();
    });
    if (!task) return;
    if (claim) {
      launch(std::move(*task), std::move(*claim), now);
    } else {
      unasked_returns.push_back(task->attempt);
      forget(*task);
    }
  }
}

// Completes what every launch of this task needs. False if the task has failed instead.
bool Worker::State::prepare(Task& task, const ResourceClaim& claim, Prepared& prepared, Now now) {
  const std::string directory = has_task_dir(task) ? "t" + ports.random.alphanumeric(6) : "";
  auto planned = plan_launch(task, claim, directory, facts);
  if (!planned) {
    report_end(task, msg::EndedTask::Outcome::kFailed, {}, {FailureKind::kLaunch, 0, planned.error().message},
               now);
    forget(task);
    return false;
  }
  auto& base = task.definition->templates[task.variant];
  if (!base) {
    base = TemplateId(++last_template);
    ports.processes.define(*base, make_launch_template(*task.definition, task.variant, facts));
  }
  LaunchRequest& request = prepared.request;
  request = *std::move(planned);
  request.id = LaunchId(++last_launch);
  request.base = *base;
  if (!options.notice_socket.empty()) {
    prepared.token = token_of(request.id, ports.random);
    request.env.emplace_back(kAccessKeyVariable, options.notice_socket + ":" + prepared.token);
  }
  return true;
}

void Worker::State::launch(Task task, ResourceClaim claim, Now now) {
  Prepared prepared;
  if (!prepare(task, claim, prepared, now)) return;
  ports.processes.start(prepared.request);
  launches.start_chain(prepared.request.id, std::move(task), std::move(claim));
  launches.get(prepared.request.id).token = std::move(prepared.token);
}

bool Worker::State::hand(uint64_t chain_number, Task task, Now now) {
  Chain& chain = launches.chains().at(chain_number);
  Prepared prepared;
  if (!prepare(task, chain.claim, prepared, now)) return false;
  prepared.request.after = chain.members.back();
  ports.processes.start(prepared.request);
  launches.append(chain_number, prepared.request.id, std::move(task));
  launches.get(prepared.request.id).token = std::move(prepared.token);
  return true;
}

// The first of the backlog goes behind a running task of the same request; one each in turn, so that chains
// stay equally long.
void Worker::State::hand_successors(Now now) {
  size_t shortest = kMostSuccessors + 1;
  for (const auto& [number_of_chain, chain] : launches.chains())
    shortest = std::min(shortest, chain.members.size());
  for (size_t length = shortest; length <= kMostSuccessors; ++length) {
    for (auto& [number_of_chain, chain] : launches.chains()) {
      const Task* first = backlog.first();
      if (first == nullptr || !is_short(*first->definition) || !outlives(first->request().variant, now))
        return;
      if (length > most_successors(*first->definition)) return;
      if (chain.request != first->request().number || chain.members.size() != length) continue;
      const Launch& front = launches.get(chain.members.front());
      const Launch& last = launches.get(chain.members.back());
      if (front.stopped != StopCause::kNone || last.recall != Recall::kNone) continue;
      if (!is_short(*front.task.definition)) continue;
      if (front.state == Launch::State::kRunning && now.mono >= front.started + kStuck) continue;
      hand(number_of_chain, *backlog.take_first([](const Request&) { return true; }), now);
    }
  }
}

// --- taking successors back -----------------------------------------------------------------------------

void Worker::State::recall(Launch& launch, Recall purpose) {
  if (launch.recall == Recall::kRetract && purpose != Recall::kRetract && retract) --retract->outstanding;
  if (launch.recall == Recall::kNone) ports.processes.drop(launch.id);
  launch.recall = purpose;
}

// Last one first: dropping one in the middle would start those behind it beside what runs.
void Worker::State::recall_from(const Chain& chain, size_t position, Recall purpose) {
  for (size_t i = chain.members.size(); i-- > position;) {
    Launch& launch = launches.get(chain.members[i]);
    if (launch.state != Launch::State::kHanded) continue;
    if (i == position) {
      recall(launch, purpose);
    } else if (launch.recall == Recall::kNone) {
      recall(launch, Recall::kBacklog);
    }
  }
}

void Worker::State::recall_all(Recall purpose) {
  if (launches.handed() == 0) return;
  for (auto& [number_of_chain, chain] : launches.chains()) {
    for (size_t i = chain.members.size(); i-- > 0;) {
      Launch& launch = launches.get(chain.members[i]);
      if (launch.state != Launch::State::kHanded) continue;
      if (launch.recall == Recall::kNone || purpose == Recall::kWorkerEnds) recall(launch, purpose);
    }
  }
}

// Resources are free and nothing in the backlog can use them: successors could run there at once.
void Worker::State::recall_for_free_resources() {
  if (launches.handed() == 0) return;
  for (auto& [number_of_chain, chain] : launches.chains()) {
    const Launch& last = launches.get(chain.members.back());
    if (last.state != Launch::State::kHanded || last.recall != Recall::kNone) continue;
    if (pool.fits(last.task.request().variant)) recall_from(chain, 1, Recall::kBacklog);
  }
}

// Something of this priority came: successors of a lower one give way.
void Worker::State::recall_behind(int32_t priority) {
  if (launches.handed() == 0) return;
  for (auto& [number_of_chain, chain] : launches.chains()) {
    for (size_t i = 1; i < chain.members.size(); ++i) {
      const Launch& launch = launches.get(chain.members[i]);
      if (launch.recall != Recall::kNone || launch.task.definition->task->priority >= priority) continue;
      recall_from(chain, i, Recall::kBacklog);
      break;
    }
  }
}

void Worker::State::free_stuck_successors(Now now) {
  if (launches.handed() == 0) return;
  for (auto& [number_of_chain, chain] : launches.chains()) {
    if (chain.members.size() < 2) continue;
    const Launch& front = launches.get(chain.members.front());
    if (front.state != Launch::State::kRunning || now.mono < front.started + kStuck) continue;
    if (launches.get(chain.members.back()).recall == Recall::kNone) recall_from(chain, 1, Recall::kBacklog);
  }
}

void Worker::State::stop(Launch& launch, StopCause cause) {
  HQ_ASSERT(launch.state != Launch::State::kHanded);
  if (launch.stopped != StopCause::kNone) return;
  launch.stopped = cause;
  ports.processes.stop(launch.id, kStopGrace);
}

}  // namespace hq
