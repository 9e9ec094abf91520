// What the server says.
#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "hq/base/log.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "worker/state.h"

namespace hq {

namespace {

constexpr int kFramesPerTurn = 256;  // messages in one turn
// Beyond any backlog and any number of placed tasks that a server could mean.
constexpr uint64_t kMostWaiting = 65'536;
constexpr size_t kBytesPerPage = size_t{4} << 20;

bool names(const msg::CancelTasks& cancel, const Attempt& attempt) {
  if (attempt.job != cancel.job) return false;
  if (cancel.ids.empty()) return true;
  return std::any_of(cancel.ids.begin(), cancel.ids.end(),
                     [&](const IdRange& range) { return range.contains(attempt.task.value); });
}

bool same(const Definition& held, const msg::Define& said) {
  return held.job == said.job && held.job_uid == said.job_uid && held.server_uid == said.server_uid &&
         held.submit_dir == said.submit_dir && held.stream_dir == said.stream_path.value_or("") &&
         held.log_path == said.log_path.value_or("") && *held.task == *said.task;
}

// Tasks of one job and instance as ranges.
std::vector<msg::TaskSpan> spans_of(std::vector<Attempt> attempts) {
  std::sort(attempts.begin(), attempts.end(), [](const Attempt& a, const Attempt& b) {
    return std::tie(a.job, a.instance, a.task) < std::tie(b.job, b.instance, b.task);
  });
  std::vector<msg::TaskSpan> spans;
  for (const Attempt& attempt : attempts) {
    const uint32_t id = attempt.task.value;
    if (!spans.empty()) {
      msg::TaskSpan& last = spans.back();
      if (last.job == attempt.job && last.instance == attempt.instance && last.ids.last + 1 == id) {
        last.ids.last = id;
        continue;
      }
    }
    spans.push_back({attempt.job, {id, id, 1}, attempt.instance});
  }
  return spans;
}

}  // namespace

bool Worker::State::handle_server(Now now) {
  for (int n = 0; n < kFramesPerTurn; ++n) {
    auto notice = session.next(now);
    if (!notice) return false;
    std::visit([&](auto&& what) { on_notice(std::forward<decltype(what)>(what), now); }, std::move(*notice));
    if (phase == Phase::kFinished) return false;
  }
  return true;
}

// --- sessions -------------------------------------------------------------------------------------------

void Worker::State::on_notice(Session::Opened, Now now) {
  session.greet(make_hello(now), now);
}

void Worker::State::on_notice(Session::Lost lost, Now now) {
  // What was asked back for an answer on that connection stays here; the next hello lists it.
  for (const auto& [id, launch] : launches.all()) {
    if (launch.recall == Recall::kRetract) launches.get(id).recall = Recall::kBacklog;
  }
  retract.reset();
  later_retracts.clear();
  unasked_returns.clear();  // not in the next hello: that gives them back too
  if (phase == Phase::kLeaving) return finish();
  if (phase != Phase::kServing) return;
  if (!session.resumable() && !lost.server_is_there) return server_lost(now, lost.why, false);
  log::warn("Connection to the server lost: " + lost.why + "; connecting again");
  for (auto& [id, definition] : definitions) former_definitions.insert_or_assign(id, definition);
  definitions.clear();
  std::erase_if(former_definitions, [](const auto& item) { return item.second.expired(); });
  session.retry(now);
}

void Worker::State::on_notice(Session::GaveUp gave_up, Now now) {
  if (phase != Phase::kServing) return;
  if (!number.value) {
    ending = {1, std::move(gave_up.error), std::nullopt};
    return finish();
  }
  log::error("The server refuses this worker: " + gave_up.error.full_text());
  server_lost(now, gave_up.error.message, true);  // what it has taken back may run elsewhere
}

void Worker::State::on_notice(msg::ToWorker message, Now now) {
  std::visit([&](const auto& what) { on(what, now); }, message);
}

std::vector<msg::Hello> Worker::State::make_hello(Now now) {
  std::vector<msg::Hello> pages(1);
  size_t entries = 0;
  size_t bytes = 0;
  const auto page_for = [&](size_t more_bytes) -> msg::Hello& {
    if (entries == limits::kInventoryPage || bytes > kBytesPerPage) {
      pages.emplace_back();
      entries = bytes = 0;
    }
    ++entries;
    bytes += more_bytes;
    return pages.back();
  };
  const auto hold = [&](const Task& task, bool running) {
    page_for(0).held.push_back({task.attempt.job_uid, task.attempt.job, task.attempt.task,
                                task.attempt.instance, running, task.variant});
  };
  for (const Task& task : slots) hold(task, false);
  backlog.for_each([&](const Task& task) { hold(task, false); });
  for (const auto& [number_of_chain, chain] : launches.chains()) {
    for (LaunchId id : chain.members) {
      const Launch& launch = launches.get(id);
      hold(launch.task, launch.state == Launch::State::kRunning);
    }
  }
  for (const auto& [id, kept] : keeping) hold(kept.task, true);
  // Our goodbye takes them back; but who only sees them missing would think that they had never run.
  for (const Task& task : ended_with_us) {
    page_for(0).ended.push_back({task.attempt.job_uid,
                                 task.attempt.job,
                                 task.attempt.task,
                                 task.attempt.instance,
                                 task.variant,
                                 msg::EndedTask::Outcome::kStopped,
                                 0,
                                 {},
                                 {}});
  }
  Reports::Inventory inventory = reports.take_inventory(now.mono);
  for (msg::EndedTask& ended : inventory.ended) {
    page_for(ended.failure.text.size()).ended.push_back(std::move(ended));
  }
  const uint64_t counter = session.next_hello();
  for (uint32_t i = 0; i < pages.size(); ++i) {
    msg::Hello& page = pages[i];
    page.protocol = kProtocol;
    page.min_protocol = kMinProtocol;
    page.version = options.version;
    page.server_uid = server_uid;
    page.worker_uid = uid;
    page.worker = number;
    page.counter = counter;
    page.page = i;
    page.last_page = i + 1 == pages.size();
    page.age_s = std::chrono::duration<float>(now.mono - born).count();
    page.last_report = inventory.last_report;
  }
  pages.front().config = options.config;
  return pages;
}

void Worker::State::on(const msg::Welcome& message, Now now) {
  const bool first = number.value == 0;
  number = message.worker;
  server_uid = message.server_uid;
  if (first) registration = Registration{number, server_uid};
  renew_fence(now);
  say_notices_again();
  measure_interval = options.config.overview_interval;
  reports.acknowledge(message.acknowledged);
  for (const msg::HeldTask& held : message.unwanted) {
    const Attempt attempt{held.job_uid, held.job, held.task, held.instance};
    if (!known.contains(attempt)) continue;
    drop_or_stop([&](const Attempt& candidate) { return candidate == attempt; }, now);
  }
}

void Worker::State::renew_fence(Now now) {
  fence = session.lease();
  if (options.set_fence && fence) options.set_fence(std::max(*fence - now.mono, Duration(1ms)));
}

void Worker::State::on(const msg::HeartbeatAck& message, Now now) {
  if (goodbye_said && message.counter == kFarewellBeat)
    return finish();  // it was read, and our goodbye before it
  renew_fence(now);
}

void Worker::State::on(const msg::Ack& message, Now) {
  reports.acknowledge(message.report);
}

void Worker::State::on(const msg::StopWorker& message, Now now) {
  if (phase != Phase::kServing) return;
  if (message.reason == msg::StopWorker::Reason::kServerStops) {
    return server_lost(now, "The server stops", false);
  }
  log::info("Received stop command");
  begin_stopping(
      now, {0, std::nullopt, msg::Goodbye{msg::Goodbye::Reason::kStopped, "Received stop command", {}}});
}

// --- tasks ----------------------------------------------------------------------------------------------

void Worker::State::on(const msg::Define& message, Now) {
  const auto former = former_definitions.find(message.definition);
  if (former != former_definitions.end()) {
    auto held = former->second.lock();
    former_definitions.erase(former);
    if (held && same(*held, message)) {
      definitions[message.definition] = std::move(held);
      return;
    }
  }
  auto definition = std::make_shared<Definition>(ports.processes);
  definition->id = message.definition;
  definition->job = message.job;
  definition->job_uid = message.job_uid;
  definition->server_uid = message.server_uid;
  definition->submit_dir = message.submit_dir;
  definition->stream_dir = message.stream_path.value_or("");
  definition->log_path = message.log_path.value_or("");
  definition->task = message.task;
  for (const ResourceVariant& variant : message.task->request.variants) {
    definition->requests.push_back(intern(variant));
  }
  definition->templates.resize(definition->requests.size());
  definitions[message.definition] = std::move(definition);
}

void Worker::State::on(const msg::Undefine& message, Now) {
  for (DefinitionId id : message.definitions) definitions.erase(id);
}

std::shared_ptr<const Request> Worker::State::intern(const ResourceVariant& variant) {
  if (requests.size() > 2 * last_purge + 1024) {
    std::erase_if(requests, [](const auto& item) { return item.second.expired(); });
    last_purge = requests.size();
  }
  auto& slot = requests[variant];
  if (auto found = slot.lock()) return found;
  auto request = std::make_shared<const Request>(Request{++last_request, variant});
  slot = request;
  return request;
}

void Worker::State::on(const msg::RunTasks& message, Now) {
  if (phase != Phase::kServing) return;  // it is lost with us; our goodbye gives it back
  std::optional<int32_t> highest;
  for (const msg::Run& run : message.runs) {
    if (!take_in(run)) return;
    if (run.slot) continue;
    const int32_t priority = definitions.at(run.definition)->task->priority;
    highest = std::max(highest.value_or(priority), priority);
  }
  if (highest) recall_behind(*highest);
}

// False if the server broke the rules.
bool Worker::State::take_in(const msg::Run& run) {
  const auto found = definitions.find(run.definition);
  const char* fault = nullptr;
  if (found == definitions.end()) {
    fault = "without a definition";
  } else if (run.variant >= found->second->requests.size()) {
    fault = "in a variant it does not have";
  } else if (waiting() + run.ids.count() > kMostWaiting) {
    fault = "beyond what a worker holds";
  } else if (run.entries && run.entries->size() != run.ids.count()) {
    fault = "with another number of entries";
  }
  if (fault != nullptr) {
    log::error(fmt::format("The server sent tasks {}", fault));
    session.break_off("The server broke the protocol");
    return false;
  }
  const std::shared_ptr<Definition>& definition = found->second;
  size_t n = 0;
  for (uint64_t id = run.ids.first; id <= run.ids.last; id += run.ids.step, ++n) {
    Task task{{definition->job_uid, definition->job, TaskId(uint32_t(id)), run.instance},
              definition,
              run.variant,
              run.eager,
              std::nullopt,
              run.hosts};
    if (run.entries) task.entry = std::string(run.entries->at(n));
    if (!known.insert(task.attempt).second) continue;  // said twice: it is here already
    if (run.slot) {
      slots.push_back(std::move(task));
    } else {
      backlog.add(std::move(task));
    }
  }
  return true;
}

void Worker::State::on(const msg::Retract& message, Now) {
  if (phase != Phase::kServing) return;
  if (retract) {
    later_retracts.push_back(message);
    return;
  }
  retract = PendingRetract{message.number, 0, {}};
  for (const Task& task : backlog.take_last(message.definition, message.count)) {
    forget(task);
    retract->given.push_back(task.attempt);
  }
  size_t missing = message.count - retract->given.size();
  for (auto& [number_of_chain, chain] : launches.chains()) {
    for (size_t i = chain.members.size(); i-- > 1 && missing > 0;) {
      Launch& launch = launches.get(chain.members[i]);
      const bool ours = launch.recall == Recall::kNone || launch.recall == Recall::kBacklog;
      if (launch.state != Launch::State::kHanded || !ours) continue;
      if (launch.task.definition->id != message.definition) break;
      recall(launch, Recall::kRetract);
      ++retract->outstanding;
      --missing;
    }
  }
  answer_retract_if_complete();
}

void Worker::State::answer_retract_if_complete() {
  while (retract && retract->outstanding == 0) {
    PendingRetract done = std::move(*retract);
    retract.reset();
    send_returned(done.number, std::move(done.given));
    if (later_retracts.empty()) return;
    const msg::Retract next = later_retracts.front();
    later_retracts.pop_front();
    on(next, Now{});
  }
}

void Worker::State::send_returned(uint64_t number_of_retract, std::vector<Attempt> attempts) {
  if (session.welcomed()) session.send(msg::Returned{number_of_retract, spans_of(std::move(attempts))});
}

void Worker::State::on(const msg::CancelTasks& message, Now now) {
  drop_or_stop([&](const Attempt& attempt) { return names(message, attempt); }, now);
}

void Worker::State::drop_or_stop(const std::function<bool(const Attempt&)>& wanted, Now now) {
  std::erase_if(slots, [&](const Task& task) {
    if (!wanted(task.attempt)) return false;
    forget(task);
    // The server waits for the end of a multi-node task before its nodes get others.
    if (task.request().variant.nodes > 0) report_end(task, msg::EndedTask::Outcome::kStopped, {}, {}, now);
    return true;
  });
  for (const Task& task : backlog.take_if([&](const Task& task) { return wanted(task.attempt); }))
    forget(task);
  for (auto& [number_of_chain, chain] : launches.chains()) {
    for (size_t i = chain.members.size(); i-- > 0;) {
      Launch& launch = launches.get(chain.members[i]);
      if (!wanted(launch.task.attempt)) continue;
      if (launch.state == Launch::State::kHanded) {
        recall_from(chain, i, Recall::kCancel);
      } else {
        stop(launch, StopCause::kCancel);
      }
    }
  }
  tell_without_output(wanted);
  answer_retract_if_complete();
}

}  // namespace hq
