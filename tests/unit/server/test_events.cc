// Clients that follow the events of the journal.
#include <doctest/doctest.h>

#include "test_server.h"

using namespace hq;
using namespace hq::test;

namespace {

struct Told {
  std::vector<uint64_t> last;  // of the blocks that came
  bool ended = false;
  std::string failed;
};

Told told(TestServer& s, PeerId client) {
  Told out;
  for (const auto& reply : s.replies(client)) {
    if (const auto* block = std::get_if<msg::EventBlock>(&reply.message)) out.last.push_back(block->last);
    if (std::holds_alternative<msg::End>(reply.message)) out.ended = true;
    if (const auto* failed = std::get_if<msg::Failed>(&reply.message)) out.failed = failed->message;
  }
  return out;
}

PeerId follow(TestServer& s, const msg::FollowEvents& request) {
  const PeerId client = s.new_client();
  s.request(client, request);
  s.settle();
  return client;
}

}  // namespace

TEST_CASE("whoever follows events gets those that are safe, and the others once they are") {
  TestServer s(true);
  const PeerId client = follow(s, {.live = true});
  CHECK(told(s, client).last == std::vector<uint64_t>{1});

  s.journal.hold();
  s.submit_unanswered(submit());
  s.settle();
  CHECK(told(s, client).last.empty());
  s.journal.release();
  s.settle();

  const Told after = told(s, client);
  CHECK(after.last == std::vector<uint64_t>{2});
  CHECK_FALSE(after.ended);
}

TEST_CASE("a client that comes back gets only the events after those that it has") {
  TestServer s(true);
  for (int i = 0; i < 4; ++i) s.submit(submit());
  s.restart();

  const Told rest = told(s, follow(s, {.live = false, .server_uid = "abcdef", .after = 3}));

  CHECK(rest.last == std::vector<uint64_t>{4, 5, 6});
  CHECK(rest.ended);
}

TEST_CASE("the answer to a prune comes when the journal is shorter, others go on meanwhile") {
  TestServer s(true);
  const PeerId client = s.new_client();
  s.request(client, msg::PruneJournal{});
  s.settle();

  CHECK(s.replies(client).empty());
  s.submit(submit());
  CHECK(s.journal.prunes == 1);
  s.journal.prunes_done = 1;
  s.turn();

  const auto replies = s.replies(client);
  REQUIRE(replies.size() == 1);
  CHECK(std::holds_alternative<msg::Done>(replies[0].message));
}

TEST_CASE("events of another server are refused to a client that comes back") {
  TestServer s(true);

  const Told other = told(s, follow(s, {.live = true, .server_uid = "qwerty", .after = 3}));

  CHECK(other.last.empty());
  CHECK(other.failed == "The events are of server 'qwerty', this one is 'abcdef'");
}

TEST_CASE("a server that stops for good tells its last events, and that they are the last") {
  TestServer s(true);
  const PeerId client = follow(s, {.live = true});
  told(s, client);
  s.journal.hold();

  s.server->stop("stopping");
  s.settle();
  CHECK_FALSE(told(s, client).ended);
  s.journal.release();
  s.advance(500ms);

  const Told end = told(s, client);
  CHECK(end.last == std::vector<uint64_t>{2});
  CHECK(end.ended);
  CHECK(s.server->finished());
}

TEST_CASE("a server that leaves to come back does not end what it tells") {
  TestServer s(true);
  const PeerId client = follow(s, {.live = true});
  told(s, client);

  s.server->leave("leaving");
  s.settle();

  CHECK(s.server->finished());
  CHECK_FALSE(told(s, client).ended);
}
