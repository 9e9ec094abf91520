// What a worker does with the tasks it is given.
#include "world.h"

using namespace hq;

namespace {

// A worker whose definition 1 (one cpu) is known to be short.
struct ShortTasks : World {
  explicit ShortTasks(uint32_t cpus = 1, Duration ran = 4ms) : World(cpus) {
    register_worker(true);
    say(task(1).message());
    say(msg::RunTasks{{run(1, 1000, 1000)}});
    launcher.end(launcher.launch_of(1000), 0, 0, ran);
    turn();
    network.link().from_worker.clear();
  }
};

}  // namespace

TEST_CASE("tasks start as far as resources reach, in the order of their ids") {
  World w(2);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 4)}});

  CHECK(w.launcher.running_tasks() == Ids{1, 2});
  CHECK(w.launcher.waiting().empty());

  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{2, 3});
}

TEST_CASE("what the launcher tells late counts from when it happened, and is passed on without delay") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 9)}});
  w.network.link().from_worker.clear();
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s).ago = 10ms;
  w.turn();
  const auto report = w.heard<msg::Report>();
  REQUIRE(report.ended.size() == 1);
  CHECK(report.ended[0].ago_s == doctest::Approx(0.01));
}

TEST_CASE("a higher priority starts first, then the older job") {
  World w(1);
  w.register_worker();
  w.say(task(1).job(9).message());
  w.say(task(2).job(3).message());
  w.say(task(3).job(20).priority(5).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.say(msg::RunTasks{{run(1, 2, 2), run(2, 3, 3), run(3, 4, 4)}});

  for (uint32_t id : {1U, 4U, 3U, 2U}) {
    CHECK(w.launcher.running_tasks() == Ids{id});
    w.launcher.end(w.launcher.launch_of(id), 0, 0, 1s);
    w.turn();
  }
  CHECK(w.launcher.running().empty());
}

TEST_CASE("a task that does not fit does not hold up others that do") {
  World w(2);
  w.register_worker();
  w.say(task(1).message());
  w.say(task(2).cpus(2).priority(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.say(msg::RunTasks{{run(2, 2, 2), run(1, 3, 3)}});

  CHECK(w.launcher.running_tasks() == Ids{1, 3});
}

TEST_CASE("a placed task starts before any backlog, and backlog does not take its resources") {
  World w(2);
  w.register_worker();
  w.say(task(1).message());
  w.say(task(2).cpus(2).message());
  w.say(msg::RunTasks{{run(1, 1, 5)}});
  w.say(msg::RunTasks{{slot(2, 100)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();

  CHECK(w.launcher.running_tasks() == Ids{2});
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{100});
}

TEST_CASE("an attempt that is sent twice is held once") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.started_tasks() == Ids{1, 2});
}

TEST_CASE("short tasks get successors on the same claim, a few of them") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 10)}});

  CHECK(w.launcher.running_tasks() == Ids{1});
  CHECK(w.launcher.waiting_tasks() == Ids{2, 3, 4, 5});
  CHECK(w.launcher.processes.at(w.launcher.launch_of(3)).request.after == w.launcher.launch_of(2));

  // The launcher goes on without us.
  w.launcher.end(w.launcher.launch_of(1));
  w.launcher.end(w.launcher.launch_of(2));
  CHECK(w.launcher.running_tasks() == Ids{3});
  w.turn();
  CHECK(w.launcher.waiting_tasks() == Ids{4, 5, 6, 7});
  CHECK(w.launcher.dropped.empty());
}

TEST_CASE("very short tasks get as many successors as run in some milliseconds") {
  ShortTasks w(1, 500us);
  w.say(msg::RunTasks{{run(1, 1, 100)}});
  CHECK(w.launcher.waiting_tasks().size() == 32);
}

TEST_CASE("long tasks get no successors") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 5)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{2});
  CHECK(w.launcher.waiting().empty());
}

