// Clients that look at output.
#include <cerrno>

#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct Looking : TestServer {
  TestWorker& worker;
  JobId job;
  PeerId client = new_client();

  explicit Looking(std::optional<std::string> log = std::nullopt) : worker(add_worker(1)) {
    msg::Submit message;
    message.name = "job";
    message.submit = SubmitBuilder().array(1, 2).value();
    message.submit.log_path = std::move(log);
    const auto kind = message.submit.log_path ? StdioSpec::Kind::kStream : StdioSpec::Kind::kFile;
    message.submit.task.program.stdout_spec = {kind, kind == StdioSpec::Kind::kFile ? "out-%{TASK_ID}" : "",
                                               false};
    job = ask<msg::Submitted>(message).job;
    (void)worker.runs();
    worker.started(job, 1);
    turn();
    (void)worker.heard<msg::Ack>();
  }
  msg::ReadOutput look(uint32_t task) const {
    msg::ReadOutput message;
    message.job = job;
    message.task = TaskId(task);
    message.position = 10;
    return message;
  }
  msg::OutputPiece piece() {
    auto answers = replies(client);
    REQUIRE(answers.size() == 1);
    REQUIRE(std::holds_alternative<msg::OutputPiece>(answers[0].message));
    return std::get<msg::OutputPiece>(answers[0].message);
  }
};

}  // namespace

TEST_CASE("the worker that runs a task is asked for its output") {
  Looking w;
  w.request(w.client, w.look(1));
  const auto asked = w.worker.heard<msg::PeekOutput>();
  CHECK(asked.path == "/home/u/out-1");
  CHECK(asked.position == 10);
  CHECK(w.replies(w.client).empty());
  w.worker.say(msg::OutputPeeked{asked.number, 10, 15, "hello", 0});
  w.turn();

  const auto piece = w.piece();
  CHECK(piece.state == TaskState::kRunning);
  CHECK(piece.started);
  CHECK(piece.kept);
  CHECK(piece.bytes == "hello");
  CHECK(piece.length == 15);
}

TEST_CASE("where the worker is gone the server looks itself") {
  Looking w;
  w.worker.ended(w.job, 1);
  w.close(w.worker);
  w.request(w.client, w.look(1));

  REQUIRE(w.peek.looks.size() == 1);
  const auto& [id, look] = *w.peek.looks.begin();
  CHECK(look.first.path == "/home/u/out-1");
  Peeked peeked;
  peeked.id = id;
  peeked.errnum = 2;
  w.peek.answer(peeked);
  w.turn();
  const auto piece = w.piece();
  CHECK(piece.state == TaskState::kFinished);
  CHECK(piece.errnum == 2);
}

TEST_CASE("what the server keeps it reads itself") {
  Looking w("/home/u/log");
  w.request(w.client, w.look(1));

  REQUIRE(w.peek.looks.size() == 1);
  const PeekTarget& target = w.peek.looks.begin()->second.first;
  CHECK(target.kind == PeekTarget::Kind::kLog);
  CHECK(target.path == "/home/u/log");
  CHECK(target.server_uid == "abcdef");
  CHECK(target.worker == WorkerId(0));  // the server wrote it
  CHECK(target.key == StreamKey{w.job, TaskId(1), InstanceId(0)});
}

TEST_CASE("a task that has not started has no output yet, one that throws it away never has") {
  Looking w;
  w.request(w.client, w.look(2));
  CHECK_FALSE(w.piece().started);
  msg::ReadOutput message = w.look(1);
  message.channel = msg::ReadOutput::Channel::kStderr;
  w.request(w.client, message);
  const auto piece = w.piece();
  CHECK(piece.started);
  CHECK_FALSE(piece.kept);
}

TEST_CASE("unknown jobs and tasks are refused") {
  Looking w;
  msg::ReadOutput message = w.look(77);
  CHECK(w.ask<msg::Failed>(message).message == "Task 77 of job 1 not found");
  message.job = JobId(9);
  CHECK(w.ask<msg::Failed>(message).message == "Job 9 was not found");
}

TEST_CASE("a worker that does not answer is given up") {
  Looking w;
  w.request(w.client, w.look(1));
  w.advance(30s);

  CHECK(w.piece().errnum == ETIMEDOUT);
}
