// Entries that go ahead of their submit.
#include <doctest/doctest.h>

#include "server/impl.h"
#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

Entries lines(std::initializer_list<const char*> texts) {
  Entries out;
  for (const char* text : texts) out.add(text);
  return out;
}

msg::Submit submit_of(uint32_t tasks, uint32_t uploaded, std::optional<Entries> rest) {
  msg::Submit message;
  message.submit = submit().array(0, tasks).value();
  message.submit.entries = std::move(rest);
  message.uploaded = uploaded;
  return message;
}

// One request of a client, which all these messages belong to.
void say(TestServer& s, PeerId client, uint64_t request, const msg::ClientRequest& message) {
  s.clients.inbox.push_back({client, encode(RequestId(request), message)});
  s.turn();
}

std::vector<std::string> entries_of(TestServer& s, JobId job) {
  std::vector<std::string> out;
  const Entries& entries = *s.job(job).groups.back()->entries();
  for (size_t i = 0; i < entries.size(); ++i) out.emplace_back(entries.at(i));
  return out;
}

std::string failure(TestServer& s, PeerId client) {
  const auto answers = s.replies(client);
  REQUIRE(answers.size() == 1);
  REQUIRE(std::holds_alternative<msg::Failed>(answers[0].message));
  return std::get<msg::Failed>(answers[0].message).message;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("entries that went ahead come before those of their submit") {
  TestServer s;
  const PeerId client = s.new_client();

  say(s, client, 7, msg::UploadEntries{lines({"a", "", "ccc"}), 100});
  say(s, client, 7, msg::UploadEntries{lines({"d"}), 100});
  CHECK(s.replies(client).empty());
  CHECK(s.state().last_job_id() == JobId(0));
  say(s, client, 7, submit_of(6, 4, lines({"e", "f"})));

  const auto answers = s.replies(client);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == RequestId(7));
  REQUIRE(std::holds_alternative<msg::Submitted>(answers[0].message));
  CHECK(entries_of(s, JobId(1)) == Texts{"a", "", "ccc", "d", "e", "f"});
}

TEST_CASE("all entries may go ahead, and the tasks get them") {
  TestServer s;
  TestWorker& w = s.add_worker(4);
  const PeerId client = s.new_client();

  say(s, client, 1, msg::UploadEntries{lines({"one", "two"}), 0});
  say(s, client, 1, submit_of(2, 2, std::nullopt));

  std::vector<msg::Run> runs = w.runs();
  REQUIRE(runs.size() == 1);
  REQUIRE(runs[0].entries);
  CHECK(runs[0].entries->at(0) == "one");
  CHECK(runs[0].entries->at(1) == "two");
}

TEST_CASE("a submit is refused when another number of entries went ahead") {
  TestServer s;
  const PeerId client = s.new_client();

  say(s, client, 1, submit_of(2, 2, std::nullopt));
  CHECK(failure(s, client) == "0 entries were uploaded, not 2");

  say(s, client, 2, msg::UploadEntries{lines({"a"}), 0});
  say(s, client, 2, submit_of(2, 2, std::nullopt));
  CHECK(failure(s, client) == "1 entries were uploaded, not 2");

  // Those of another request, and those that a submit was refused with.
  say(s, client, 3, msg::UploadEntries{lines({"a"}), 0});
  say(s, client, 4, msg::UploadEntries{lines({"b"}), 0});
  say(s, client, 3, submit_of(1, 1, std::nullopt));
  CHECK(failure(s, client) == "0 entries were uploaded, not 1");
  say(s, client, 4, submit_of(1, 1, std::nullopt));
  CHECK(failure(s, client) == "0 entries were uploaded, not 1");

  CHECK(s.state().last_job_id() == JobId(0));
}

TEST_CASE("clients upload side by side, and none takes what is another's") {
  TestServer s;
  const PeerId one = s.new_client();
  const PeerId other = s.new_client();

  say(s, one, 1, msg::UploadEntries{lines({"a"}), 0});
  say(s, other, 1, msg::UploadEntries{lines({"x"}), 0});
  say(s, one, 1, msg::UploadEntries{lines({"b"}), 0});
  say(s, other, 1, submit_of(1, 1, std::nullopt));
  say(s, one, 1, submit_of(2, 2, std::nullopt));

  CHECK(entries_of(s, JobId(1)) == Texts{"x"});
  CHECK(entries_of(s, JobId(2)) == Texts{"a", "b"});
}

TEST_CASE("what a client uploaded goes with its connection") {
  TestServer s;
  const PeerId client = s.new_client();
  say(s, client, 1, msg::UploadEntries{lines({"a"}), 0});

  s.clients.gone.insert(client);
  ++s.clients.disconnects;
  s.turn();
  s.clients.gone.clear();  // as if the number were given out again
  say(s, client, 1, submit_of(1, 1, std::nullopt));

  CHECK(failure(s, client) == "0 entries were uploaded, not 1");
}

TEST_CASE("a connection that outlasts the hint of its end takes its upload with it all the same") {
  TestServer s;
  const PeerId client = s.new_client();
  say(s, client, 1, msg::UploadEntries{lines({"a"}), 0});

  ++s.clients.disconnects;
  s.turn();
  s.clients.gone.insert(client);
  s.advance(1s);
  s.clients.gone.clear();
  say(s, client, 1, submit_of(1, 1, std::nullopt));

  CHECK(failure(s, client) == "0 entries were uploaded, not 1");
}

TEST_CASE("an upload beyond its limit is refused and forgotten") {
  TestServer s;
  s.options.most_upload_bytes = 20;  // blob and ends
  s.restart();
  const PeerId client = s.new_client();
  const Entries half = lines({"123456"});

  say(s, client, 1, msg::UploadEntries{half, ~uint64_t{0}});
  say(s, client, 1, msg::UploadEntries{half, 0});
  CHECK(s.replies(client).empty());
  say(s, client, 1, msg::UploadEntries{lines({""}), 0});
  CHECK(failure(s, client) == "The entries of one submit take more than 20 bytes");
  say(s, client, 1, submit_of(3, 3, std::nullopt));
  CHECK(failure(s, client) == "0 entries were uploaded, not 3");

  // What comes with the submit counts too.
  say(s, client, 2, msg::UploadEntries{half, 0});
  say(s, client, 2, submit_of(3, 1, lines({"1", "23"})));
  CHECK(failure(s, client) == "The entries of one submit take more than 20 bytes");
  say(s, client, 3, msg::UploadEntries{half, 0});
  say(s, client, 3, submit_of(2, 1, half));
  CHECK(entries_of(s, JobId(1)) == Texts{"123456", "123456"});
}
