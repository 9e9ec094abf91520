#include <doctest/doctest.h>

#include "hq/protocol/limits.h"
#include "server/impl.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

msg::Submit request(const SubmitBuilder& builder, std::optional<JobId> job = std::nullopt) {
  msg::Submit message;
  message.job = job;
  message.submit = builder.value();
  return message;
}

JobId open_job(TestServer& s) {
  return s.ask<msg::Submitted>(msg::OpenJob{"open", std::nullopt}).job;
}

template <class M>
std::vector<M> all_of(const std::vector<Tagged<msg::ClientReply>>& replies) {
  std::vector<M> out;
  for (const auto& reply : replies) {
    if (const auto* message = std::get_if<M>(&reply.message)) out.push_back(*message);
  }
  return out;
}

// Reads pages as a client does, until End.
std::vector<Tagged<msg::ClientReply>> read_all(TestServer& s, const msg::ClientRequest& message) {
  const PeerId client = s.new_client();
  s.request(client, message);
  std::vector<Tagged<msg::ClientReply>> out;
  for (int i = 0; i < 100'000; ++i) {
    for (auto& reply : s.replies(client)) out.push_back(std::move(reply));
    if (!out.empty() && std::holds_alternative<msg::End>(out.back().message)) return out;
    s.turn();
  }
  FAIL("no end of pages");
  return out;
}

}  // namespace

// --- submits that are refused -----------------------------------------------------------------------------

