// Nobody is told before it is safe.
#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;

TEST_CASE("a welcome waits for the commit of the registration") {
  TestServer s;
  TestWorker& w = s.connect(worker_config(1));
  s.journal.hold();

  w.say(w.hello());
  s.turn();
  CHECK(w.heard_nothing());
  s.journal.confirm(1);
  s.turn();

  CHECK(w.heard<msg::Welcome>().worker == WorkerId(1));
}

TEST_CASE("answers and runs wait for the commit of the submit and of the assignment") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  s.journal.hold();
  const PeerId client = s.new_client();
  msg::Submit message;
  message.submit = submit().value();

  s.request(client, message);
  s.settle();

  CHECK(s.replies(client).empty());
  CHECK(w.heard_nothing());
  s.journal.release();
  s.turn();
  CHECK(s.replies(client).size() == 1);
  CHECK(w.runs().size() == 1);
}

TEST_CASE("an acknowledgement waits for the commit of what was reported") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  s.journal.hold();

  w.ended(job, 0);
  CHECK(w.heard_nothing());
  s.journal.release();
  s.turn();

  CHECK(w.heard<msg::Ack>().report == 1);
}

TEST_CASE("a waiting client hears of the end only when the end is safe") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{TestServer::selection(job.value), false, false});
  s.journal.hold();

  w.ended(job, 0);
  s.settle();
  CHECK(s.replies(client).empty());
  s.journal.release();
  s.turn();

  CHECK(s.replies(client).size() == 1);
}

TEST_CASE("questions are not answered ahead of what they rest on") {
  TestServer s;
  s.journal.hold();
  const PeerId submitter = s.new_client();
  msg::Submit message;
  message.submit = submit().value();
  s.request(submitter, message);
  const PeerId reader = s.new_client();

  s.request(reader, msg::ListJobs{});
  CHECK(s.replies(reader).empty());
  s.journal.release();
  s.settle();

  const auto answers = s.replies(reader);
  REQUIRE(answers.size() == 2);
  CHECK(std::get<msg::JobList>(answers[0].message).jobs.size() == 1);
}

TEST_CASE("heartbeats, retractions and refusals do not wait for the disk") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(1, 30));
  w.runs();
  msg::EndedTask quick = w.end_of(job, 1);
  quick.usage.ran_s = 0.001F;
  w.say(msg::Report{++w.reports, {}, {quick}});
  s.turn();
  w.heard<msg::Ack>();
  w.runs();
  w.started(job, 2);
  w.heard<msg::Ack>();
  s.add_worker(1);
  s.journal.hold();
  TestWorker& stranger = s.connect(worker_config(1));

  w.say(msg::Heartbeat{1});
  msg::Hello refused = stranger.hello();
  refused.config->heartbeat_interval = 1ms;
  stranger.say(refused);
  s.turn();
  CHECK(w.heard<msg::HeartbeatAck>().counter == 1);
  CHECK_FALSE(stranger.heard<msg::Refused>().reason.empty());
  s.advance(100ms);
  CHECK(w.heard<msg::Retract>().count == 1);
}

TEST_CASE("a turn tells whether there was anything but heartbeats in it") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  TestWorker& other = s.add_worker(1);
  s.settle();
  CHECK_FALSE(s.server->heard_only_heartbeats());

  w.say(msg::Heartbeat{1});
  other.say(msg::Heartbeat{1});
  s.turn();
  CHECK(s.server->heard_only_heartbeats());
  s.turn();
  CHECK_FALSE(s.server->heard_only_heartbeats());

  const PeerId reader = s.new_client();
  w.say(msg::Heartbeat{2});
  s.request(reader, msg::ListJobs{});
  s.turn();
  CHECK_FALSE(s.server->heard_only_heartbeats());
}

