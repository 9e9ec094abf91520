// Limits of memory.
#include <csignal>

#include "os/process_tree.h"
#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

LaunchId start_limited(LauncherWorld& world, std::vector<std::string> args, uint64_t limit) {
  LaunchTemplate base;
  base.args = std::move(args);
  base.memory_limit = limit;
  world.launcher->define(TemplateId(1000), base);
  return world.start(world.request(TemplateId(1000)));
}

}  // namespace

TEST_CASE("a task that uses more memory than it may is killed, and how much it was is told") {
  TempDir dir;
  LauncherWorld world;
  const LaunchId id =
      start_limited(world, {HQ_TEST_PROGRAM, "take-memory", "80", "0", dir / "pid"}, 50 * kMiB);

  const ProcessEvent exit = world.exit_of(id);

  CHECK(exit.signal == SIGKILL);
  CHECK(exit.memory_exceeded >= 80 * kMiB);
  CHECK(exit.memory_exceeded < 100 * kMiB);
}

TEST_CASE("what its children use counts, and they end with it") {
  LauncherWorld world;
  const LaunchId id =
      start_limited(world, {HQ_TEST_PROGRAM, "give-memory-to-children", "30", "3"}, 75 * kMiB);

  const ProcessEvent exit = world.exit_of(id);

  CHECK(exit.memory_exceeded > 75 * kMiB);
  CHECK(exit.memory_exceeded < 120 * kMiB);
}

TEST_CASE("what a task's processes share counts once, and others are not looked at") {
  TempDir dir;
  LauncherWorld world;
  const LaunchId sharing =
      start_limited(world, {HQ_TEST_PROGRAM, "take-memory", "60", "5", dir / "shared"}, 150 * kMiB);
  const LaunchId free_one = world.start({HQ_TEST_PROGRAM, "take-memory", "60", "0", dir / "free"});
  REQUIRE(eventually([&] { return exists(dir / "shared") && exists(dir / "free"); }));
  // One that is killed for sure, later than any look at the other two.
  LaunchTemplate base;
  base.args = {HQ_TEST_PROGRAM, "take-memory", "40", "0", dir / "pid"};
  base.memory_limit = kMiB;
  for (uint32_t i = 0; i < 2; ++i) {
    world.launcher->define(TemplateId(2000 + i), base);
    CHECK(world.exit_of(world.start(world.request(TemplateId(2000 + i)))).memory_exceeded > kMiB);
  }

  CHECK(world.find(sharing, ProcessEvent::Kind::kExited) == nullptr);
  CHECK(world.find(free_one, ProcessEvent::Kind::kExited) == nullptr);
}

TEST_CASE("a process's memory is found with what it shares") {
  const auto own = proportional_memory(::getpid());
  REQUIRE(own);
  CHECK(*own > 0);
  for (const ProcessEntry& entry : list_processes()) {
    if (entry.pid == ::getpid()) CHECK(entry.rss_bytes >= *own / 2);
  }
  CHECK_FALSE(proportional_memory(0));
}