TEST_CASE("a submit that cannot be taken is refused with its reason and changes nothing") {
  TestServer s;
  const JobId open = open_job(s);
  s.ask<msg::Submitted>(request(submit().array(1, 3), open));
  const JobId closed = s.submit(submit());
  const size_t commits = s.journal.commits().size();
  auto refused = [&](msg::Submit message, const std::string& reason) {
    CHECK(refuse_submit(s.state(), message) == reason);
    s.refusal(message);  // the codec may have found something before
  };
  auto with = [&](auto&& change) {
    msg::Submit message = request(submit());
    change(message.submit);
    return message;
  };

  refused(request(submit(), JobId(99)), "Job 99 not found.");
  refused(request(submit(), closed), "Task 0 already exists in job 2.");
  refused(request(submit().array(7, 1), closed), "Job 2 is not opened.");
  refused(request(submit().array(3, 5), open), "Task 3 already exists in job 1.");
  refused(request(submit().task(2), open), "Task 2 already exists in job 1.");
  refused(request(submit().task(4, {9})), "Invalid dependency on 9");
  refused(request(submit().task(4, {4})), "Invalid dependency on 4");
  refused(request(submit().task(4).task(4)), "Task 4 is defined more than once.");
  refused(with([](SubmitDescription& d) { d.task.request.variants.clear(); }),
          "A task needs at least one resource variant");
  refused(with([](SubmitDescription& d) {
            d.task.request.variants.resize(33, ResourceRequest::cpus(1).variants[0]);
          }),
          "At most 32 resource variants are allowed");
  refused(with([](SubmitDescription& d) {
            d.task.request.variants.push_back({});
            d.task.request.variants.back().nodes = 2;
          }),
          "Single-node and multi-node resource variants cannot be mixed");
  refused(with([](SubmitDescription& d) { d.task.request.variants[0].entries[0].amount = Amount(); }),
          "Zero resources cannot be requested");
  refused(with([](SubmitDescription& d) {
            auto& entries = d.task.request.variants[0].entries;
            entries.push_back(entries[0]);
          }),
          "Resource 'cpus' defined more than once");
  refused(with([](SubmitDescription& d) { d.task.request.variants[0].entries[0].name.clear(); }),
          "A resource needs a name");
  refused(with([](SubmitDescription& d) { d.task.crash_limit.value = 70'000; }),
          "The crash limit has to be at most 65535");
  refused(with([](SubmitDescription& d) {
            d.ids.parts = {{IdRange{1, 5, 1}, 5}, {IdRange{4, 8, 1}, 8}};
          }),
          "Ranges of task ids overlap");
  refused(with([](SubmitDescription& d) {
            d.ids = IdArray::consecutive(0, 3);
            d.entries.emplace();
            d.entries->add("only one");
          }),
          "There are 1 entries for 3 task ids");

  CHECK(s.journal.commits().size() == commits);
  CHECK(s.state().last_job_id() == closed);
}

TEST_CASE("tasks are added to an open job, behind the existing ones if asked") {
  TestServer s;
  TestWorker& w = s.add_worker(8);
  const JobId job = open_job(s);
  s.ask<msg::Submitted>(request(submit().array(5, 2), job));
  msg::Submit more = request(submit().array(0, 3), job);
  more.ids_after_existing = true;

  s.ask<msg::Submitted>(more);

  CHECK(s.job(job).highest_id() == 9);
  CHECK(s.job(job).task_count() == 5);
  uint64_t n = 0;
  for (const msg::Run& run : w.runs()) n += run.ids.count();
  CHECK(n == 5);
  CHECK(w.definitions.size() == 2);
}

TEST_CASE("new tasks that depend on what has failed are aborted at once") {
  TestServer s;
  TestWorker& w = s.add_worker(8);
  const JobId job = open_job(s);
  s.ask<msg::Submitted>(request(submit().task(1), job));
  w.runs();
  w.failed(job, 1);

  s.ask<msg::Submitted>(request(submit().task(2, {1}).task(3, {2}).task(4), job));

  CHECK(s.task(job, 2) == TaskState::kAborted);
  CHECK(s.task(job, 3) == TaskState::kAborted);
  CHECK(s.task(job, 4) == TaskState::kWaiting);
}

TEST_CASE("an open job takes no more after it was closed") {
  TestServer s;
  const JobId job = open_job(s);

  const auto closed = s.ask<msg::ItemResults>(msg::CloseJobs{TestServer::selection(1)}).items;
  const auto again = s.ask<msg::ItemResults>(msg::CloseJobs{TestServer::selection(1)}).items;

  CHECK(closed.at(0).outcome == msg::ItemResult::Outcome::kOk);
  CHECK(again.at(0).outcome == msg::ItemResult::Outcome::kAlreadyEnded);
  CHECK(s.refusal(request(submit(), job)) == "Job 1 is not opened.");
}

// --- waiting
// -------------------------------------------------------------------------------------------------

TEST_CASE("a waiting client is told when the last of its jobs has ended") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId a = s.submit(submit());
  const JobId b = s.submit(submit());
  w.runs();
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{{msg::Selection::Kind::kAll, {}}, false, false});

  w.ended(a, 0);
  CHECK(s.replies(client).empty());
  w.failed(b, 0);

  CHECK(all_of<msg::WaitFinished>(s.replies(client)).size() == 1);
}

TEST_CASE("waiting for nothing is over at once") {
  TestServer s;

  CHECK(s.ask<msg::WaitFinished>(msg::WaitJobs{TestServer::selection(7), false, false}).nothing_to_wait_for);
  CHECK(s.ask<msg::WaitFinished>(msg::WaitJobs{{msg::Selection::Kind::kAll, {}}, false, false})
            .nothing_to_wait_for);
}

TEST_CASE("an open job is waited for until it is closed, or not at all when asked so") {
  TestServer s;
  open_job(s);
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{TestServer::selection(1), false, false});
  s.advance(1s);
  CHECK(s.replies(client).empty());

  s.ask<msg::WaitFinished>(msg::WaitJobs{TestServer::selection(1), true, false});
  s.ask<msg::ItemResults>(msg::CloseJobs{TestServer::selection(1)});

  CHECK(s.replies(client).size() == 1);
}