TEST_CASE("successors give way to a placed task and to a higher priority") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 5)}});
  w.say(task(2).priority(3).message());
  w.say(msg::RunTasks{{run(2, 50, 50)}});
  CHECK(w.launcher.waiting().empty());
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{50});

  w.launcher.end(w.launcher.launch_of(50), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{2});
  CHECK(w.launcher.waiting_tasks() == Ids{3, 4, 5});
  w.say(msg::RunTasks{{slot(1, 60)}});
  CHECK(w.launcher.waiting().empty());
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{60});
}

TEST_CASE("successors behind a task that turns out long run elsewhere") {
  ShortTasks w(2);
  w.say(msg::RunTasks{{run(1, 1, 6)}});
  CHECK(w.launcher.running_tasks() == Ids{1, 2});
  CHECK(w.launcher.waiting_tasks() == Ids{3, 4, 5, 6});

  // 2 and its successors are done; 1 goes on, and what waits behind it is taken back.
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1ms);
  w.launcher.end(w.launcher.launch_of(4), 0, 0, 1ms);
  w.launcher.end(w.launcher.launch_of(6), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{1, 3});
  w.launcher.end(w.launcher.launch_of(3), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{1, 5});
}

TEST_CASE("successors of a task that runs for long are taken back even if nothing else is free") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 3)}});
  CHECK(w.launcher.waiting_tasks() == Ids{2, 3});
  w.advance(500ms);
  CHECK(w.launcher.waiting().empty());
  CHECK(w.launcher.running_tasks() == Ids{1});
}

TEST_CASE("a retraction is answered by one list, from the end of the backlog") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(task(2).message());
  w.say(msg::RunTasks{{run(1, 1, 6), run(2, 7, 8)}});
  w.advance(5ms);
  (void)w.heard<msg::Report>();
  w.say(msg::Retract{4, DefinitionId(1), 2});

  const auto returned = w.heard<msg::Returned>();
  CHECK(returned == msg::Returned{4, {{JobId(1), {5, 6, 1}, InstanceId(0)}}});
  CHECK(w.said_nothing());
  for (uint32_t id : {1U, 2U, 3U, 4U, 7U, 8U}) {
    CHECK(w.launcher.running_tasks() == Ids{id});
    w.launcher.end(w.launcher.launch_of(id), 0, 0, 1s);
    w.turn();
  }
}

TEST_CASE("a retraction beyond the backlog takes successors back, and waits for the launcher's word") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 6)}});
  CHECK(w.launcher.waiting_tasks() == Ids{2, 3, 4, 5});
  w.advance(5ms);
  (void)w.heard<msg::Report>();
  w.launcher.hold_drops = true;
  w.say(msg::Retract{1, DefinitionId(1), 4});
  w.advance(5ms);
  CHECK(w.said_nothing());

  // 3, 4 and 5 were asked for. Meanwhile 3 has started.
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1ms);
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1ms);
  w.launcher.hold_drops = false;
  w.launcher.read_drops();
  w.turn();
  bool answered = false;
  while (!w.said_nothing()) {
    auto& queue = w.network.link().from_worker;
    if (auto* returned = std::get_if<msg::Returned>(&queue.front().message)) {
      CHECK(*returned == msg::Returned{1, {{JobId(1), {4, 6, 1}, InstanceId(0)}}});
      CHECK_FALSE(answered);
      answered = true;
    }
    queue.pop_front();
  }
  CHECK(answered);
  CHECK(w.launcher.running_tasks() == Ids{3});
}

TEST_CASE("cancelling drops what waits and stops what runs, by ids or the whole job") {
  World w(2);
  w.register_worker();
  w.say(task(1).job(1).message());
  w.say(task(2).job(2).message());
  w.say(msg::RunTasks{{run(1, 1, 4), run(2, 10, 10)}});
  w.advance(5ms);
  (void)w.heard<msg::Report>();

  w.say(msg::CancelTasks{JobId(1), {{2, 3, 1}}});
  w.advance(5ms);
  auto report = w.heard<msg::Report>();
  CHECK(ended_in(report) == Ids{2});
  CHECK(report.ended[0].outcome == msg::EndedTask::Outcome::kStopped);
  CHECK(w.launcher.running_tasks() == Ids{1, 4});

  w.say(msg::CancelTasks{JobId(1), {}});
  CHECK(w.launcher.running_tasks() == Ids{10});
  report = w.heard<msg::Report>();
  CHECK(ended_in(report) == Ids{1, 4});
  CHECK(w.launcher.started_tasks() == Ids{1, 2, 4, 10});
}

