// A server between scripted workers and clients. Every message is encoded and decoded; time is what the test
// says; after each turn the state's invariants hold.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hq/base/random.h"
#include "hq/protocol/client_codec.h"
#include "hq/protocol/version.h"
#include "hq/protocol/worker_codec.h"
#include "hq/server/server.h"
#include "support/builders.h"
#include "support/fake_batch.h"
#include "support/fake_logs.h"
#include "support/fake_peek.h"
#include "support/held_journal.h"

namespace hq::test {

class ScriptedRouter final : public RouterChannel {
 public:
  std::deque<Received> inbox;
  std::map<PeerId, std::deque<Bytes>> sent;  // not looked at so far
  std::set<PeerId> gone;
  std::set<PeerId> full;
  size_t disconnects = 0;
  size_t probes = 0;

  std::optional<Received> receive() override {
    if (inbox.empty()) return std::nullopt;
    Received received = std::move(inbox.front());
    inbox.pop_front();
    return received;
  }
  SendStatus send(PeerId to, BytesView frame) override {
    probes += frame.empty() ? 1 : 0;
    if (gone.contains(to)) return SendStatus::kGone;
    if (full.contains(to)) return SendStatus::kFull;
    if (!frame.empty()) sent[to].emplace_back(frame);
    return SendStatus::kSent;
  }
  size_t take_disconnects() override { return std::exchange(disconnects, 0); }
  std::vector<std::string> take_refusals() override { return {}; }
  std::string address_of(PeerId peer) override { return "10.0.0.1:" + peer.text(); }
};

class TestServer;

// The far end of one connection of a worker.
class TestWorker {
 public:
  TestWorker(TestServer& server, PeerId peer, WorkerConfig config);
  PeerId peer;
  SessionId session;
  WorkerId id;
  WorkerUid uid;
  uint64_t hellos = 0;
  uint64_t reports = 0;
  bool beating = true;  // advance() sends its heartbeats
  WorkerConfig config;

  [[nodiscard]] msg::Hello hello();
  void say(const msg::FromWorker& message);
  void say_bytes(Bytes frame);
  // The next message; REQUIRES that it is an M.
  template <class M>
  M heard();
  [[nodiscard]] bool heard_nothing();
  // Sends a hello and takes the welcome.
  msg::Welcome register_now();
  // Takes messages up to the runs: definitions are noted, the runs are returned.
  std::vector<msg::Run> runs();
  void started(JobId job, uint32_t task, uint32_t instance = 0, uint8_t variant = 0);
  void ended(JobId job, uint32_t task, msg::EndedTask::Outcome outcome = msg::EndedTask::Outcome::kFinished,
             uint32_t instance = 0);
  void failed(JobId job, uint32_t task) { ended(job, task, msg::EndedTask::Outcome::kFailed); }
  [[nodiscard]] msg::HeldTask held(JobId job, uint32_t task, bool running, uint32_t instance = 0) const;
  [[nodiscard]] msg::EndedTask end_of(JobId job, uint32_t task,
                                      msg::EndedTask::Outcome outcome = msg::EndedTask::Outcome::kFinished,
                                      uint32_t instance = 0) const;
  std::vector<msg::Define> definitions;  // heard by runs()