TEST_CASE("a forgotten job is waited for no longer") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{{msg::Selection::Kind::kAll, {}}, false, false});
  w.ended(job, 0);
  s.ask<msg::Forgotten>(msg::ForgetJobs{TestServer::selection(1), {TaskState::kFinished}});

  CHECK(all_of<msg::WaitFinished>(s.replies(client)).size() == 1);
}

TEST_CASE("progress comes at once, then when it changes, and last before the end") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().array(1, 3));
  w.runs();
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{TestServer::selection(job.value), false, true});
  auto first = all_of<msg::JobProgress>(s.replies(client));
  REQUIRE(first.size() == 1);
  CHECK(first[0].tasks_total == 3);
  s.advance(1s);
  CHECK(s.replies(client).empty());

  for (uint32_t id = 1; id <= 3; ++id) w.ended(job, id);
  s.advance(100ms);

  const auto replies = s.replies(client);
  const auto progress = all_of<msg::JobProgress>(replies);
  REQUIRE_FALSE(progress.empty());
  CHECK(progress.back().counts[size_t(TaskState::kFinished)] == 3);
  CHECK(progress.back().jobs_done == 1);
  CHECK(std::holds_alternative<msg::WaitFinished>(replies.back().message));
}

TEST_CASE("whoever waited and went away is forgotten") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  const PeerId client = s.new_client();
  s.request(client, msg::WaitJobs{TestServer::selection(job.value), false, true});
  s.replies(client);

  s.clients.gone.insert(client);
  ++s.clients.disconnects;
  s.turn();
  w.ended(job, 0);

  CHECK(s.task(job, 0) == TaskState::kFinished);
  CHECK(s.replies(client).empty());
}

TEST_CASE("tasks that somebody waits for are to be reported at once") {
  TestServer s;
  const JobId job = s.submit(submit());
  s.request(s.new_client(), msg::WaitJobs{TestServer::selection(job.value), false, false});
  TestWorker& w = s.add_worker(1);

  const auto runs = w.runs();

  REQUIRE(runs.size() == 1);
  CHECK(runs[0].eager);
}

// --- large answers
// -------------------------------------------------------------------------------------------

TEST_CASE("the descriptions of large graphs come in pages, each short enough for a frame") {
  TestServer s;
  msg::Submit message;
  message.name = "graph";
  message.job = s.ask<msg::Submitted>(msg::OpenJob{}).job;
  for (uint32_t first : {0U, 2000U}) {
    SubmitBuilder graph = submit();
    for (uint32_t id = first; id < first + 2000; ++id) graph.task(id);
    message.submit = graph.value();
    for (GraphTask& task : message.submit.graph)
      task.task.program.args = {std::string(250, 'x'), task.id.text()};
    s.ask<msg::Submitted>(message);
  }

  for (auto tasks : {msg::GetJobs::Tasks::kNone, msg::GetJobs::Tasks::kAll}) {
    const auto replies = read_all(s, msg::GetJobs{TestServer::selection(1), tasks, {}, {}, true});
    auto detail = std::get<msg::JobDetail>(replies.at(0).message);
    REQUIRE(detail.submits.size() == 2);
    CHECK(detail.more_graph);
    size_t pages = 0;
    for (const auto& page : all_of<msg::GraphPage>(replies)) {
      auto& graph = detail.submits[page.submit].graph;
      graph.insert(graph.end(), page.graph.begin(), page.graph.end());
      ++pages;
      CHECK(page.more_graph == std::holds_alternative<msg::GraphPage>(replies[pages + 1].message));
    }
    CHECK(pages >= 1);
    for (uint32_t submit : {0U, 1U}) {
      REQUIRE(detail.submits[submit].graph.size() == 2000);
      CHECK(detail.submits[submit].graph.back().task.program.args[1] == std::to_string(submit * 2000 + 1999));
    }
    size_t rows = 0;
    for (const auto& page : all_of<msg::TaskPage>(replies)) rows += page.tasks.size();
    CHECK(detail.tasks.size() + rows == (tasks == msg::GetJobs::Tasks::kAll ? 4000 : 0));
  }
}