TEST_CASE("a cancelled successor never runs, and those behind it do") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 4)}});
  w.say(msg::CancelTasks{JobId(1), {{2, 2, 1}}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1ms);
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{3});
  CHECK(w.launcher.waiting_tasks() == Ids{4});
}

TEST_CASE("a successor that started before its cancel is stopped") {
  ShortTasks w;
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  w.launcher.hold_drops = true;
  w.say(msg::CancelTasks{JobId(1), {{2, 2, 1}}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1ms);
  w.launcher.read_drops();
  w.turn();
  CHECK(w.launcher.running().empty());
  CHECK(w.launcher.processes.at(w.launcher.launch_of(2)).stops == 1);
}

TEST_CASE("a task beyond its time limit is stopped and fails, even when it then succeeds") {
  World w(1);
  w.register_worker();
  w.say(task(1).time_limit(2s).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  (void)w.heard<msg::Report>();
  w.launcher.obedient = false;
  w.advance(1900ms);
  CHECK(w.launcher.processes.at(LaunchId(1)).stops == 0);
  w.advance(200ms);
  CHECK(w.launcher.processes.at(LaunchId(1)).stops == 1);
  CHECK(w.said_nothing());

  w.launcher.end(LaunchId(1), 0, 0, 2s);
  w.turn();
  const auto report = w.heard<msg::Report>();
  CHECK(report.ended[0].outcome == msg::EndedTask::Outcome::kFailed);
  CHECK(report.ended[0].failure.kind == FailureKind::kTimeLimit);
}

TEST_CASE("a task that was ended for its memory has failed, unless it ended well by itself") {
  World w(2);
  w.register_worker();
  w.say(task(1).memory_limit(uint64_t{2} << 30).message());
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  (void)w.heard<msg::Report>();
  CHECK(w.launcher.templates.begin()->second.memory_limit == uint64_t{2} << 30);
  w.launcher.end(LaunchId(1), -1, 9).memory_exceeded = uint64_t{3} << 30;
  w.launcher.end(LaunchId(2)).memory_exceeded = uint64_t{3} << 30;
  w.turn();

  const auto report = w.heard<msg::Report>();
  REQUIRE(report.ended.size() == 2);
  CHECK(report.ended[0].failure ==
        Failure{FailureKind::kMemoryLimit, 0, "Memory limit exceeded: 3 GiB in use, 2 GiB allowed"});
  CHECK(report.ended[1].outcome == msg::EndedTask::Outcome::kFinished);
}

TEST_CASE("a time limit of zero stops a task as soon as it has started") {
  World w(1);
  w.register_worker();
  w.say(task(1).time_limit(0s).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  w.advance(1ms);
  CHECK(w.heard<msg::Report>().started.size() + w.heard<msg::Report>().ended.size() == 2);
}

TEST_CASE("what no longer fits our remaining life is given back unasked") {
  World w(1);
  w.options.config.time_limit = 100s;
  w.options.config.retract_check_interval = 10s;
  w.register_worker(true, 1000s);
  w.say(task(1).message());
  w.say(task(2).min_time(60s).message());
  w.say(task(3).min_time(200s).message());
  w.say(msg::RunTasks{{run(1, 1, 1), run(2, 2, 3)}});
  w.advance(5ms);
  (void)w.heard<msg::Report>();
  w.say(msg::RunTasks{{slot(3, 9)}});
  CHECK(w.heard<msg::Returned>() == msg::Returned{0, {{JobId(1), {9, 9, 1}, InstanceId(0)}}});

  for (int i = 0; i < 7; ++i) {
    w.advance(5s);
    w.answer_heartbeats();
  }
  CHECK(w.said_nothing());
  for (int i = 0; i < 4; ++i) {
    w.advance(5s);
    w.answer_heartbeats();
  }
  CHECK(w.heard<msg::Returned>() == msg::Returned{0, {{JobId(1), {2, 3, 1}, InstanceId(0)}}});
  CHECK(w.launcher.running_tasks() == Ids{1});
}

TEST_CASE("failures say what happened") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  const auto ended_by = [&](auto&& how) {
    static uint32_t id = 0;
    ++id;
    w.network.link().from_worker.clear();
    w.say(msg::RunTasks{{run(1, id, id)}});
    w.network.link().from_worker.clear();
    how(w.launcher.launch_of(id));
    w.turn();
    auto report = w.heard<msg::Report>();
    REQUIRE(ended_in(report) == Ids{id});
    return report.ended[0].failure;
  };
  const auto fail_at = [&](LaunchStage stage, int errnum) {
    return ended_by([&](LaunchId id) {
      ProcessEvent& event = w.launcher.end(id);
      event.kind = ProcessEvent::Kind::kFailed;
      event.stage = stage;
      event.errnum = errnum;
    });
  };

  CHECK(ended_by([&](LaunchId id) { w.launcher.end(id, 3); }) == Failure{FailureKind::kExit, 3, ""});
  CHECK(ended_by([&](LaunchId id) { w.launcher.end(id, -1, 9); }) == Failure{FailureKind::kExit, -9, ""});
  CHECK(ended_by([&](LaunchId id) {
          ProcessEvent& event = w.launcher.end(id, 1);
          event.error_file_present = true;
          event.error_file = "went wrong\n";
        }) == Failure{FailureKind::kErrorFile, 1, "went wrong\n"});
  auto failure = fail_at(LaunchStage::kSpawn, 2);
  CHECK(failure.kind == FailureKind::kLaunch);
  CHECK(failure.text.starts_with("Cannot execute \"/bin/true\": No such file or directory (os error 2)"));
  CHECK(failure.text.find("exists, did you mean") == std::string::npos);
  failure = fail_at(LaunchStage::kSpawnNotSearched, 2);
  CHECK(failure.text.find("/bin/true` exists, did you mean `.//bin/true`?") != std::string::npos);
  failure = fail_at(LaunchStage::kWorkingDirectory, 13);
  CHECK(failure.kind == FailureKind::kBeforeLaunch);
  CHECK(failure.text.starts_with("Could not create working directory: "));
  failure = fail_at(LaunchStage::kNoArguments, 0);
  CHECK(failure.text == "No command arguments");
}

TEST_CASE("the end of a task carries its usage") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 1)}});
  (void)w.heard<msg::Report>();
  ProcessEvent& event = w.launcher.end(LaunchId(1), 0, 0, 1500ms);
  event.usage = {250ms, 125ms, uint64_t{3} << 20};
  w.turn();
  const auto report = w.heard<msg::Report>();
  CHECK(report.ended[0].usage == TaskUsage{1.5F, 0.25F, 0.125F, 3072});
}

