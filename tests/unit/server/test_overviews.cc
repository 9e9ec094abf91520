// How busy workers are.
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

HardwareOverview overview(double percent = 50) {
  HardwareOverview out;
  out.cpu_percent = {percent, 100};
  out.memory = {1000, 10};
  return out;
}

WorkerConfig measuring() {
  WorkerConfig config = worker_config(4);
  config.overview_interval = 5s;
  return config;
}

size_t measured_events(const TestServer& s) {
  size_t n = 0;
  for (const auto& commit : s.journal.commits()) {
    for (const Record& record : commit) n += std::holds_alternative<WorkerMeasured>(record.event);
  }
  return n;
}

std::vector<msg::WorkerOverview> told(TestServer& s, PeerId client) {
  std::vector<msg::WorkerOverview> out;
  for (const auto& reply : s.replies(client)) {
    if (const auto* overview = std::get_if<msg::WorkerOverview>(&reply.message)) out.push_back(*overview);
  }
  return out;
}

std::optional<HardwareOverview> shown(TestServer& s, const TestWorker& worker) {
  const PeerId client = s.new_client();
  s.request(client, msg::GetWorkers{TestServer::selection(worker.id.value)});
  return std::get<msg::WorkerList>(s.replies(client).at(0).message).workers.at(0).overview;
}

}  // namespace

TEST_CASE("what a worker measures at its own interval is an event, and the newest is shown") {
  TestServer s;
  TestWorker& w = s.add_worker(measuring());
  CHECK_FALSE(shown(s, w));
  w.say(msg::Measured{overview(1)});
  w.say(msg::Measured{overview(2)});
  s.turn();

  CHECK(measured_events(s) == 2);
  CHECK(shown(s, w) == overview(2));
}

TEST_CASE("with little room in the journal results come first") {
  TestServer s;
  TestWorker& w = s.add_worker(measuring());
  s.journal.trouble = "no room";
  w.say(msg::Measured{overview()});
  s.turn();

  CHECK(measured_events(s) == 0);
  CHECK(shown(s, w) == overview());
}

TEST_CASE("while a client looks on, the other workers measure too, and only that client is told") {
  TestServer s;
  TestWorker& own = s.add_worker(measuring());
  TestWorker& other = s.add_worker(4);
  const PeerId client = s.new_client();
  const PeerId plain = s.new_client();
  s.request(client, msg::FollowEvents{true, "", 0, true});
  s.request(plain, msg::FollowEvents{true});

  CHECK(own.heard_nothing());
  CHECK(other.heard<msg::MeasureEvery>().interval == 2s);
  other.say(msg::Measured{overview()});
  s.turn();
  CHECK(measured_events(s) == 0);
  const auto heard = told(s, client);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0] == msg::WorkerOverview{other.id, overview(), s.now.wall});
  CHECK(told(s, plain).empty());
  TestWorker& late = s.add_worker(4);
  CHECK(late.heard<msg::MeasureEvery>().interval == 2s);

  s.clients.gone.insert(client);
  ++s.clients.disconnects;
  s.turn();
  s.turn();
  CHECK(other.heard<msg::MeasureEvery>().interval == 0s);
  CHECK(late.heard<msg::MeasureEvery>().interval == 0s);
}

TEST_CASE("a client that takes nothing makes nothing grow") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const PeerId client = s.new_client();
  s.request(client, msg::FollowEvents{true, "", 0, true});
  s.clients.full.insert(client);
  for (int i = 0; i < 300; ++i) {
    w.say(msg::Measured{overview()});
    s.turn();
  }
  s.clients.full.clear();
  s.settle();
  CHECK(told(s, client).size() <= 64);
}