TEST_CASE("messages leave in order, each as soon as its own commit is safe") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  s.journal.hold();
  const PeerId client = s.new_client();
  msg::Submit message;
  message.submit = submit().value();
  s.request(client, message);
  s.request(client, message);

  s.journal.confirm(1);
  s.turn();

  CHECK(s.replies(client).size() == 1);
  CHECK(w.runs().size() == 1);
  s.journal.confirm(1);
  s.turn();
  CHECK(s.replies(client).size() == 1);
  CHECK(w.runs().size() == 1);
}

TEST_CASE("a journal that keeps nothing back gives the state again when it is read") {
  TestServer s;
  TestWorker& w = s.add_worker(2);
  const JobId job = s.submit(submit().array(1, 5));
  w.runs();
  w.ended(job, 1);
  w.failed(job, 2);
  s.cancel(job);
  s.close(w);

  State replayed;
  for (const auto& commit : s.journal.commits()) {
    for (const Record& record : commit) replayed.apply(record);
  }

  replayed.check_invariants();
  CHECK(replayed.find_job(job)->counts == s.job(job).counts);
  CHECK(replayed.find_worker(w.id)->lost == s.worker(w).lost);
  CHECK(replayed.server_uid() == "abcdef");
}

TEST_CASE("a full socket keeps its messages and their order, and holds up nobody else") {
  TestServer s;
  TestWorker& slow = s.add_worker(1);
  s.workers.full.insert(slow.peer);
  const JobId job = s.submit(submit().array(1, 2));
  TestWorker& quick = s.add_worker(1);
  CHECK(quick.runs().size() == 1);
  CHECK(slow.heard_nothing());

  s.workers.full.clear();
  s.advance(10ms);

  REQUIRE(slow.runs().size() == 1);
  slow.ended(job, 1);
  CHECK(s.task(job, 1) == TaskState::kFinished);
}

TEST_CASE("stopping tells the workers once, even while one of them takes nothing") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  TestWorker& stuck = s.add_worker(1);
  s.workers.full.insert(stuck.peer);
  const PeerId client = s.new_client();

  s.request(client, msg::StopServer{});
  for (int i = 0; i < 5; ++i) s.advance(10ms);

  CHECK(s.replies(client).size() == 1);
  CHECK(w.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kServerStops);
  CHECK(w.heard_nothing());
  CHECK_FALSE(s.server->finished());
  s.workers.full.clear();
  s.advance(10ms);
  CHECK(stuck.heard<msg::StopWorker>().reason == msg::StopWorker::Reason::kServerStops);
  CHECK(s.server->finished());
}

TEST_CASE("a worker that takes nothing does not keep the server from ending") {
  TestServer s;
  TestWorker& stuck = s.add_worker(1);
  s.workers.full.insert(stuck.peer);
  s.request(s.new_client(), msg::StopServer{});

  s.advance(3s);

  CHECK(s.server->finished());
}

// --- a disk in trouble
// ------------------------------------------------------------------------------

TEST_CASE("without room in the journal nothing is accepted, and the cause is told") {
  TestServer s(true);
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);
  s.journal.trouble = "/fs/hq.journal: No space left on device (os error 28)";

  msg::Submit message;
  message.submit = submit().value();
  const std::string refusal = "Nothing new is accepted now: " + s.journal.trouble;
  CHECK(s.refusal(message) == refusal);
  CHECK(s.ask<msg::Failed>(msg::OpenJob{}).message == refusal);
  CHECK(s.ask<msg::ServerInfo>(msg::GetServerInfo{}).journal_trouble == s.journal.trouble);

  w.ended(job, 0);
  CHECK(s.task(job, 0) == TaskState::kFinished);
  s.journal.trouble.clear();
  CHECK(s.submit(submit()) == JobId(2));
}

TEST_CASE("nothing is handed out while results that cannot be written pile up") {
  TestServer s(true);
  TestWorker& w = s.add_worker(1);
  s.journal.full = true;
  const JobId job = s.submit(submit());
  s.advance(1s);
  CHECK(w.runs().empty());

  s.journal.full = false;
  CHECK_FALSE(s.server->settled());
  s.turn();

  CHECK(w.runs().size() == 1);
  CHECK(s.state().find_job(job) != nullptr);
}