TEST_CASE("files asked to go are removed after success only") {
  World w(1);
  w.register_worker();
  auto definition = task(1);
  definition.task.program.stdout_spec = {StdioSpec::Kind::kFile, "/out/%{TASK_ID}", true};
  definition.task.program.stderr_spec = {StdioSpec::Kind::kFile, "/err/%{TASK_ID}", false};
  w.say(definition.message());
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  w.launcher.end(w.launcher.launch_of(1), 1);
  w.turn();
  CHECK(w.launcher.removed_files.empty());
  w.launcher.end(w.launcher.launch_of(2));
  w.turn();
  CHECK(w.launcher.removed_files == std::vector<std::string>{"/out/2"});
}

TEST_CASE("a task that can't be planned fails without a process, and the next one runs") {
  World w(1);
  w.register_worker();
  auto pinned = task(1);
  pinned.task.request.variants[0].entries.clear();
  pinned.task.pin = PinMode::kTaskset;
  w.say(pinned.message());
  w.say(task(2).message());
  w.say(msg::RunTasks{{run(1, 1, 1), run(2, 2, 2)}});
  CHECK(w.launcher.started_tasks() == Ids{2});
  const auto report = w.heard<msg::Report>();
  REQUIRE(ended_in(report) == Ids{1});
  CHECK(report.ended[0].failure ==
        Failure{FailureKind::kLaunch, 0, "Pinning failed, no CPU ids allocated for task"});
}

