// Limits of memory that the kernel holds. A directory stands for its groups here: files that the kernel would
// have made come into being when they are written, and the task itself says what the kernel would say.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "os/memory_groups.h"
#include "unit/os/fake_tree.h"
#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// The system administrator may divide only what is marked; somebody else's rights are enough.
class AsSomebody {
 public:
  explicit AsSomebody(const std::string& tree) : was_(::geteuid()) {
    if (was_ != 0) return;
    constexpr uid_t kNobody = 65534;
    REQUIRE(::chown(tree.c_str(), kNobody, kNobody) == 0);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree)) {
      REQUIRE(::chown(entry.path().c_str(), kNobody, kNobody) == 0);
    }
    REQUIRE(::seteuid(kNobody) == 0);
  }
  AsSomebody(const AsSomebody&) = delete;
  AsSomebody& operator=(const AsSomebody&) = delete;
  ~AsSomebody() {
    if (was_ == 0) REQUIRE(::seteuid(0) == 0);
  }

 private:
  uid_t was_;
};

FakeTree& fill(FakeTree& machine, const std::string& controllers) {
  machine.cgroup_v2("/user/step");
  return machine.file("/sys/fs/cgroup/user/step/cgroup.controllers", controllers)
      .file("/sys/fs/cgroup/user/step/cgroup.procs", "")
      .file("/sys/fs/cgroup/user/step/cgroup.subtree_control", "");
}

ProcessEvent run_limited(LauncherWorld& world, const std::string& script) {
  LaunchTemplate base;
  base.args = {"/bin/sh", "-c", script};
  base.memory_limit = 50 * kMiB;
  world.launcher->define(TemplateId(1000), base);
  return world.exit_of(world.start(world.request(TemplateId(1000))));
}

}  // namespace

TEST_CASE(
    "a group that was handed over is divided: we leave it for one of our own, tasks get theirs beside") {
  FakeTree machine;
  fill(machine, "cpu memory pids\n");
  const AsSomebody somebody(machine.root());

  const std::string dir = divide_own_group(machine.root());

  const std::string own = machine.root() + "/sys/fs/cgroup/user/step";
  CHECK(dir == own + "/hq-worker-" + std::to_string(::getpid()));
  CHECK(content(dir + "/worker/cgroup.procs") == std::to_string(::getpid()));
  CHECK(content(own + "/cgroup.subtree_control") == "+memory");
  CHECK(content(dir + "/cgroup.subtree_control") == "+memory");
}

TEST_CASE("nothing is changed where the memory of groups is not counted or others live in the group") {
  FakeTree machine;
  SUBCASE("no memory controller") {
    fill(machine, "cpu pids\n");
  }
  SUBCASE("the controller can't be handed on") {
    fill(machine, "memory\n");
    // As busy as a directory is for writing.
    std::filesystem::remove(machine.root() + "/sys/fs/cgroup/user/step/cgroup.subtree_control");
    machine.directory("/sys/fs/cgroup/user/step/cgroup.subtree_control");
  }
  const AsSomebody somebody(machine.root());

  CHECK(divide_own_group(machine.root()).empty());

  const std::string left =
      machine.root() + "/sys/fs/cgroup/user/step/hq-worker-" + std::to_string(::getpid());
  CHECK_FALSE(exists(left + "/cgroup.subtree_control"));
}

TEST_CASE("a task with a limit of memory enters a group with that limit, without swap, killed as a whole") {
  TempDir groups;
  LauncherWorld world(capture_process_start_state(), groups.path());

  const ProcessEvent exit = run_limited(world, "true");

  CHECK(exit.exit_code == 0);
  CHECK(exit.memory_exceeded == 0);
  const std::string group = groups / "task-1";
  CHECK(content(group + "/memory.max") == std::to_string(50 * kMiB));
  CHECK(content(group + "/memory.swap.max") == "0");
  CHECK(content(group + "/memory.oom.group") == "1");
  CHECK(content(group + "/cgroup.procs") == "0");
}

TEST_CASE("when the kernel killed a group its limit is told, or the peak where the kernel knows it") {
  TempDir groups;
  LauncherWorld world(capture_process_start_state(), groups.path());
  const std::string say = "echo oom 3 > '" + groups / "task-1/memory.events'; echo oom_kill 2 >> '" +
                          groups / "task-1/memory.events'; ";

  SUBCASE("limit") {
    CHECK(run_limited(world, say + "kill -9 $$").memory_exceeded == 50 * kMiB);
  }
  SUBCASE("peak") {
    const ProcessEvent exit =
        run_limited(world, say + "echo 52428801 > '" + groups / "task-1/memory.peak'; kill -9 $$");
    CHECK(exit.memory_exceeded == 50 * kMiB + 1);
    CHECK(exit.signal == SIGKILL);
  }
}

TEST_CASE("a task whose group can't be made is looked after instead") {
  TempDir dir;
  LauncherWorld world(capture_process_start_state(), dir / "gone");
  LaunchTemplate base;
  base.args = {HQ_TEST_PROGRAM, "take-memory", "80", "0", dir / "pid"};
  base.memory_limit = 50 * kMiB;
  world.launcher->define(TemplateId(1000), base);

  const ProcessEvent exit = world.exit_of(world.start(world.request(TemplateId(1000))));

  CHECK(exit.signal == SIGKILL);
  CHECK(exit.memory_exceeded >= 80 * kMiB);
}
