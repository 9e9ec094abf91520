#include "os/process_tree.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

using namespace hq;

namespace {

constexpr pid_t kLauncher = 100;

ProcessEntry process(pid_t pid, pid_t parent, pid_t session, uint64_t start = 50) {
  return {pid, parent, session, session, start, false};
}

TaskTrace task(pid_t root, uint64_t start) {
  TaskTrace trace;
  trace.root = root;
  trace.root_held = true;
  trace.start_ticks = start;
  return trace;
}

std::vector<pid_t> pids(const std::vector<ProcessEntry>& entries) {
  std::vector<pid_t> result;
  for (const ProcessEntry& entry : entries) result.push_back(entry.pid);
  std::sort(result.begin(), result.end());
  return result;
}

// No process of these numbers exists, so variables can't be read and life spans decide.
constexpr pid_t kFar = 1 << 30;

}  // namespace

TEST_CASE("a process is read from its stat line whatever its name is") {
  ProcessEntry entry;
  REQUIRE(parse_process_stat("77 (a) S) (x) R 5 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9", entry));
  CHECK(entry.pid == 77);
  CHECK(entry.parent == 5);
  CHECK(entry.group == 6);
  CHECK(entry.session == 7);
  CHECK(entry.start_ticks == 4711);
  CHECK_FALSE(entry.ended);
  CHECK_FALSE(parse_process_stat("77 (cut", entry));
  CHECK_FALSE(parse_process_stat("", entry));
}

TEST_CASE("this process is in the list") {
  auto all = list_processes();
  auto self = std::find_if(all.begin(), all.end(), [](const ProcessEntry& e) { return e.pid == getpid(); });
  REQUIRE(self != all.end());
  CHECK(self->parent == getppid());
}

TEST_CASE("children, grandchildren and members of the session belong to the task") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher),
                                   process(200, kLauncher, 200),
                                   process(201, 200, 200),
                                   process(202, 201, 202),
                                   process(203, kLauncher, 200),
                                   process(204, kLauncher, 202),
                                   process(300, 1, 300)};

  auto found = find_task_processes(kLauncher, all, {task(200, 40)}, {});

  CHECK(pids(found.of_task[0]) == std::vector<pid_t>{200, 201, 202, 203, 204});
}

TEST_CASE("an orphan belongs to the only task that had started before it") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(200, kLauncher, 200, 10),
                                   process(210, kLauncher, 210, 90), process(kFar, kLauncher, kFar - 1, 50),
                                   process(kFar + 1, kFar, kFar + 1, 60)};

  auto found = find_task_processes(kLauncher, all, {task(200, 10), task(210, 90)}, {});

  CHECK(pids(found.of_task[0]) == std::vector<pid_t>{200, kFar, kFar + 1});
  CHECK(pids(found.of_task[1]) == std::vector<pid_t>{210});
  CHECK(found.unclear.empty());
}

TEST_CASE("an orphan that several tasks may have left is unclear") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(200, kLauncher, 200, 10),
                                   process(210, kLauncher, 210, 20), process(kFar, kLauncher, kFar - 1, 50)};

  auto found = find_task_processes(kLauncher, all, {task(200, 10), task(210, 20)}, {});

  CHECK(pids(found.unclear) == std::vector<pid_t>{kFar});
}

TEST_CASE("what a normally ended task left belongs to nobody") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(200, kLauncher, 200, 10),
                                   process(kFar, kLauncher, 150, 50)};

  auto found = find_task_processes(kLauncher, all, {task(200, 10)}, {{150}, {}});

  CHECK(pids(found.of_task[0]) == std::vector<pid_t>{200});
}

TEST_CASE("an orphan that an ended task may have left is unclear") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(200, kLauncher, 200, 10),
                                   process(kFar, kLauncher, kFar - 1, 50),
                                   process(kFar + 5, kLauncher, kFar + 4, 70)};

  auto found = find_task_processes(kLauncher, all, {task(200, 10)}, {{}, {{45, 55}}});

  CHECK(pids(found.of_task[0]) == std::vector<pid_t>{200, kFar + 5});
  CHECK(pids(found.unclear) == std::vector<pid_t>{kFar});
}

TEST_CASE("an orphan from the first tick of a task is unclear shortly after another one's end") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(200, kLauncher, 200, 50),
                                   process(kFar, kLauncher, kFar - 1, 50)};

  CHECK(pids(find_task_processes(kLauncher, all, {task(200, 50)}, {{}, {{30, 48}}}).unclear) ==
        std::vector<pid_t>{kFar});
  CHECK(find_task_processes(kLauncher, all, {task(200, 49)}, {{}, {{30, 48}}}).unclear.empty());
}

TEST_CASE("a number that was given out again is not taken for the process known before") {
  std::vector<ProcessEntry> all = {process(kLauncher, 1, kLauncher), process(300, kLauncher, 200, 70)};
  TaskTrace gone = task(200, 10);
  gone.root_held = false;
  gone.known = {{300, 60}};
  gone.start_ticks = 1000;

  CHECK(find_task_processes(kLauncher, all, {gone}, {}).of_task[0].empty());
  gone.known = {{300, 70}};
  CHECK(pids(find_task_processes(kLauncher, all, {gone}, {}).of_task[0]) == std::vector<pid_t>{300});
}
