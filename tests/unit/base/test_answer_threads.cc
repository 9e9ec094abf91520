#include "hq/base/answer_threads.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <set>

using namespace hq;

namespace {

using Doubling = AnswerThreads<int, int>;

int next(Doubling& threads) {
  while (true) {
    if (const auto answer = threads.next_answer()) return *answer;
    pollfd fd{threads.event_fd(), POLLIN, 0};
    REQUIRE(::poll(&fd, 1, 30'000) == 1);
  }
}

}  // namespace

TEST_CASE("every request is answered, and the descriptor is readable while answers are there") {
  auto threads = Doubling::make([](const int& n) { return 2 * n; }, 3);
  REQUIRE(threads.ok());
  for (int i = 1; i <= 20; ++i) threads->ask(i);

  std::set<int> answers;
  while (answers.size() < 20) answers.insert(next(*threads));

  CHECK(*answers.begin() == 2);
  CHECK(*answers.rbegin() == 40);
  pollfd fd{threads->event_fd(), POLLIN, 0};
  CHECK(::poll(&fd, 1, 0) == 0);
}

TEST_CASE("a request that hangs delays no other one, nor the end of the pool") {
  auto released = std::make_shared<std::atomic<bool>>(false);
  {
    auto threads = Doubling::make(
        [released](const int& n) {
          if (n == 0) released->wait(false);
          return n;
        },
        2);
    REQUIRE(threads.ok());
    threads->ask(0);
    for (int i = 1; i <= 5; ++i) threads->ask(i);
    std::set<int> answers;
    while (answers.size() < 5) answers.insert(next(*threads));
    CHECK(answers == std::set<int>{1, 2, 3, 4, 5});
  }
  released->store(true);
  released->notify_all();
}