 private:
  TestServer& server_;
};

class TestServer {
 public:
  explicit TestServer(bool durable = false) : journal(durable) {
    options.info.server_uid = "abcdef";
    options.resume_window = 60s;
    server = std::make_unique<Server>(options, ports(), now);
    turn();
  }
  // It is killed, and comes back with what its journal has.
  void restart() {
    server.reset();
    journal.lose_unconfirmed();
    for (const auto& worker : all_) workers.gone.insert(worker->peer);
    workers.inbox.clear();
    clients.inbox.clear();
    State restored;
    for (const auto& commit : journal.commits()) {
      for (const Record& record : commit) {
        if (!options.after_damage || !restored.misfit(record)) restored.apply(record);
      }
    }
    server = std::make_unique<Server>(options, ports(), now, std::move(restored));
    turn();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  ServerOptions options;
  HeldJournal journal;
  ScriptedRouter clients;
  ScriptedRouter workers;
  SeededRandom random{1};
  test::FakeLogs logs;
  test::FakePeek peek;
  test::FakeBatch batch;
  Now now{TimePoint(1000s), WallTime{1'700'000'000'000'000'000}};
  std::map<std::string, std::string> files;
  std::unique_ptr<Server> server;
  uint64_t turns_with_many_jobs = 0;
  std::optional<TimePoint> deadline;

  void turn() {
    deadline = server->turn(now);
    // It walks all state, so with very many jobs only now and then.
    if (server->state().last_job_id().value < 200 || ++turns_with_many_jobs % 500 == 0) {
      server->state().check_invariants();
    }
  }
  // Until nothing more comes of it.
  void settle() {
    for (int i = 0; i < 50; ++i) {
      turn();
      if (workers.inbox.empty() && clients.inbox.empty() && deadline && *deadline > now.mono) return;
    }
  }
  // Time passes, with a turn at each deadline; those who beat do so each half of their interval.
  void advance(Duration duration) {
    const TimePoint end = now.mono + duration;
    while (now.mono < end) {
      const Duration step = std::min(Duration(100ms), end - now.mono);
      sleep(step);
      for (auto& worker : all_) {
        if (worker->beating && worker->id.value != 0) worker->say_beat();
      }
      turn();
    }
  }
  // Time passes while the server sleeps.
  void sleep(Duration duration) {
    now.mono += duration;
    now.wall = now.wall + duration;
  }

  TestWorker& connect(WorkerConfig config) {
    all_.push_back(std::make_unique<Connected>(*this, PeerId(++last_peer_), std::move(config)));
    return *all_.back();
  }
  TestWorker& add_worker(uint32_t cpus) { return add_worker(worker_config(cpus)); }
  TestWorker& add_worker(WorkerConfig config) {
    TestWorker& worker = connect(std::move(config));
    worker.register_now();
    return worker;
  }
  // A further connection of the same worker.
  TestWorker& reconnect(const TestWorker& worker) {
    TestWorker& again = connect(worker.config);
    again.uid = worker.uid;
    again.id = worker.id;
    again.hellos = worker.hellos;
    again.reports = worker.reports;
    workers.sent[again.peer].clear();
    return again;
  }
  void close(const TestWorker& worker) {
    workers.gone.insert(worker.peer);
    ++workers.disconnects;
    turn();
  }

  // --- clients ---------------------------------------------------------------------------------------------
  PeerId new_client() { return PeerId(++last_peer_); }
  RequestId request(PeerId client, const msg::ClientRequest& request) {
    const RequestId id(++last_request_);
    clients.inbox.push_back({client, encode(id, request)});
    turn();
    return id;
  }
  // The answers that came, in order.
  std::vector<Tagged<msg::ClientReply>> replies(PeerId client) {
    std::vector<Tagged<msg::ClientReply>> out;
    for (Bytes& frame : std::exchange(clients.sent[client], {})) {
      auto decoded = decode_reply(frame);
      REQUIRE_MESSAGE(decoded, decoded.error().full_text());
      out.push_back(*std::move(decoded));
    }
    return out;
  }
  // One request, one answer.
  template <class M>
  M ask(const msg::ClientRequest& request_message) {
    const PeerId client = new_client();
    const RequestId id = request(client, request_message);
    auto answers = replies(client);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].id == id);
    if (const auto* failed = std::get_if<msg::Failed>(&answers[0].message)) INFO("failed: ", failed->message);
    REQUIRE(std::holds_alternative<M>(answers[0].message));
    return std::get<M>(std::move(answers[0].message));
  }
  JobId submit(const SubmitBuilder& builder, std::optional<uint32_t> max_fails = std::nullopt) {
    msg::Submit message;
    message.name = "job";
    message.max_fails = max_fails;
    message.submit = builder.value();
    return ask<msg::Submitted>(message).job;
  }
  // The answer may come later.
  PeerId submit_unanswered(const SubmitBuilder& builder) {
    const PeerId client = new_client();
    msg::Submit message;
    message.submit = builder.value();
    request(client, message);
    return client;
  }
  std::string refusal(const msg::Submit& message) { return ask<msg::Failed>(message).message; }
  msg::ItemResult cancel(JobId job) {
    return ask<msg::ItemResults>(msg::CancelJobs{selection(job.value), ""}).items.at(0);
  }
  static msg::Selection selection(uint32_t id) { return {msg::Selection::Kind::kIds, IdArray::single(id)}; }

  // --- what the server knows
  // ---------------------------------------------------------------------------------
  [[nodiscard]] const State& state() const { return server->state(); }
  [[nodiscard]] const Job& job(JobId id) const { return *state().find_job(id); }
  [[nodiscard]] TaskState task(JobId id, uint32_t task) const {
    const auto place = job(id).find(TaskId(task));
    return place->group->state(place->position);
  }
  [[nodiscard]] uint32_t instance(JobId id, uint32_t task) const {
    const auto place = job(id).find(TaskId(task));
    return place->group->instance(place->position).value;
  }
  [[nodiscard]] const WorkerState& worker(const TestWorker& worker) const {
    return *state().find_worker(worker.id);
  }

 private:
  struct Connected : TestWorker {
    using TestWorker::TestWorker;
    uint64_t beats = 0;
    void say_beat() { say(msg::Heartbeat{++beats}); }
  };
  ServerPorts ports() {
    return {clients,
            workers,
            journal,
            random,
            [this](const std::string& path, const std::string& text) {
              files[path] = text;
              return Result<void>();
            },
            logs,
            peek,
            batch};
  }
  std::vector<std::unique_ptr<Connected>> all_;
  uint64_t last_peer_ = 0;
  uint64_t last_request_ = 0;
};

