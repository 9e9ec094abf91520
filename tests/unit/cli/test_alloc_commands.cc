// `hq alloc ...` against a server that the test plays.
#include <doctest/doctest.h>

#include "cli/commands/alloc_commands.h"
#include "cli/commands/alloc_params.h"
#include "cli/commands/command_line.h"
#include "cli/commands/show_alloc.h"
#include "played_server.h"
#include "support/builders.h"

using namespace hq;
using namespace hq::cli;

namespace {

AllocQueueOptions options(std::vector<std::string> words) {
  std::vector<std::string> all = {"alloc", "add", "slurm"};
  all.insert(all.end(), words.begin(), words.end());
  auto parsed = parse_command_line(all, [](const char*) -> const char* { return nullptr; }, {});
  if (const auto* end = std::get_if<EarlyEnd>(&parsed)) FAIL(end->text);
  return std::get<AllocAddOptions>(std::get<CommandLine>(parsed).options).queue;
}

AllocParams params(const std::vector<std::string>& words) {
  auto made = make_alloc_params(options(words), [](const std::string&) {});
  REQUIRE(made.ok());
  return *made;
}

msg::AllocQueueInfo waiting_queue() {
  msg::AllocQueueInfo queue;
  queue.id = AllocQueueId(3);
  queue.params.time_limit = 90s;
  queue.failed_submissions = 2;
  queue.failed_allocations = 1;
  queue.last_failure = "no partition";
  queue.next_attempt = WallTime{1'767'261'600'000'000'000};
  return queue;
}

}  // namespace

TEST_CASE("options of the worker go into its command line as they were written") {
  const AllocParams made =
      params({"-t", "2:00:00", "--cpus=2x4", "--resource", "gpus/nvidia=[0,1]", "--group", "g", "--coupling",
              "a[0]:b[0]", "--idle-timeout=11m", "--worker-time-limit=1h30m", "--on-server-lost=stop",
              "--overview-interval=10s", "--min-utilization=0.50", "--no-hyper-threading",
              "--detect-resources=cpus", "--", "-A", "x"});

  CHECK(made.worker_args == std::vector<std::string>{
                                "--cpus", "\"2x4\"", "--resource", "\"gpus/nvidia=[0,1]\"", "--coupling",
                                "\"a[0]:b[0]\"", "--group", "g", "--no-hyper-threading", "--detect-resources",
                                "cpus", "--overview-interval", "\"10s\"", "--min-utilization", "0.50",
                                "--on-server-lost", "\"stop\"", "--time-limit", "\"1h 30m\""});
  CHECK(made.additional_args == std::vector<std::string>{"-A", "x"});
  CHECK(made.min_utilization == 0.5);
  CHECK(made.idle_timeout == 11min);
  REQUIRE(made.resources);
  CHECK(made.resources->items[0].size() == Amount::units(8));
}

TEST_CASE("a queue has few defaults") {
  const AllocParams made = params({"-t", "1h"});

  CHECK(made.backlog == 1);
  CHECK(made.max_workers_per_alloc == 1);
  CHECK_FALSE(made.resources);
  CHECK(made.worker_args ==
        std::vector<std::string>{"--on-server-lost", "\"finish-running\"", "--time-limit", "\"1h\""});
}

TEST_CASE("older spellings of the number of workers are understood") {
  CHECK(params({"-t", "1h", "--workers-per-alloc", "3"}).max_workers_per_alloc == 3);
  CHECK(params({"-t", "1h", "-w", "3"}).max_workers_per_alloc == 3);
  CHECK(params({"-t", "1h", "-m", "3"}).max_workers_per_alloc == 3);
}

TEST_CASE("an estimate that makes no sense is no estimate") {
  CHECK_FALSE(params({"-t", "1h", "--cpus=0"}).resources);
  CHECK_FALSE(params({"-t", "1h", "--resource", "a=[1]", "--resource", "a=[2]"}).resources);
}

TEST_CASE("notices come in their order, and the longer worker time limit is an error") {
  std::vector<std::string> told;
  const auto note = [&](const std::string& text) { told.push_back(text.substr(0, 20)); };

  CHECK(make_alloc_params(options({"-t", "1h", "--idle-timeout=11m"}), note).ok());
  CHECK(told == std::vector<std::string>{"You have set an idle", "No worker resources "});
  const auto failed = make_alloc_params(options({"-t", "1h", "--worker-time-limit=2h"}), note);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message == "Worker time limit cannot be larger than queue time limit");
}

TEST_CASE("a queue that waits after failures says until when, and why") {
  msg::AllocQueueInfo queue = waiting_queue();
  CHECK(back_off_text(queue)->starts_with("Queue 3 submits nothing before "));
  CHECK(back_off_text(queue)->ends_with(
      ": 2 submissions failed and 1 allocation failed, the last one so: no partition"));

  queue.paused = queue.paused_by_failures = true;
  queue.failed_allocations = 3;
  queue.failed_submissions = 0;
  CHECK(
      *back_off_text(queue) ==
      "Queue 3 was paused: 3 allocations failed, the last one so: no partition. `hq alloc resume 3` lets it "
      "try again at once");

  queue.paused_by_failures = false;
  CHECK_FALSE(back_off_text(queue));
  CHECK_FALSE(back_off_text(msg::AllocQueueInfo{}));
}

TEST_CASE("what the server refuses is an error, which the trial of a new queue announces") {
  PlayedServer server([](const msg::ClientRequest&) {
    return std::vector<msg::ClientReply>{msg::Failed{"Could not submit allocation: sbatch start failed"}};
  });

  CHECK(server.run(run_alloc_add, AllocAddOptions{options({"-t", "1h", "--cpus=1"})}) == 1);
  CHECK(server.err == "Could not submit allocation: sbatch start failed\n");
  CHECK(server.logged == std::vector<std::string>{"ERROR Dry-run (test allocation submission) has failed"});
  server.err.clear();
  CHECK(server.run(run_alloc_dry_run, AllocDryRunOptions{options({"-t", "1h", "--cpus=1"})}) == 1);
  CHECK(server.err == "Error: Could not submit allocation: sbatch start failed\n");
}

TEST_CASE("the explanation of a queue that waits follows its allocations") {
  PlayedServer server([](const msg::ClientRequest&) {
    return std::vector<msg::ClientReply>{msg::AllocationList{waiting_queue(), {}}};
  });

  CHECK(server.run(run_alloc_info, AllocInfoOptions{3, {}}) == 0);
  REQUIRE(server.logged.size() == 1);
  CHECK(server.logged[0].starts_with("WARN Queue 3 submits nothing before "));
  server.logged.clear();
  CHECK(server.run(run_alloc_info, AllocInfoOptions{3, {}}, OutputMode::kJson) == 0);
  CHECK(server.logged.empty());
}
