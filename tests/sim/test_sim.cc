#include <doctest/doctest.h>

#include "sim/run.h"
#include "support/builders.h"
#include "support/thin.h"

using namespace hq::sim;
using namespace std::chrono_literals;

TEST_CASE("the rules hold for each workload under each fault, and the same seed gives the same trace") {
  // Thin, every workload and every fault is seen, but not each with each.
  const bool thin = hq::test::thin();
  size_t runs = 0;
  size_t idle = 0;
  for (const Workload& workload : workloads()) {
    for (const Fault& fault : faults()) {
      const uint64_t seed = 1 + uint64_t(&fault - faults().data());
      if (thin && (seed + uint64_t(&workload - workloads().data())) % 6 != 0) continue;
      const std::string repeat = repeat_line(seed, workload, fault);
      CAPTURE(repeat);

      const Outcome first = run(seed, workload, fault);
      const Outcome second = thin ? first : run(seed, workload, fault);

      CHECK_MESSAGE(!first.broken, first.broken.value_or(""));
      // A fault may keep every submit from being accepted; then there is nothing to begin.
      CHECK((first.begun > 0 || first.accepted == 0));
      ++runs;
      idle += first.begun == 0;
      CHECK(first.trace == second.trace);
    }
  }
  CHECK(idle * 20 < runs);
}

namespace {

// How many tasks of an array fail when one node of eight is broken from the start.
uint64_t eaten_by_broken_node(hq::SuspectPolicy policy) {
  World world(7, false, 8, policy);
  world.machines()[3]->set_broken(true);
  ProgramModel model;
  model.shortest = 200ms;
  model.longest = 400ms;
  world.ask(submit_of(world, model, hq::test::submit().array(0, 5000).value()));
  world.run_until([&] { return world.state()->last_job_id().value > 0 && world.all_ended(); }, 1h);
  CHECK_MESSAGE(!world.rules().first_broken(), world.rules().first_broken().value_or(""));
  return world.state()->find_job(hq::JobId(1))->count(hq::TaskState::kFailed);
}

}  // namespace

TEST_CASE("a broken node eats an array, but not in quarantine") {
  CHECK(eaten_by_broken_node(hq::SuspectPolicy::kReport) > 2000);
  CHECK(eaten_by_broken_node(hq::SuspectPolicy::kQuarantine) < 100);
}

namespace {

RunningProcess process(uint32_t node, uint32_t task, uint32_t instance, const std::string& cpu) {
  RunningProcess out;
  out.node = node;
  out.life = 1;
  out.server_uid = "uid1";
  out.task = {hq::JobId(1), hq::TaskId(task)};
  out.instance = hq::InstanceId(instance);
  out.held = {{"cpus:" + cpu, hq::Amount::kScale}};
  return out;
}

}  // namespace

TEST_CASE("the rules see what they are there for") {
  const hq::TimePoint now{};
  auto broken = [](const Rules& rules) { return rules.first_broken().value_or("").substr(0, 6); };
  Rules rules;
  rules.on_begin(1, process(1, 1, 0, "0"), nullptr, now);
  CHECK_FALSE(rules.first_broken());

  SUBCASE("two processes on one cpu") {
    rules.on_begin(2, process(1, 2, 0, "0"), nullptr, now);
    CHECK(broken(rules) == "rule 1");
  }
  SUBCASE("the same cpu on another node, or after the end, is another matter") {
    rules.on_begin(2, process(2, 2, 0, "0"), nullptr, now);
    rules.on_end(1);
    rules.on_begin(3, process(1, 3, 0, "0"), nullptr, now);
    CHECK_FALSE(rules.first_broken());
  }
  SUBCASE("parts of an index that are more than the whole") {
    RunningProcess most = process(3, 2, 0, "0");
    most.held = {{"gpus:1", 7'500}};
    RunningProcess quarter = most;
    quarter.task.task = hq::TaskId(3);
    quarter.held = {{"gpus:1", 2'500}};
    RunningProcess little = most;
    little.task.task = hq::TaskId(4);
    little.held = {{"gpus:1", 1}};
    rules.on_begin(2, most, nullptr, now);
    rules.on_begin(3, quarter, nullptr, now);
    CHECK_FALSE(rules.first_broken());
    rules.on_begin(4, little, nullptr, now);
    CHECK(broken(rules) == "rule 1");
  }
  SUBCASE("less than was asked for") {
    RunningProcess poor = process(2, 2, 0, "0");
    poor.missing = {"gpus"};
    rules.on_begin(2, poor, nullptr, now);
    CHECK(broken(rules) == "rule 1");
  }
  SUBCASE("more groups than a strict policy allows") {
    RunningProcess wide = process(2, 2, 0, "0");
    wide.strict = {{"cpus", 1, 1}, {"gpus", 2, 1}};
    rules.on_begin(2, wide, nullptr, now);
    CHECK(broken(rules) == "rule 9");
  }
  SUBCASE("an instance that runs twice") {
    rules.on_end(1);
    rules.on_begin(2, process(2, 1, 0, "0"), nullptr, now);
    CHECK(broken(rules) == "rule 2");
  }
  SUBCASE("two instances at one time") {
    rules.on_begin(2, process(2, 1, 1, "0"), nullptr, now);
    CHECK(broken(rules) == "rule 8");
  }
}
