// What every ProcessPort does, shown on the fake and on the real one: a worker tested with the fake meets no
// surprise.
#include <functional>
#include <memory>

#include "support/fake_process.h"
#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;
using Kind = ProcessEvent::Kind;

namespace {

// Templates: 1 ends at once with success, 2 runs until it is stopped, 3 has no arguments.
class Port {
 public:
  virtual ~Port() = default;
  virtual ProcessPort& port() = 0;
  virtual void wait() = 0;
  LaunchRequest request(uint64_t id, uint32_t base, uint64_t after = 0) {
    LaunchRequest r;
    r.id = LaunchId(id);
    r.base = TemplateId(base);
    r.after = LaunchId(after);
    return r;
  }
  void define() {
    port().define(TemplateId(1), {.args = {"/bin/true"}});
    port().define(TemplateId(2), {.args = {"/bin/sleep", "1000"}});
    port().define(TemplateId(3), {});
  }
  // "S1 E1": started and exited, F failed, D dropped.
  std::string story(size_t events) {
    std::string text;
    for (int i = 0; i < 3000 && events > 0; ++i) {
      auto event = port().next_event();
      if (!event) {
        wait();
        continue;
      }
      --events;
      text += std::string(1, "SEFDG"[static_cast<size_t>(event->kind)]) + event->id.text() + " ";
    }
    return text;
  }
};

class RealPort final : public Port {
 public:
  ProcessPort& port() override { return *world_.launcher; }
  void wait() override {
    pollfd fd{world_.launcher->event_fd(), POLLIN, 0};
    poll(&fd, 1, 10);
  }

 private:
  LauncherWorld world_;
};

class FakePort final : public Port {
 public:
  ProcessPort& port() override { return fake_; }
  void wait() override {
    for (LaunchId id : fake_.running()) {
      if (fake_.tasks().at(id).request.base == TemplateId(1)) return fake_.end(id, 0);
    }
  }

 private:
  FakeProcesses fake_;
};

template <class P>
std::unique_ptr<Port> make() {
  auto port = std::make_unique<P>();
  port->define();
  return port;
}

}  // namespace

TEST_CASE_TEMPLATE("a request starts and ends", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().start(world->request(1, 1));
  world->port().flush();

  CHECK(world->story(2) == "S1 E1 ");
}

TEST_CASE_TEMPLATE("nothing happens before the flush", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().start(world->request(1, 1));

  CHECK(world->port().next_event() == std::nullopt);
  world->port().flush();
  CHECK(world->story(2) == "S1 E1 ");
}

TEST_CASE_TEMPLATE("a chain runs in order", P, RealPort, FakePort) {
  auto world = make<P>();

  for (uint64_t id = 1; id <= 3; ++id) world->port().start(world->request(id, 1, id - 1));
  world->port().flush();

  CHECK(world->story(6) == "S1 E1 S2 E2 S3 E3 ");
}

TEST_CASE_TEMPLATE("a successor of what has ended already starts at once", P, RealPort, FakePort) {
  auto world = make<P>();
  world->port().start(world->request(1, 1));
  world->port().flush();
  CHECK(world->story(2) == "S1 E1 ");

  world->port().start(world->request(2, 1, 1));
  world->port().flush();

  CHECK(world->story(2) == "S2 E2 ");
}

TEST_CASE_TEMPLATE("a dropped request leaves its place to its successor", P, RealPort, FakePort) {
  auto world = make<P>();
  world->port().start(world->request(1, 2));
  world->port().start(world->request(2, 1, 1));
  world->port().start(world->request(3, 1, 2));
  world->port().flush();
  CHECK(world->story(1) == "S1 ");

  world->port().drop(LaunchId(2));
  world->port().flush();
  CHECK(world->story(1) == "D2 ");
  CHECK_MESSAGE(world->port().next_event() == std::nullopt, "3 does not run beside 1");

  world->port().stop(LaunchId(1), 10s);
  world->port().flush();
  CHECK(world->story(3) == "E1 S3 E3 ");
}

TEST_CASE_TEMPLATE("dropping what runs changes nothing", P, RealPort, FakePort) {
  auto world = make<P>();
  world->port().start(world->request(1, 2));
  world->port().flush();
  CHECK(world->story(1) == "S1 ");

  world->port().drop(LaunchId(1));
  world->port().stop(LaunchId(1), 10s);
  world->port().flush();

  CHECK(world->story(1) == "E1 ");
}

TEST_CASE_TEMPLATE("stopping or dropping what is not known says nothing", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().stop(LaunchId(99), 1s);
  world->port().drop(LaunchId(98));
  world->port().start(world->request(1, 1));
  world->port().flush();

  CHECK(world->story(2) == "S1 E1 ");
}

TEST_CASE_TEMPLATE("a failed request frees its successor", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().start(world->request(1, 2));
  world->port().start(world->request(2, 3, 1));
  world->port().start(world->request(3, 1, 2));
  world->port().flush();
  CHECK(world->story(1) == "S1 ");
  world->port().stop(LaunchId(1), 10s);
  world->port().flush();

  CHECK(world->story(4) == "E1 F2 S3 E3 ");
}

TEST_CASE_TEMPLATE("an unknown definition is a failure of the launcher", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().start(world->request(1, 44));
  world->port().flush();

  CHECK(world->story(1) == "F1 ");
}

TEST_CASE_TEMPLATE("a definition forgotten while requests use it stays for them", P, RealPort, FakePort) {
  auto world = make<P>();

  world->port().start(world->request(1, 2));
  world->port().start(world->request(2, 1, 1));
  world->port().forget(TemplateId(1));
  world->port().flush();
  CHECK(world->story(1) == "S1 ");
  world->port().stop(LaunchId(1), 10s);
  world->port().flush();

  CHECK(world->story(3) == "E1 S2 E2 ");
}