TEST_CASE("questions are answered when the disk stands still, what changes something is not") {
  TestServer s(true);
  const JobId job = s.submit(submit());
  s.journal.hold();
  const PeerId submitter = s.new_client();
  msg::Submit message;
  message.submit = submit().value();
  s.request(submitter, message);
  const PeerId curious = s.new_client();
  s.request(curious, msg::GetJobs{TestServer::selection(job.value), msg::GetJobs::Tasks::kAll, {}, {}});
  CHECK(s.replies(curious).empty());

  s.journal.waiting = 12s;
  s.settle();

  const auto replies = s.replies(curious);
  REQUIRE(replies.size() >= 2);
  CHECK(std::holds_alternative<msg::JobDetail>(replies.front().message));
  CHECK(std::holds_alternative<msg::End>(replies.back().message));
  CHECK(s.replies(submitter).empty());
  CHECK(s.ask<msg::ServerInfo>(msg::GetServerInfo{}).journal_stalled == 12s);
  s.journal.release();
  s.turn();
  CHECK(s.replies(submitter).size() == 1);
}

// --- leaving, to come back
// ------------------------------------------------------------------------------

TEST_CASE("a server that leaves makes safe what was decided and tells nobody") {
  TestServer s(true);
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);
  while (!w.heard_nothing()) w.heard<msg::Ack>();
  s.journal.hold();
  w.ended(job, 0);

  SUBCASE("by a signal") {
    s.server->leave("Received SIGTERM");
  }
  SUBCASE("by request") {
    s.request(s.new_client(), msg::StopServer{true});
  }
  s.settle();
  CHECK_FALSE(s.server->finished());
  s.journal.release();
  s.settle();

  CHECK(s.server->finished());
  CHECK(s.server->left());
  while (!w.heard_nothing()) w.heard<msg::Ack>();
  s.restart();
  CHECK(s.task(job, 0) == TaskState::kFinished);
  CHECK_FALSE(s.worker(w).lost);
}

TEST_CASE("a server that leaves does not wait for a dead disk for ever") {
  TestServer s(true);
  s.journal.hold();
  s.journal.trouble = "/fs/hq.journal: Input/output error (os error 5)";
  s.server->leave("Received SIGTERM");
  s.request(s.new_client(), msg::OpenJob{});

  s.advance(30s);

  CHECK(s.server->finished());
}

TEST_CASE("without a journal workers can't be kept") {
  TestServer s;
  CHECK(s.ask<msg::Failed>(msg::StopServer{true}).message.starts_with("The server has no journal"));
  CHECK_FALSE(s.server->resumable());
  CHECK_FALSE(s.ask<msg::ServerInfo>(msg::GetServerInfo{}).resume_window);
}

TEST_CASE("clients that wait for jobs are told when the server stops for good") {
  TestServer s(true);
  const JobId job = s.submit(submit());
  const PeerId waiter = s.new_client();
  s.request(waiter, msg::WaitJobs{TestServer::selection(job.value), false, false});

  s.ask<msg::Done>(msg::StopServer{});
  s.settle();

  const auto replies = s.replies(waiter);
  REQUIRE(replies.size() == 1);
  CHECK(std::holds_alternative<msg::Failed>(replies[0].message));
}

TEST_CASE("workers get a longer backlog when commits take long") {
  auto backlog_with = [](Duration commit) {
    TestServer s(true);
    s.journal.took = commit;
    TestWorker& w = s.add_worker(1);
    const JobId job = s.submit(submit().array(1, 1000));
    const uint32_t first = w.runs().at(0).ids.first;
    msg::EndedTask quick = w.end_of(job, first);
    quick.usage.ran_s = 0.1F;
    w.say(msg::Report{++w.reports, {}, {quick}});
    s.settle();
    return s.worker(w).backlog;
  };
  CHECK(backlog_with(0s) == 0);
  CHECK(backlog_with(1s) >= 10);
  CHECK(backlog_with(60s) == 999 - 1);
}
