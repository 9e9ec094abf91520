#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;
using Kind = ProcessEvent::Kind;

namespace {

void stop(LauncherWorld& world, LaunchId id, Duration grace) {
  world.launcher->stop(id, grace);
  world.launcher->flush();
}

}  // namespace

TEST_CASE("an obedient task ends by SIGINT at once") {
  LauncherWorld world;
  LaunchId id = world.start({"/bin/sleep", "1000"});
  world.start_of(id);

  stop(world, id, 60s);

  CHECK(world.exit_of(id).signal == SIGINT);
}

TEST_CASE("a task that ignores SIGINT gets SIGTERM at half the grace") {
  LauncherWorld world;
  TempDir dir;
  LaunchId id = world.shell("trap '' INT; echo x > " + (dir / "ready") + "; while :; do sleep 0.01; done");
  REQUIRE(eventually([&] { return exists(dir / "ready"); }));

  stop(world, id, 200ms);

  CHECK(world.exit_of(id).signal == SIGTERM);
}

TEST_CASE("a task that ignores everything is killed at the end of the grace") {
  TempDir dir;
  LauncherWorld world;
  LaunchId id = world.start({HQ_TEST_PROGRAM, "ignore-and-sleep", dir / "pid"});
  REQUIRE(eventually([&] { return exists(dir / "pid"); }));
  auto since = SteadyClock::now();

  stop(world, id, 200ms);

  CHECK(world.exit_of(id).signal == SIGKILL);
  CHECK(SteadyClock::now() - since >= 200ms);
}

TEST_CASE("descendants in sessions of their own, without their parents and variables, are killed too") {
  TempDir dir;
  LauncherWorld world;
  LaunchId other = world.start({"/bin/sleep", "1000"});
  world.start_of(other);
  LaunchRequest r = world.request({HQ_TEST_PROGRAM, "daemon-and-sleep", dir / "main", dir / "daemon"});
  r.env = {{"HQ_TASK_ID", "1"}};
  LaunchId id = world.start(r);
  REQUIRE(eventually([&] { return exists(dir / "main") && exists(dir / "daemon"); }));
  stop(world, other, 1s);
  world.exit_of(other);
  pid_t daemon = pid_in(dir / "daemon");
  REQUIRE(alive(daemon));

  stop(world, id, 100ms);

  CHECK(world.exit_of(id).signal == SIGINT);
  CHECK(eventually([&] { return !alive(daemon); }));
}

TEST_CASE("orphans are told apart by the variables of their task") {
  TempDir dir;
  LauncherWorld world;
  auto start_one = [&](const std::string& name) {
    LaunchRequest r = world.request(
        {"/bin/sh", "-c", "setsid sh -c 'sleep 1000 & echo $! > $1.part; mv $1.part $1' sh $1; sleep 1000",
         "sh", dir / name});
    r.env = {{"HQ_JOB_ID", "1"}, {"HQ_TASK_ID", name}};
    world.start(r);
    REQUIRE(eventually([&] { return exists(dir / name); }));
    return r.id;
  };
  LaunchId a = start_one("a");
  LaunchId b = start_one("b");

  stop(world, a, 50ms);

  world.exit_of(a);
  CHECK(eventually([&] { return !alive(pid_in(dir / "a")); }));
  CHECK(alive(pid_in(dir / "b")));
  stop(world, b, 50ms);
  world.exit_of(b);
  CHECK(eventually([&] { return !alive(pid_in(dir / "b")); }));
}

TEST_CASE("children that ignore SIGINT do not survive a parent that obeys") {
  TempDir dir;
  LauncherWorld world;
  LaunchId id =
      world.start({"/bin/sh", "-c", HQ_TEST_PROGRAM " ignore-and-sleep $1 & wait", "sh", dir / "child"});
  REQUIRE(eventually([&] { return exists(dir / "child"); }));

  stop(world, id, 100ms);

  CHECK(world.exit_of(id).signal == SIGINT);
  CHECK(eventually([&] { return !alive(pid_in(dir / "child")); }));
}

