#include "sim/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "hq/base/assert.h"
#include "hq/base/log.h"
#include "hq/protocol/worker_codec.h"

namespace hq::sim {

namespace {

constexpr Duration kMostOffset = 1h;
constexpr Duration kLeastWindow = 2s;  // two heartbeats of the machines
constexpr Duration kTransit = 100ms;   // more than hello and welcome take besides
constexpr const char* kTooLate = "The server has not answered for too long; tasks are stopped";

}  // namespace

test::ChannelFaults usual_network() {
  test::ChannelFaults faults;
  faults.lose_on_end = 0.5;
  faults.max_late = 20ms;
  faults.doubled_notice = 0.3;
  faults.queue = 1000;
  faults.max_frame = size_t{16} << 20;
  return faults;
}

World::World(uint64_t seed, bool durable, uint32_t nodes, SuspectPolicy suspects)
    : random_(seed), network_(random_, usual_network()), durable_(durable), suspects_(suspects) {
  log::configure({false, std::getenv("SIM_LOG") != nullptr ? std::getenv("SIM_LOG") : "error", false, true});
  log::set_sink([this](log::Level level, std::string_view line) {
    if (level != log::Level::kError) return;
    for (const auto& [part, until] : expected_errors_) {
      if (now_ <= until && line.find(part) != std::string_view::npos) return;
    }
    rules_.broken("an error was logged: " + std::string(line));
  });
  network_.advance_to(now_);
  auto clock = [&] {
    return MachineClock{between(0ns, 2 * kMostOffset), between(0ns, 2 * kMostOffset) - kMostOffset};
  };
  clock_ = clock();
  if (durable_) window_ = between(3s, 20s);
  start_server();
  client_connector_ = network_.make_connector("login", kClientAddress);
  for (uint32_t i = 0; i < nodes; ++i) {
    // One of them can take everything that the workloads ask for.
    const auto cpus = uint32_t(i == 0 ? 4 : 1 + random_.below(6));
    machines_.push_back(std::make_unique<Machine>(*this, i, cpus, clock()));
    in(between(0ns, 100ms), [this, i] { machines_[i]->power_on(); });
  }
}

World::~World() {
  log::set_sink({});
}

Duration World::between(Duration least, Duration most) {
  if (most <= least) return least;
  return least + Duration(int64_t(random_.below(uint64_t((most - least).count()))));
}

void World::at(TimePoint time, std::function<void()> action) {
  events_.emplace(std::pair(std::max(time, now_), ++last_event_), std::move(action));
}

// --- time
// ---------------------------------------------------------------------------------------------------

bool World::run_until(const std::function<bool()>& condition, Duration most) {
  const TimePoint end = now_ + most;
  while (!condition()) {
    if (rules_.first_broken() || !step(end)) return false;
  }
  return !rules_.first_broken();
}

// Everything that is due at the next moment at which something is; false when that is after `end`.
bool World::step(TimePoint end) {
  std::optional<TimePoint> next;
  auto consider = [&](std::optional<TimePoint> time) {
    if (time) next = next ? std::min(*next, *time) : *time;
  };
  if (!events_.empty()) consider(events_.begin()->first.first);
  consider(network_.next_event());
  if (server_) {
    consider(journal_->next_event());
    if (server_wake_) consider(std::max(*server_wake_, server_frozen_until_));
  }
  for (const auto& machine : machines_) consider(machine->wake_at());
  if (!next || *next > end) {
    now_ = end;
    network_.advance_to(now_);
    return false;
  }
  ++steps_;
  now_ = std::max(now_, *next);
  const bool network = network_.next_event() && *network_.next_event() <= now_;
  const bool disk = server_ && journal_->next_event() && *journal_->next_event() <= now_;
  network_.advance_to(now_);
  if (disk) (void)journal_->committed();
  if (network || disk) wake_all();
  while (!events_.empty() && events_.begin()->first.first <= now_) {
    auto event = events_.extract(events_.begin());
    event.mapped()();
  }
  turn_server();
  for (const auto& machine : machines_) {
    const auto wake = machine->wake_at();
    if (wake && *wake <= now_) machine->turn();
  }
  turn_client();
  return true;
}

void World::wake_all() {
  server_wake_ = now_;
  for (const auto& machine : machines_) machine->wake(now_);
}

void World::turn_server() {
  if (!server_ || !server_wake_ || std::max(*server_wake_, server_frozen_until_) > now_) return;
  const auto next = server_->turn(clock_.at(now_));
  server_wake_.reset();
  if (next) server_wake_ = std::max(*next - clock_.mono_offset, now_ + 10us);
  if (steps_ % 32 == 0) server_->state().check_invariants();
  if (server_->settled()) {
    if (steps_ % 4 == 0) rules_.check_waiting(*server_);
    rules_.check_starts(*server_, now_);
  }
  if (leaving_for_ && server_->finished()) return crash_server(*std::exchange(leaving_for_, {}), [] {});
  if (!crash_points_.empty() && journal_->commits().size() >= commits_at_crash_ + crash_points_.back()) {
    crash_points_.pop_back();
    crash_server(between(1ms, most_down_), [] {});
  }
}

void World::turn_client() {
  if (client_ && client_->state() == DealerChannel::State::kClosed) {
    client_.reset();
    asked_.clear();
    client_outbox_.clear();
  }
  if (!client_ && !client_outbox_.empty()) client_ = std::move(*client_connector_->connect());
  if (!client_) return;
  while (!client_outbox_.empty() && client_->send(client_outbox_.front()) == SendStatus::kSent) {
    client_outbox_.pop_front();
  }
  while (auto frame = client_->receive()) {
    auto reply = decode_reply(*frame);
    HQ_ASSERT(reply.ok());
    note("reply", reply->id.value, reply->message.index());
    auto asked = asked_.find(reply->id);
    if (asked == asked_.end()) continue;
    note_answer(asked->second.request, reply->message);
    if (asked->second.answer) asked->second.answer(reply->message);
  }
}

void World::note_answer(const msg::ClientRequest& request, const msg::ClientReply& reply) {
  const auto* submit = std::get_if<msg::Submit>(&request);
  const auto* submitted = std::get_if<msg::Submitted>(&reply);
  if (submit != nullptr && submitted != nullptr) rules_.accepted(submitted->job, submit->submit.task_count());
  const auto* results = std::get_if<msg::ItemResults>(&reply);
  if (!std::holds_alternative<msg::CancelJobs>(request) || results == nullptr) return;
  for (const msg::ItemResult& item : results->items) {
    if (item.outcome == msg::ItemResult::Outcome::kOk) rules_.canceled(JobId(item.id));
  }
}

void World::note_values(const char* what, std::initializer_list<uint64_t> values) {
  auto mix = [&](uint64_t value) { trace_ = (trace_ ^ value) * 0x100000001b3; };
  for (const char* c = what; *c != 0; ++c) mix(uint64_t(*c));
  mix(uint64_t(now_.time_since_epoch().count()));
  for (uint64_t value : values) mix(value);
  if (!verbose) return;
  std::string line =
      fmt::format("{:14.6f} {}", double((now_.time_since_epoch() - 1000s).count()) / 1e9, what);
  for (uint64_t value : values) line += fmt::format(" {}", value);
  std::fprintf(stderr, "%s\n", line.c_str());
}

// --- users
// --------------------------------------------------------------------------------------------------

void World::ask(const msg::ClientRequest& request, Answer answer) {
  const RequestId id(++last_request_);
  client_outbox_.push_back(encode(id, request));
  if (const auto* forget = std::get_if<msg::ForgetJobs>(&request)) {
    for (const IdArray::Part& part : forget->jobs.ids.parts) rules_.may_be_forgotten(JobId(part.range.first));
  }
  asked_[id] = {request, std::move(answer)};
  in(0ns, [] {});  // the client looks at it
}

std::vector<std::string> World::program(const ProgramModel& model) {
  programs_.push_back(model);
  return {"program", std::to_string(programs_.size() - 1)};
}

const ProgramModel& World::program_of(const std::string& argument) const {
  return programs_.at(std::stoul(argument));
}

// --- the server
// ---------------------------------------------------------------------------------------------

void World::start_server() {
  ++server_life_;
  client_router_ = network_.bind(kClientAddress);
  worker_router_ = network_.bind(kWorkerAddress);
  if (!journal_ || !durable_) journal_ = std::make_unique<SlowJournal>(random_, now_, durable_);
  State restored;
  for (const auto& commit : journal_->commits()) {
    for (const Record& record : commit) restored.apply(record);
  }
  restored.check_invariants();
  rules_.check_accepted(restored);
  commits_at_crash_ = journal_->commits().size();
  server_random_ = std::make_unique<SeededRandom>(random_.next());
  if (!logs_) {  // files stay when a server goes
    logs_ = std::make_unique<SimLogs>(random_, [this](Duration delay, std::function<void()> action) {
      in(delay, [this, action = std::move(action)] {
        action();
        server_wake_ = now_;
      });
    });
  }
  peek_ = std::make_unique<test::FakePeek>();
  ServerOptions options;
  options.info.server_uid = fmt::format("uid{}", server_life_);
  options.resume_window = window_;
  options.suspects = suspects_;
  server_ = std::make_unique<Server>(
      options,
      ServerPorts{*client_router_, *worker_router_, *journal_, *server_random_,
                  [](const std::string&, const std::string&) { return Result<void>(); }, *logs_, *peek_,
                  batch_},
      clock_.at(now_), std::move(restored));
  server_frozen_until_ = TimePoint{};
  server_wake_ = now_;
  note("server", server_life_);
}

void World::cut_link(const Machine& machine) {
  note("cut", machine.index());
  network_.cut(machine.name());
  // Both ends hear of it within milliseconds; to stop a program takes a second at most. Who can't come back
  // goes on until the end of its window.
  rules_.pardon_overlap(machine.index(), now_ + 1100ms + (patient_pardon_ ? window_ + 1s : 0s));
}

// A welcome waits for its commit. One that has waited for as long as the window comes too late: the lease
// that it gives has ended.
void World::fail_disk(Duration time) {
  note("fail disk", time.count());
  if (now_ >= disk_fails_until_) disk_failed_since_ = now_;
  disk_fails_until_ = std::max(disk_fails_until_, now_ + time);
  journal_->fail_until(disk_fails_until_);
  const Duration window = durable_ ? std::max(window_, kLeastWindow) : kLeastWindow;
  const Duration besides = kTransit + journal_->most();
  if (disk_fails_until_ - disk_failed_since_ + besides >= window)
    expect_error_until(kTooLate, disk_fails_until_ + besides);
}

void World::freeze_server(Duration time) {
  note("freeze server", time.count());
  server_frozen_until_ = std::max(server_frozen_until_, now_ + time);
}

void World::crash_server(Duration down, std::function<void()> then) {
  if (!server_) return;
  note("crash", down.count());
  server_.reset();
  logs_->on_server_gone();
  client_router_.reset();
  worker_router_.reset();
  leaving_for_.reset();
  if (durable_) {
    journal_->crash();
  } else {
    rules_.forget_all();
  }
  in(down, [this, then = std::move(then)] {
    start_server();
    then();
  });
}

void World::crash_at_commits(std::vector<uint64_t> commits_between, Duration most_down) {
  crash_points_ = std::move(commits_between);
  most_down_ = most_down;
}

void World::leave_server(Duration down) {
  if (!server_ || !durable_ || leaving_for_) return;
  note("leave", down.count());
  leaving_for_ = down;
  server_->leave("leaving");
  server_wake_ = now_;
}

void World::send_as_worker(const std::string& node, Bytes frame) {
  strangers_.push_back(std::move(*network_.make_connector(node, kWorkerAddress)->connect()));
  (void)strangers_.back()->send(frame);
}

void World::replay_hello(const Machine& machine) {
  const auto registered = machine.registration();
  if (!registered || !server_ || server_->state().server_uid() != registered->server_uid) return;
  const WorkerUid uid = server_->state().find_worker(registered->worker)->uid;
  // A frame does not outlive the server that its connection led to, whose keys it is encrypted with.
  if (!server_->has_heard(uid)) return;
  msg::Hello hello;
  hello.protocol = hello.min_protocol = 1;
  hello.server_uid = registered->server_uid;
  hello.worker = registered->worker;
  hello.worker_uid = uid;
  hello.counter = 0;
  hello.config = machine.config();
  send_as_worker(machine.name(), encode(SessionId(0), hello));
}

// --- judging
// ------------------------------------------------------------------------------------------------

bool World::all_ended() const {
  if (!server_) return false;
  bool ended = true;
  server_->state().for_each_job([&](const Job& job) { ended = ended && job.active() == 0; });
  for (const auto& [id, worker] : server_->state().alive_workers()) ended = ended && worker->idle();
  return ended && client_outbox_.empty();
}

void World::check_at_end() {
  if (rules_.first_broken()) return;
  if (!server_) return rules_.broken("the server is gone");
  rules_.check_all_ended(server_->state());
  rules_.check_accepted(server_->state());
  server_->state().check_invariants();
  rules_.check_replay(server_->state(), journal_->commits());
  check_output();
  if (!rules_.running().empty()) rules_.broken("rule 6: processes run though all tasks have ended");
}

// Rule 9: what was kept of a finished task is what it has printed, every byte once.
void World::check_output() {
  if (!logs_->fault().empty()) return rules_.broken("rule 9: " + logs_->fault());
  server_->state().for_each_job([&](const Job& job) {
    for (const auto& group : job.groups) {
      if (!group->log_path()) continue;
      for (uint64_t position = 0; position < group->task_count(); ++position) {
        if (group->state(position) != TaskState::kFinished) continue;
        const StreamKey key{job.id, group->id_at(position), group->instance(position)};
        if (logs_->content(server_->state().server_uid(), *group->log_path(), key) != printed_by(key)) {
          rules_.broken("rule 9: the output of task " + job.id.text() + "." + key.task.text() +
                        " is not what it printed");
        }
      }
    }
  });
}

}  // namespace hq::sim