TEST_CASE("the tasks of a large job come in pages that a slow client does not make us pile up") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(0, 100'000));
  w.runs();
  w.ended(job, 0);
  const PeerId client = s.new_client();
  s.clients.full.insert(client);
  s.request(client, msg::GetJobs{TestServer::selection(1), msg::GetJobs::Tasks::kAll, {}, {}, true});
  for (int i = 0; i < 100; ++i) s.turn();
  s.clients.full.clear();

  std::vector<msg::TaskRow> rows;
  bool more = true;
  for (int i = 0; i < 1000 && more; ++i) {
    for (auto& reply : s.replies(client)) {
      if (auto* detail = std::get_if<msg::JobDetail>(&reply.message)) {
        rows.insert(rows.end(), detail->tasks.begin(), detail->tasks.end());
      } else if (auto* page = std::get_if<msg::TaskPage>(&reply.message)) {
        rows.insert(rows.end(), page->tasks.begin(), page->tasks.end());
      } else {
        CHECK(std::holds_alternative<msg::End>(reply.message));
        more = false;
      }
    }
    s.turn();
  }

  CHECK_FALSE(more);
  uint64_t n = 0;
  int64_t before = -1;
  for (const msg::TaskRow& row : rows) {
    CHECK(int64_t{row.ids.first} > before);
    before = row.ids.last;
    n += row.ids.count();
  }
  CHECK(n == 100'000);
  CHECK(rows[0].state == TaskState::kFinished);
  CHECK(rows.size() < 2 * 4096 + 100);
}

TEST_CASE("only the tasks asked for are shown") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId job = s.submit(submit().array(1, 4));
  w.runs();
  w.failed(job, 2);
  w.ended(job, 3);
  auto rows_of = [&](const msg::GetJobs& message) {
    std::vector<uint32_t> ids;
    for (const auto& detail : all_of<msg::JobDetail>(read_all(s, message))) {
      for (const msg::TaskRow& row : detail.tasks) {
        for (uint32_t id = row.ids.first; id <= row.ids.last; ++id) ids.push_back(id);
      }
    }
    return ids;
  };
  msg::GetJobs message{TestServer::selection(1), msg::GetJobs::Tasks::kAll, {}, {}, true};

  CHECK(rows_of(message) == std::vector<uint32_t>{1, 2, 3, 4});
  message.ids = IdArray::consecutive(3, 100);
  CHECK(rows_of(message) == std::vector<uint32_t>{3, 4});
  message.ids.reset();
  message.states = {TaskState::kFailed, TaskState::kFinished};
  CHECK(rows_of(message) == std::vector<uint32_t>{2, 3});
  message.states.clear();
  message.tasks = msg::GetJobs::Tasks::kFirstFailed;
  CHECK(rows_of(message) == std::vector<uint32_t>{2});
}

TEST_CASE("jobs come in the order they were asked for, unknown ones in their place") {
  TestServer s;
  s.submit(submit());
  s.submit(submit());
  msg::GetJobs message;
  message.jobs.ids.parts = {{IdRange{2, 3, 1}, 3}, {IdRange{1, 1, 1}, 1}};

  const auto replies = read_all(s, message);

  REQUIRE(replies.size() == 4);
  CHECK(std::get<msg::JobDetail>(replies[0].message).info.id == JobId(2));
  CHECK(std::get<msg::JobNotFound>(replies[1].message).job == JobId(3));
  CHECK(std::get<msg::JobDetail>(replies[2].message).info.id == JobId(1));
}

TEST_CASE("the list of very many jobs is complete and ascending") {
  TestServer s;
  for (int i = 0; i < 5000; ++i) s.submit(submit().array(1, 1));

  uint32_t before = 0;
  for (const auto& page : all_of<msg::JobList>(read_all(s, msg::ListJobs{}))) {
    for (const msg::JobSummary& summary : page.jobs) CHECK(summary.id.value == ++before);
  }

  CHECK(before == 5000);
}

