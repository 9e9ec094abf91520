// A whole cluster in one process: the real Server and the real Workers, joined by fakes that are as bad as
// the real network, launcher and disk were measured to be, on a virtual clock and one seed.
//
// Time passes from event to event: nothing waits. What happens is decided by the seed alone, so a run can be
// repeated (rule 7).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/random.h"
#include "hq/protocol/client_codec.h"
#include "hq/server/server.h"
#include "sim/journal.h"
#include "sim/machine.h"
#include "sim/output.h"
#include "sim/rules.h"
#include "support/fake_batch.h"
#include "support/fake_channel.h"
#include "support/fake_peek.h"

namespace hq::sim {

// What every network does: connections that end lose frames and bring others late.
[[nodiscard]] test::ChannelFaults usual_network();

class World {
 public:
  static constexpr const char* kWorkerAddress = "server:workers";
  static constexpr const char* kClientAddress = "server:clients";
  static std::string node_name(uint32_t node) { return "n" + std::to_string(node); }

  // `durable`: the journal outlives the server, which comes back with it.
  explicit World(uint64_t seed, bool durable = false, uint32_t nodes = 4,
                 SuspectPolicy suspects = SuspectPolicy::kQuarantine);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- time ------------------------------------------------------------------------------------------------
  [[nodiscard]] const TimePoint& now() const { return now_; }
  void at(TimePoint time, std::function<void()> action);
  void in(Duration delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }
  // Until the condition holds; false when `most` has passed before or a rule was broken.
  bool run_until(const std::function<bool()>& condition, Duration most);
  SeededRandom& random() { return random_; }
  Duration between(Duration least, Duration most);

  // --- what users do
  // -----------------------------------------------------------------------------------------
  using Answer = std::function<void(const msg::ClientReply&)>;
  // `answer` hears every reply; never called when the server dies before.
  void ask(const msg::ClientRequest& request, Answer answer = {});
  // The arguments of a program that behaves so.
  std::vector<std::string> program(const ProgramModel& model);

  // --- faults
  // ------------------------------------------------------------------------------------------------
  test::FakeNetwork& network() { return network_; }
  [[nodiscard]] std::vector<std::unique_ptr<Machine>>& machines() { return machines_; }
  Machine& any_machine() { return *machines_[random_.below(machines_.size())]; }
  // The connection of this machine breaks, both ends live on.
  void cut_link(const Machine& machine);
  void freeze_server(Duration time);
  // It is gone, with all it knew if the world is not durable; a new one comes after `down`, and `then` is
  // called.
  void crash_server(Duration down, std::function<void()> then);
  // The same, each time when so many more turns have been committed, before anything of the last one is safe.
  void crash_at_commits(std::vector<uint64_t> commits_between, Duration most_down);
  // It ends in order, to come back.
  void leave_server(Duration down);
  void fail_disk(Duration time);
  [[nodiscard]] bool durable() const { return durable_; }
  // Connections end while peers can't come back in time: see Rules::pardon_overlap.
  void pardon_for_whole_windows() { patient_pardon_ = true; }
  void step_server_clock(Duration by) { clock_.wall_offset += by; }
  void slow_disk(Duration most) { journal_->set_most(most); }
  // The hello of an earlier session of this worker arrives once more, on a connection of its own.
  void replay_hello(const Machine& machine);
  // Sends a frame to the workers' port from a connection of its own.
  void send_as_worker(const std::string& node, Bytes frame);
  void expect_error(const std::string& part) { expect_error_until(part, TimePoint::max()); }
  void expect_error_until(const std::string& part, TimePoint until) {
    TimePoint& known = expected_errors_.try_emplace(part, until).first->second;
    known = std::max(known, until);
  }

  // --- judging
  // -----------------------------------------------------------------------------------------------
  [[nodiscard]] bool all_ended() const;
  [[nodiscard]] const State* state() const { return server_ ? &server_->state() : nullptr; }
  Rules& rules() { return rules_; }
  void check_at_end();
  [[nodiscard]] uint64_t trace() const { return trace_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }

  // --- for machines
  // --------------------------------------------------------------------------------------------
  template <class... Numbers>
  void note(const char* what, Numbers... numbers) {
    note_values(what, {uint64_t(numbers)...});
  }
  uint64_t next_process() { return ++last_process_; }
  [[nodiscard]] const ProgramModel& program_of(const std::string& argument) const;
  // Prints all notes.
  bool verbose = false;

 private:
  struct Asked {
    msg::ClientRequest request;
    Answer answer;
  };

  void start_server();
  void note_answer(const msg::ClientRequest& request, const msg::ClientReply& reply);
  bool step(TimePoint end);
  void wake_all();
  void turn_server();
  void turn_client();
  void check_output();
  void note_values(const char* what, std::initializer_list<uint64_t> values);

  SeededRandom random_;
  TimePoint now_{1000s};
  test::FakeNetwork network_;
  MachineClock clock_;  // of the server
  Rules rules_;
  uint64_t trace_ = 0xcbf29ce484222325;
  uint64_t steps_ = 0;
  uint64_t last_process_ = 0;
  uint64_t last_event_ = 0;
  std::map<std::pair<TimePoint, uint64_t>, std::function<void()>> events_;
  std::vector<ProgramModel> programs_;
  std::map<std::string, TimePoint> expected_errors_;  // and until when

  const bool durable_;
  const SuspectPolicy suspects_;
  Duration window_{0};
  TimePoint disk_failed_since_{};
  TimePoint disk_fails_until_{};
  bool patient_pardon_ = false;
  std::vector<uint64_t> crash_points_;  // the next one last
  uint64_t commits_at_crash_ = 0;
  Duration most_down_{0};
  std::optional<Duration> leaving_for_;
  uint32_t server_life_ = 0;
  std::unique_ptr<SimLogs> logs_;
  std::unique_ptr<test::FakePeek> peek_;
  test::FakeBatch batch_;  // nobody makes queues of allocations
  std::unique_ptr<SlowJournal> journal_;
  std::unique_ptr<RouterChannel> client_router_;
  std::unique_ptr<RouterChannel> worker_router_;
  std::unique_ptr<SeededRandom> server_random_;
  std::unique_ptr<Server> server_;
  std::optional<TimePoint> server_wake_;
  TimePoint server_frozen_until_{};

  std::vector<std::unique_ptr<Machine>> machines_;

  std::unique_ptr<Connector> client_connector_;
  std::unique_ptr<DealerChannel> client_;
  uint64_t last_request_ = 0;
  std::map<RequestId, Asked> asked_;
  std::deque<Bytes> client_outbox_;
  std::vector<std::unique_ptr<DealerChannel>> strangers_;
};

}  // namespace hq::sim
