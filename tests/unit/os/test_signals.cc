#include "hq/os/signals.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

using namespace hq;

TEST_CASE("signals are read one by one from the queue") {
  sigset_t before;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  auto queue = SignalQueue::open_for_service();
  REQUIRE(queue.ok());
  CHECK(queue->next() == std::nullopt);

  raise(SIGTERM);
  raise(SIGTSTP);

  pollfd fd{queue->fd(), POLLIN, 0};
  CHECK(poll(&fd, 1, 0) == 1);
  CHECK(queue->next() == SIGTERM);
  CHECK(queue->next() == SIGTSTP);
  CHECK(queue->next() == std::nullopt);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("the limit of open files can be raised to the hard one") {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);

  auto raised = raise_nofile_limit();

  REQUIRE(raised.ok());
  CHECK(*raised == before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}
