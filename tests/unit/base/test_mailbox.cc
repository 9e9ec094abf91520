#include "hq/base/mailbox.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <thread>

using namespace hq;

namespace {

bool readable(const Mailbox<int>& box, int wait_ms) {
  pollfd fd{box.event_fd(), POLLIN, 0};
  return ::poll(&fd, 1, wait_ms) == 1;
}

std::deque<int> take(Mailbox<int>& box) {
  std::deque<int> items;
  box.take(items);
  return items;
}

}  // namespace

TEST_CASE("a mailbox is readable from the first item or call until all is taken") {
  auto box = *Mailbox<int>::make();
  CHECK_FALSE(readable(*box, 0));
  CHECK(take(*box).empty());

  box->put({1, 2});
  box->put({3});
  CHECK(readable(*box, 0));
  CHECK(take(*box) == std::deque<int>{1, 2, 3});
  CHECK_FALSE(readable(*box, 0));

  box->wake();
  box->wake();
  CHECK(readable(*box, 0));
  CHECK(take(*box).empty());
  CHECK_FALSE(readable(*box, 0));
}

TEST_CASE("no call is lost and none stays, whenever threads call and the owner takes") {
  constexpr int kRounds = 300;
  constexpr int kThreads = 2;
  constexpr int kItems = 100;
  for (int round = 0; round < kRounds; ++round) {
    auto box = *Mailbox<int>::make();
    std::vector<std::thread> threads;
    for (int n = 0; n < kThreads; ++n) {
      threads.emplace_back([&] {
        for (int i = 0; i < kItems; ++i) box->put({i});
      });
    }
    size_t taken = 0;
    while (taken < size_t(kThreads * kItems)) {
      REQUIRE(readable(*box, 30'000));
      // Also when nothing has called, as one does that was woken for something else.
      taken += take(*box).size();
      taken += take(*box).size();
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_FALSE(readable(*box, 0));
  }
}