inline TestWorker::TestWorker(TestServer& server, PeerId p, WorkerConfig c)
    : peer(p), uid(p.value + 1000), config(std::move(c)), server_(server) {}

inline msg::Hello TestWorker::hello() {
  msg::Hello hello;
  hello.protocol = hello.min_protocol = kProtocol;
  hello.version = "1.0";
  hello.server_uid = id.value == 0 ? "" : "abcdef";
  hello.worker_uid = uid;
  hello.worker = id;
  hello.counter = ++hellos;
  hello.config = config;
  hello.last_report = reports;
  return hello;
}

inline void TestWorker::say_bytes(Bytes frame) {
  server_.workers.inbox.push_back({peer, std::move(frame)});
}

inline void TestWorker::say(const msg::FromWorker& message) {
  const bool is_hello = std::holds_alternative<msg::Hello>(message);
  say_bytes(encode(is_hello ? SessionId(0) : session, message));
}

template <class M>
M TestWorker::heard() {
  auto& queue = server_.workers.sent[peer];
  for (;;) {
    REQUIRE_FALSE(queue.empty());
    auto decoded = decode_to_worker(queue.front());
    REQUIRE_MESSAGE(decoded, decoded.error().full_text());
    queue.pop_front();
    if constexpr (!std::is_same_v<M, msg::HeartbeatAck>) {
      if (std::holds_alternative<msg::HeartbeatAck>(decoded->message)) continue;
    }
    CAPTURE(decoded->message.index());
    REQUIRE(std::holds_alternative<M>(decoded->message));
    if constexpr (std::is_same_v<M, msg::Welcome>) {
      session = decoded->session;
    } else if constexpr (!std::is_same_v<M, msg::HelloPlease> && !std::is_same_v<M, msg::Refused>) {
      CHECK(decoded->session == session);
    }
    return std::get<M>(std::move(decoded->message));
  }
}

inline bool TestWorker::heard_nothing() {
  auto& queue = server_.workers.sent[peer];
  std::erase_if(queue, [](const Bytes& frame) {
    auto decoded = decode_to_worker(frame);
    return decoded && std::holds_alternative<msg::HeartbeatAck>(decoded->message);
  });
  return queue.empty();
}

inline msg::Welcome TestWorker::register_now() {
  say(hello());
  server_.turn();
  msg::Welcome welcome = heard<msg::Welcome>();
  id = welcome.worker;
  return welcome;
}

inline std::vector<msg::Run> TestWorker::runs() {
  std::vector<msg::Run> out;
  auto& queue = server_.workers.sent[peer];
  while (!heard_nothing()) {
    auto next = decode_to_worker(queue.front());
    REQUIRE(next);
    if (std::holds_alternative<msg::Define>(next->message)) {
      definitions.push_back(heard<msg::Define>());
    } else if (std::holds_alternative<msg::RunTasks>(next->message)) {
      for (msg::Run& run : heard<msg::RunTasks>().runs) {
        const bool defined = std::any_of(definitions.begin(), definitions.end(),
                                         [&](const auto& d) { return d.definition == run.definition; });
        CHECK(defined);
        out.push_back(std::move(run));
      }
    } else {
      break;
    }
  }
  return out;
}

inline void TestWorker::started(JobId job, uint32_t task, uint32_t instance, uint8_t variant) {
  say(msg::Report{++reports, {{job, TaskId(task), InstanceId(instance), variant, 0}}, {}});
  server_.turn();
}

inline msg::EndedTask TestWorker::end_of(JobId job, uint32_t task, msg::EndedTask::Outcome outcome,
                                         uint32_t instance) const {
  msg::EndedTask end;
  const Job* known = server_.state().find_job(job);
  end.job_uid = known == nullptr ? JobUid(1) : known->uid;
  end.job = job;
  end.task = TaskId(task);
  end.instance = InstanceId(instance);
  end.outcome = outcome;
  end.usage.ran_s = 1;
  if (outcome == msg::EndedTask::Outcome::kFailed) end.failure = {FailureKind::kExit, 1, ""};
  return end;
}

inline void TestWorker::ended(JobId job, uint32_t task, msg::EndedTask::Outcome outcome, uint32_t instance) {
  say(msg::Report{++reports, {}, {end_of(job, task, outcome, instance)}});
  server_.turn();
}

inline msg::HeldTask TestWorker::held(JobId job, uint32_t task, bool running, uint32_t instance) const {
  const Job* known = server_.state().find_job(job);
  return {known == nullptr ? JobUid(1) : known->uid, job, TaskId(task), InstanceId(instance), running, 0};
}

}  // namespace hq::test
