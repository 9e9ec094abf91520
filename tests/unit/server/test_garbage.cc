// Whatever bytes come, the server goes on and forgets nothing.
#include <doctest/doctest.h>

#include "hq/base/log.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct QuietLog {
  QuietLog() {
    log::set_sink([](log::Level, std::string_view) {});
  }
};

Bytes random_bytes(SeededRandom& random, size_t most) {
  Bytes bytes;
  const size_t length = random.below(most);
  for (size_t i = 0; i < length; ++i) bytes += char(random.next());
  return bytes;
}

}  // namespace

TEST_CASE("frames that are no messages disturb neither the tasks nor the peer that sent them") {
  QuietLog quiet;
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 3));
  w.runs();
  const PeerId client = s.new_client();
  SeededRandom random(42);

  for (int i = 0; i < 2000; ++i) {
    w.say_bytes(random_bytes(random, 40));
    s.clients.inbox.push_back({client, random_bytes(random, 40)});
    if (i % 100 == 0) s.turn();
  }
  w.say_bytes("");
  s.clients.inbox.push_back({client, ""});
  s.settle();

  CHECK(s.job(job).count(TaskState::kWaiting) == 3);
  CHECK(w.heard_nothing());
  w.ended(job, 1);
  CHECK(s.task(job, 1) == TaskState::kFinished);
}

TEST_CASE("a true message with bytes changed or missing is refused or taken, never half taken") {
  QuietLog quiet;
  TestServer s;
  TestWorker& w = s.add_worker(2);
  const JobId job = s.submit(submit().array(1, 1000));
  w.runs();
  SeededRandom random(43);
  msg::Hello hello = w.hello();
  hello.held = {w.held(job, 1, true), w.held(job, 2, false)};
  msg::Submit message;
  message.submit = submit().task(1).task(2, {1}).value();
  Entries entries;
  entries.add("one");
  entries.add("two");
  msg::Submit uploaded;
  uploaded.submit = submit().array(0, 2).value();
  uploaded.uploaded = 2;
  const std::vector<Bytes> from_worker = {
      encode(w.session, msg::Report{1, {{job, TaskId(1), InstanceId(0), 0, 0}}, {w.end_of(job, 2)}}),
      encode(w.session, msg::Returned{0, {{job, {1, 2, 1}, InstanceId(0)}}}),
      encode(SessionId(0), hello),
      encode(w.session, msg::Heartbeat{7}),
  };
  const std::vector<Bytes> from_client = {
      encode(RequestId(1), message),
      encode(RequestId(2), msg::CancelJobs{TestServer::selection(5), "x"}),
      encode(RequestId(3),
             msg::GetJobs{{msg::Selection::Kind::kAll, {}}, msg::GetJobs::Tasks::kAll, {}, {}, true}),
      encode(RequestId(4), msg::WaitJobs{TestServer::selection(1), false, true}),
      encode(RequestId(5), msg::StopWorkers{TestServer::selection(77), true}),
      encode(RequestId(6), msg::UploadEntries{entries, 1'000}),
      encode(RequestId(6), uploaded),
  };
  auto spoil = [&](Bytes bytes) {
    const uint64_t changes = 1 + random.below(4);
    for (uint64_t i = 0; i < changes; ++i) bytes[random.below(bytes.size())] = char(random.next());
    if (random.chance(0.3)) bytes.resize(random.below(bytes.size()) + 1);
    return bytes;
  };

  for (int i = 0; i < 20'000; ++i) {
    w.say_bytes(spoil(from_worker[random.below(from_worker.size())]));
    const PeerId client(100'000 + random.below(3));
    s.clients.inbox.push_back({client, spoil(from_client[random.below(from_client.size())])});
    if (i % 50 == 0) s.turn();
    if (i % 500 == 0) {
      s.clients.sent.clear();
      s.workers.sent.clear();
    }
  }
  s.settle();

  CHECK_FALSE(s.server->finished());
  const PeerId client = s.new_client();
  s.request(client, msg::GetServerInfo{});
  CHECK(s.replies(client).size() == 1);
}

TEST_CASE("an unreadable request is answered under its id, with what is wrong") {
  TestServer s;
  const PeerId client = s.new_client();
  Bytes frame = encode(RequestId(77), msg::CancelJobs{TestServer::selection(1), "r"});
  const size_t at = frame.find("cancel_jobs");
  REQUIRE(at != Bytes::npos);
  frame[at] = 'k';

  s.clients.inbox.push_back({client, frame});
  s.turn();

  const auto answers = s.replies(client);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == RequestId(77));
  CHECK(std::holds_alternative<msg::Failed>(answers[0].message));
}