TEST_CASE("workers are listed with those that are gone only when asked") {
  TestServer s;
  TestWorker& gone = s.add_worker(1);
  s.add_worker(2);
  s.close(gone);

  const auto alive = all_of<msg::WorkerList>(read_all(s, msg::ListWorkers{false}));
  const auto all = all_of<msg::WorkerList>(read_all(s, msg::ListWorkers{true}));
  msg::GetWorkers named;
  named.workers.ids = IdArray::consecutive(1, 3);
  const auto replies = read_all(s, named);

  REQUIRE(alive.size() == 1);
  CHECK(alive[0].workers.size() == 1);
  REQUIRE(all.size() == 1);
  CHECK(all[0].workers.size() == 2);
  CHECK(all[0].workers[0].lost == LossReason::kConnectionLost);
  CHECK(all_of<msg::WorkerNotFound>(replies).at(0).worker == WorkerId(3));
}

// --- forgetting
// ----------------------------------------------------------------------------------------------

TEST_CASE("only ended jobs with the given outcome are forgotten, and workers drop their definitions") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const JobId finished = s.submit(submit());
  const JobId failed = s.submit(submit());
  const JobId running = s.submit(submit());
  w.runs();
  w.ended(finished, 0);
  w.failed(failed, 0);
  w.started(running, 0);
  for (int i = 0; i < 3; ++i) w.heard<msg::Ack>();

  const auto answer = s.ask<msg::Forgotten>(
      msg::ForgetJobs{{msg::Selection::Kind::kAll, {}}, {TaskState::kFinished, TaskState::kCanceled}});

  CHECK(answer.forgotten == 1);
  CHECK(answer.ignored == 2);
  CHECK(s.state().find_job(finished) == nullptr);
  CHECK(w.heard<msg::Undefine>().definitions == std::vector{DefinitionId(1)});
  CHECK(s.submit(submit()) == JobId(4));  // numbers are not used again
}

TEST_CASE("a job is forgotten while a canceled task of it still ends") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.started(job, 0);
  s.cancel(job);
  s.ask<msg::Forgotten>(msg::ForgetJobs{TestServer::selection(1), {TaskState::kCanceled}});
  CHECK(s.worker(w).lingering.size() == 1);

  w.ended(job, 0, msg::EndedTask::Outcome::kStopped);

  CHECK(s.worker(w).idle());
}

TEST_CASE("a lost worker may have had tasks of forgotten jobs") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit());
  w.runs();
  w.ended(job, 0);
  s.ask<msg::Forgotten>(msg::ForgetJobs{TestServer::selection(1), {TaskState::kFinished}});

  s.close(w);

  CHECK(s.worker(w).lost == LossReason::kConnectionLost);
}

TEST_CASE("a page stream goes on when its job is forgotten under it") {
  TestServer s;
  TestWorker& w = s.add_worker(1);
  const JobId job = s.submit(submit().array(0, 100'000));
  w.runs();
  s.cancel(job);
  const PeerId client = s.new_client();
  s.clients.full.insert(client);
  s.request(client, msg::GetJobs{TestServer::selection(1), msg::GetJobs::Tasks::kAll, {}, {}, true});
  s.ask<msg::Forgotten>(msg::ForgetJobs{TestServer::selection(1), {TaskState::kCanceled}});
  s.clients.full.clear();

  s.advance(1s);

  const auto replies = s.replies(client);
  REQUIRE_FALSE(replies.empty());
  CHECK(std::holds_alternative<msg::End>(replies.back().message));
}

TEST_CASE("the debug dump is written where asked, and a failure to write is told") {
  TestServer s;
  s.add_worker(1);
  s.submit(submit().array(1, 7));

  s.ask<msg::Done>(msg::DebugDump{"/tmp/dump"});

  CHECK(s.files.at("/tmp/dump").find("\"workers\"") != std::string::npos);
}