TEST_CASE("templates are defined once and forgotten after their last task") {
  World w(1);
  w.register_worker();
  w.say(task(1).message());
  w.say(msg::RunTasks{{run(1, 1, 2)}});
  CHECK(w.launcher.templates.size() == 1);
  w.say(msg::Undefine{{DefinitionId(1)}});
  w.launcher.end(w.launcher.launch_of(1), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.templates.size() == 1);
  w.launcher.end(w.launcher.launch_of(2), 0, 0, 1s);
  w.turn();
  CHECK(w.launcher.templates.empty());
}

TEST_CASE("nothing is lost or run twice whatever server and launcher do") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRandom random(seed);
    World w(3);
    w.launcher.obedient = random.chance(0.5);
    w.register_worker(true, 1000s);
    for (uint32_t d = 1; d <= 4; ++d) w.say(task(d).cpus(d).priority(int(d % 2)).message());
    std::set<uint32_t> sent, returned, canceled;
    std::map<uint32_t, int> ended;
    const auto listen = [&] {
      auto& queue = w.network.link().from_worker;
      for (; !queue.empty(); queue.pop_front()) {
        if (auto* report = std::get_if<msg::Report>(&queue.front().message)) {
          for (const auto& task : report->ended) ++ended[task.task.value];
        } else if (auto* list = std::get_if<msg::Returned>(&queue.front().message)) {
          for (const auto& span : list->spans) {
            for (uint32_t id = span.ids.first; id <= span.ids.last; ++id) REQUIRE(returned.insert(id).second);
          }
        }
      }
    };
    uint32_t next = 0;
    uint64_t retracts = 0;
    for (int step = 0; step < 300; ++step) {
      w.launcher.hold_drops = random.chance(0.3);
      if (!w.launcher.hold_drops) w.launcher.read_drops();
      const auto definition = uint32_t(1 + random.below(3));
      switch (random.below(8)) {
        case 0: {
          const auto count = uint32_t(1 + random.below(6));
          for (uint32_t i = 1; i <= count; ++i) sent.insert(next + i);
          w.say(msg::RunTasks{{run(definition, next + 1, next + count)}});
          next += count;
          break;
        }
        case 1:
          sent.insert(++next);
          w.say(msg::RunTasks{{slot(definition, next)}});
          break;
        case 2:
          w.say(msg::Retract{++retracts, DefinitionId(definition), uint32_t(random.below(8))});
          break;
        case 3:
          if (next > 0) {
            const auto id = uint32_t(1 + random.below(next));
            canceled.insert(id);
            w.say(msg::CancelTasks{JobId(1), {{id, id, 1}}});
          }
          break;
        default:
          for (LaunchId id : w.launcher.running()) {
            if (random.chance(0.6)) w.launcher.end(id, random.chance(0.2) ? 1 : 0, 0, 1ms);
          }
          break;
      }
      w.advance(Duration(random.below(4'000'000)));
      listen();
    }
    w.launcher.hold_drops = false;
    w.launcher.read_drops();
    for (int i = 0; i < 1000; ++i) {
      for (LaunchId id : w.launcher.running()) w.launcher.end(id, 0, 0, 1ms);
      w.advance(1ms);
    }
    w.advance(10ms);
    listen();
    std::map<uint32_t, int> started;
    for (uint32_t id : w.launcher.started_tasks()) ++started[id];
    for (uint32_t id : sent) {
      REQUIRE(started[id] <= 1);
      REQUIRE(ended[id] == started[id]);
      REQUIRE(started[id] + int(returned.contains(id)) <= 1);
      if (!canceled.contains(id)) REQUIRE(started[id] + int(returned.contains(id)) == 1);
    }
  }
}
