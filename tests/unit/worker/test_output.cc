// What a worker does with tasks whose output is streamed.
#include "world.h"

using namespace hq;

namespace {

struct Streaming : World {
  explicit Streaming(uint32_t cpus = 1) : World(cpus) {
    output.automatic = false;
    register_worker(true);
    say(task(1).streamed().message());
    say(msg::RunTasks{{run(1, 1, 1)}});
    (void)heard<msg::Report>();
  }
  OutputId output_of(uint32_t task_id) const { return OutputId(launcher.launch_of(task_id).value); }
  void end(uint32_t task_id, int code = 0) {
    launcher.end(launcher.launch_of(task_id), code, 0, 1s);
    turn();
  }
  msg::EndedTask told() {
    advance(1s);
    const auto report = heard<msg::Report>();
    REQUIRE(report.ended.size() == 1);
    return report.ended[0];
  }
};

using Outcome = msg::EndedTask::Outcome;

}  // namespace

TEST_CASE("a streamed task gets a pipe, and its output goes to the job's directory") {
  Streaming w;

  CHECK(w.launcher.processes.at(w.launcher.launch_of(1)).request.out.kind == OutputTarget::Kind::kPipe);
  CHECK(w.launcher.processes.at(w.launcher.launch_of(1)).request.err.kind == OutputTarget::Kind::kNull);
  const auto& kept = w.output.tasks.at(w.output_of(1));
  CHECK(kept.place.directory == "/home/u/log");
  CHECK(kept.place.server_uid == "abcdef");
  CHECK(kept.place.worker == WorkerId(5));
  CHECK(kept.key == StreamKey{JobId(1), TaskId(1), InstanceId(0)});
}

TEST_CASE("a streamed task has ended when its output is safe; its resources are free before") {
  Streaming w;
  w.say(msg::RunTasks{{run(1, 2, 2)}});
  CHECK(w.launcher.running_tasks() == Ids{1});
  w.end(1);

  CHECK(w.launcher.running_tasks() == Ids{2});
  w.advance(1s);
  CHECK(started_in(w.heard<msg::Report>()) == Ids{2});
  CHECK(w.said_nothing());

  w.output.keep(w.output_of(1));
  w.turn();
  CHECK(w.told().outcome == Outcome::kFinished);
}

TEST_CASE("output that can't be kept fails the task that has ended, with the cause") {
  Streaming w;
  w.end(1);
  w.output.fail(w.output_of(1), "Streaming: no room");
  w.turn();

  const auto ended = w.told();
  CHECK(ended.outcome == Outcome::kFailed);
  CHECK(ended.failure == Failure{FailureKind::kLaunch, 0, "Streaming: no room"});
}

TEST_CASE("output that can't be kept stops the task that runs") {
  Streaming w;
  w.output.fail(w.output_of(1), "Streaming: no room");
  w.turn();

  CHECK(w.launcher.processes.at(w.launcher.launch_of(1)).stops == 1);
  const auto ended = w.told();
  CHECK(ended.outcome == Outcome::kFailed);
  CHECK(ended.failure.text == "Streaming: no room");
}

TEST_CASE("a cancelled task does not wait for its output, neither running nor ended") {
  for (bool has_ended : {false, true}) {
    Streaming w;
    if (has_ended) w.end(1);
    w.say(msg::CancelTasks{JobId(1), {}});

    CHECK(w.output.cuts.contains(w.output_of(1)));
    CHECK(w.told().outcome == (has_ended ? Outcome::kFinished : Outcome::kStopped));
  }
}

TEST_CASE("a hello lists a task as running until its output is safe") {
  Streaming w;
  w.end(1);
  w.close_link();
  w.advance(5s);
  const auto hello = w.heard<msg::Hello>();

  REQUIRE(hello.held.size() == 1);
  CHECK(hello.held[0].running);
  CHECK(hello.ended.empty());
}

TEST_CASE("a worker that is stopped waits for output, but not for ever") {
  for (bool kept : {true, false}) {
    Streaming w;
    w.end(1);
    w.say(msg::StopWorker{msg::StopWorker::Reason::kStop});
    CHECK_FALSE(w.worker->finished());
    if (kept) {
      w.output.keep(w.output_of(1));
      w.turn();
      CHECK(w.told().outcome == Outcome::kFinished);
      continue;
    }
    w.advance(10s);
    CHECK(w.worker->finished());
  }
}

TEST_CASE("nothing starts while there is no room for pipes") {
  Streaming w(2);
  w.output.room = false;
  w.say(msg::RunTasks{{run(1, 2, 2)}});
  CHECK(w.launcher.running_tasks() == Ids{1});

  w.output.room = true;
  w.turn();
  CHECK(w.launcher.running_tasks() == Ids{1, 2});
}

TEST_CASE("the server looks at output through the worker") {
  Streaming w;
  msg::PeekOutput look;
  look.number = 9;
  look.kind = 1;
  look.path = "/home/u/log";
  look.server_uid = "abcdef";
  look.job = JobId(1);
  look.task = TaskId(1);
  look.position = 5;
  look.most = 100;
  w.say(look);

  REQUIRE(w.peek.looks.size() == 1);
  const auto& [target, range] = w.peek.looks.at(PeekId(9));
  CHECK(target.kind == PeekTarget::Kind::kDirectory);
  CHECK(target.worker == WorkerId(5));
  CHECK(range == PeekRange{5, false, 100});
  Peeked peeked;
  peeked.id = PeekId(9);
  peeked.position = 5;
  peeked.length = 8;
  peeked.bytes = "abc";
  w.peek.answer(peeked);
  w.turn();
  CHECK(w.heard<msg::OutputPeeked>() == msg::OutputPeeked{9, 5, 8, "abc", 0});
}