TEST_CASE("after a normal end leftover children are left alone") {
  TempDir dir;
  {
    LauncherWorld world;
    LaunchRequest r = world.request({HQ_TEST_PROGRAM, "daemon-and-exit", dir / "daemon"});
    world.exit_of(world.start(r));
    REQUIRE(eventually([&] { return exists(dir / "daemon"); }));
    LaunchId later = world.start({"/bin/sleep", "1000"});
    world.start_of(later);
    stop(world, later, 20ms);
    world.exit_of(later);
    CHECK(alive(pid_in(dir / "daemon")));
  }
  CHECK(alive(pid_in(dir / "daemon")));
  kill(pid_in(dir / "daemon"), SIGKILL);
}

TEST_CASE("a request that has not started is dropped by a stop") {
  LauncherWorld world;
  LaunchId first = world.start({"/bin/sleep", "1000"});
  LaunchRequest second = world.request({"/bin/true"});
  second.after = first;
  world.start(second);

  stop(world, second.id, 1s);

  world.wait_for(second.id, Kind::kDropped);
  stop(world, first, 1s);
  world.exit_of(first);
  CHECK(world.find(second.id, Kind::kStarted) == nullptr);
}

TEST_CASE("a stopped task is followed by its successor") {
  LauncherWorld world;
  LaunchId first = world.start({"/bin/sleep", "1000"});
  LaunchRequest second = world.request({"/bin/sh", "-c", "exit 3"});
  second.after = first;
  world.start(second);

  stop(world, first, 1s);

  CHECK(world.exit_of(second.id).exit_code == 3);
}

TEST_CASE("all descendants of all tasks end when the worker is killed, and task directories go") {
  TempDir dir;
  pid_t worker = fork();
  if (worker == 0) {
    execl(HQ_TEST_PROGRAM, HQ_TEST_PROGRAM, "worker", HQ_TEST_PROGRAM, (dir / "main").c_str(),
          (dir / "daemon").c_str(), (dir / "task").c_str(), nullptr);
    _exit(127);
  }
  REQUIRE(eventually([&] { return exists(dir / "main") && exists(dir / "daemon"); }));
  REQUIRE(exists(dir / "task"));
  pid_t task = pid_in(dir / "main");
  pid_t daemon = pid_in(dir / "daemon");
  pid_t launcher = 0;
  {
    std::string stat = content("/proc/" + std::to_string(task) + "/stat");
    launcher = static_cast<pid_t>(std::stoi(stat.substr(stat.rfind(')') + 4)));
  }

  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);

  CHECK(eventually([&] { return !alive(task) && !alive(daemon) && !alive(launcher); }));
  CHECK_FALSE(exists(dir / "task"));
}

TEST_CASE("a worker that does not renew the fence loses its tasks, and nothing starts until it does") {
  TempDir dir;
  LauncherWorld world;
  LaunchId running = world.start({HQ_TEST_PROGRAM, "daemon-and-sleep", dir / "main", dir / "daemon"});
  LaunchRequest queued = world.request({"/bin/true"});
  queued.after = running;
  world.start(queued);

  REQUIRE(eventually([&] { return exists(dir / "main") && exists(dir / "daemon"); }));

  world.launcher->set_fence(50ms);
  world.launcher->flush();

  world.wait_for(queued.id, Kind::kDropped);
  CHECK(world.exit_of(running).signal == SIGTERM);
  CHECK(eventually([&] { return !alive(pid_in(dir / "daemon")); }));

  LaunchId late = world.start({"/bin/true"});
  world.wait_for(late, Kind::kDropped);
  world.launcher->set_fence(std::nullopt);
  CHECK(world.exit_of(world.start({"/bin/true"})).exit_code == 0);
}

TEST_CASE("a renewed fence does not strike") {
  LauncherWorld world;
  LaunchId id = world.shell("sleep 0.3; exit 6");
  for (int i = 0; i < 1000 && world.find(id, Kind::kExited) == nullptr; ++i) {
    world.launcher->set_fence(10s);
    world.launcher->flush();
    poll(nullptr, 0, 5);
  }
  CHECK(world.exit_of(id).exit_code == 6);
}
