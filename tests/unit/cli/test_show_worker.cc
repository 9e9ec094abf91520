#include <doctest/doctest.h>

#include "cli/commands/show_worker.h"
#include "hq/core/text/resource_definition_text.h"

namespace hq::cli {
namespace {

struct Printed {
  std::string text;
  Output output;
  explicit Printed(OutputMode mode)
      : output(
            mode, Style(), [this](std::string_view bytes) { return text += bytes, 0; },
            [](std::string_view) { return 0; }) {}
};

constexpr WallTime kTenOClock{1'767'261'600'123'456'789};

msg::WorkerDetail worker_with_everything() {
  msg::WorkerDetail worker;
  worker.id = WorkerId(1);
  worker.started = kTenOClock;
  WorkerConfig& config = worker.config;
  config.resources.items = {{"big", ResourceSum{Amount::units(5000)}},
                            {"cpus", ResourceGroups{{{"0", "1", "2"}, {"3", "4", "5"}}}},
                            {"gpus/nvidia", ResourceList{{"a", "b"}}},
                            {"mem", ResourceSum{Amount::from_scaled(10'005'000)}},
                            {"r", ResourceSpan{5, 9}},
                            {"x", ResourceGroups{{{"1", "2"}, {"3"}}}}};
  config.resources.coupling = {{1, 0, 5, 0, 256}, {1, 1, 5, 1, 100}};
  config.hostname = "node1";
  config.listen_address = "node1:45001";
  config.group = "g1";
  config.work_dir = "wd";
  config.heartbeat_interval = 6s;
  config.idle_timeout = 150min;
  config.overview_interval = 1500s;
  config.time_limit = 90min;
  config.on_server_lost = OnServerLost::kFinishRunning;
  config.min_utilization = 0.5;
  config.pid = 67;
  return worker;
}

msg::WorkerDetail small_worker(uint32_t id, const std::string& hostname) {
  msg::WorkerDetail worker;
  worker.id = WorkerId(id);
  worker.config.hostname = hostname;
  worker.config.resources.items = {{"cpus", ResourceSpan{0, 0}}};
  return worker;
}

constexpr std::string_view kTable =
    R"(+-------------------+----------------------------------+
| Worker            | 1                                |
| State             | RUNNING                          |
| Hostname          | node1                            |
| Started           | "2026-01-01T10:00:00.123456789Z" |
| Data provider     | node1:45001                      |
| Working directory | wd                               |
| Heartbeat         | 6s                               |
| Idle timeout      | 2h 30m                           |
| Overview interval | 25m                              |
| Resources         | big: 5000                        |
|                   | cpus: 2x3 [coupled]              |
|                   | gpus/nvidia: 2                   |
|                   | mem: 0.98 GiB                    |
|                   | r: 5                             |
|                   | x: 1x1 1x2 [coupled]             |
| Time Limit        | 1h 30m                           |
| Process pid       | 67                               |
| Group             | g1                               |
| Manager           | None                             |
| Manager Job ID    | N/A                              |
| Last task started |                                  |
)";
constexpr std::string_view kTableEnd = "+-------------------+----------------------------------+\n";

TEST_CASE("a started worker is a table without runtime info") {
  Printed cli(OutputMode::kCli);

  print_started_worker(worker_with_everything(), cli.output);

  CHECK(cli.text == std::string(kTable) + std::string(kTableEnd));
}

TEST_CASE("a running worker's table ends with its tasks") {
  Printed cli(OutputMode::kCli);

  print_worker_infos({worker_with_everything()}, cli.output);

  CHECK(cli.text == std::string(kTable) + "| Runtime Info      | assigned tasks: 0                |\n" +
                        std::string(kTableEnd));
}

TEST_CASE("what runs on a worker and what started last there are told") {
  Printed cli(OutputMode::kCli);
  msg::WorkerDetail worker = worker_with_everything();
  worker.last_task = JobTask{JobId(1), TaskId(3)};
  worker.last_task_time = kTenOClock;
  worker.assigned_tasks = 3;
  worker.running_tasks = 2;
  worker.reserved = true;

  print_worker_infos({worker}, cli.output);

  CHECK(cli.text.find(R"(| Last task started | 1@3; Time: "2026-01-01T10:00:00.123456789Z")") !=
        std::string::npos);
  CHECK(cli.text.find("assigned tasks: 3; running tasks: 2; reserved for a multi-node task |") !=
        std::string::npos);
}

TEST_CASE("a lost worker has no runtime info, but its last log lines if it sent any") {
  Printed cli(OutputMode::kCli);
  msg::WorkerDetail worker = small_worker(4, "k4");
  worker.lost = LossReason::kConnectionLost;
  worker.last_lines = {"one", "two"};

  print_worker_infos({worker}, cli.output);

  CHECK(cli.text.find("Runtime Info") == std::string::npos);
  CHECK(cli.text.find("| Last log lines    | one") != std::string::npos);
  CHECK(cli.text.find("|                   | two") != std::string::npos);
}

TEST_CASE("tables of several workers have an empty line between them") {
  Printed cli(OutputMode::kCli);

  print_worker_infos({small_worker(1, "a"), small_worker(2, "b")}, cli.output);

  CHECK(cli.text.find("+\n\n+") != std::string::npos);
  CHECK(cli.text.substr(cli.text.size() - 2) == "+\n");
}

TEST_CASE("no workers are an empty document") {
  Printed json(OutputMode::kJson);

  print_worker_infos({}, json.output);

  CHECK(json.text == "[]\n");
}

TEST_CASE("a worker's document has its configuration, resources and coupling") {
  Printed json(OutputMode::kJson);

  print_worker_infos({worker_with_everything()}, json.output);

  std::string squeezed;
  for (char c : json.text) {
    if (c != ' ' && c != '\n') squeezed += c;
  }
  CHECK(squeezed ==
        R"([{"allocation":null,"configuration":{"group":"g1","heartbeat_interval":6.0,"hostname":"node1",)"
        R"("idle_timeout":9000.0,"listen_address":"node1:45001","min_utilization":0.5,)"
        R"("on_server_lost":"finish-running","resources":{"coupling":{"weights":[{"group1_idx":0,)"
        R"("group2_idx":0,"resource1_idx":1,"resource2_idx":5,"weight":256},{"group1_idx":1,"group2_idx":1,)"
        R"("resource1_idx":1,"resource2_idx":5,"weight":100}]},"resources":[{"kind":"sum","name":"big",)"
        R"("size":50000000},{"groups":[["0","1","2"],["3","4","5"]],"kind":"groups","name":"cpus"},)"
        R"({"kind":"list","name":"gpus/nvidia","values":["a","b"]},{"kind":"sum","name":"mem",)"
        R"("size":10005000},{"end":9,"kind":"range","name":"r","start":5},{"groups":[["1","2"],["3"]],)"
        R"("kind":"groups","name":"x"}]},"time_limit":5400.0,"work_dir":"wd"},"ended":null,"id":1,)"
        R"("last_task_started":null,"runtime_info":{"SingleNodeTasks":{"assigned_tasks":0,)"
        R"("is_reserved":false,"running_tasks":0}},"started":"2026-01-01T10:00:00.123456789Z"}])");
}

TEST_CASE("a worker's document names its manager, its last task and its end") {
  Printed json(OutputMode::kJson);
  msg::WorkerDetail worker = small_worker(4, "s1");
  worker.config.manager = ManagerKind::kSlurm;
  worker.config.manager_job_id = "77";
  worker.last_task = JobTask{JobId(1), TaskId(3)};
  worker.last_task_time = kTenOClock;
  worker.lost = LossReason::kStopped;
  worker.ended = kTenOClock;

  print_worker_infos({worker}, json.output);

  CHECK(json.text.find("\"id\": \"77\",\n      \"manager\": \"Slurm\"") != std::string::npos);
  CHECK(json.text.find("\"job_id\": 1,\n        \"job_task_id\": 3") != std::string::npos);
  CHECK(json.text.find("\"ended\": {\n      \"at\": \"2026-01-01T10:00:00.123456789Z\"") !=
        std::string::npos);
  CHECK(json.text.find("\"runtime_info\": null") != std::string::npos);
}

TEST_CASE("the list has one row per worker in each mode") {
  msg::WorkerDetail pbs = small_worker(9, "p1");
  pbs.config.manager = ManagerKind::kPbs;
  pbs.config.manager_job_id = "12.srv";
  msg::WorkerDetail late = small_worker(10, "s1");
  late.lost = LossReason::kTimeLimitReached;
  Printed cli(OutputMode::kCli);
  Printed quiet(OutputMode::kQuiet);

  print_worker_list({pbs, late}, cli.output);
  print_worker_list({pbs, late}, quiet.output);

  CHECK(cli.text == R"(+----+--------------------+----------+-----------+---------+----------------+
| ID | State              | Hostname | Resources | Manager | Manager Job ID |
+----+--------------------+----------+-----------+---------+----------------+
|  9 | RUNNING            | p1       | cpus 1    | PBS     | 12.srv         |
| 10 | TIME LIMIT REACHED | s1       | cpus 1    | None    | N/A            |
+----+--------------------+----------+-----------+---------+----------------+
)");
  CHECK(quiet.text == "9 RUNNING\n10 TIME LIMIT REACHED\n");
}

msg::WorkerDetail suspect_worker() {
  msg::WorkerDetail worker = small_worker(3, "node3");
  Suspicion facts{kTenOClock, JobId(1), {10, 10, 0, 412}, -20.4, TaskId(7), "It failed.", 5, 4};
  worker.suspicion = msg::WorkerSuspicion{facts, "10 of its 10 tasks failed", true};
  return worker;
}

TEST_CASE("suspect workers are shown with the reason, as text in two modes and as a key in the third") {
  Printed table(OutputMode::kCli);
  print_suspect_workers({suspect_worker()}, table.output);
  CHECK(
      table.text ==
      R"(+----+---------+----------+-------------------------+-------------------------------------------------+
| ID | State   | Hostname | Suspect since           | Reason                                          |
+----+---------+----------+-------------------------+-------------------------------------------------+
|  3 | RUNNING | node3    | 2026-01-01 10:00:00 UTC | 10 of its 10 tasks failed                       |
|    |         |          |                         | In quarantine: it gets one probe task a minute. |
+----+---------+----------+-------------------------+-------------------------------------------------+
)");
  Printed quiet(OutputMode::kQuiet);
  print_suspect_workers({suspect_worker()}, quiet.output);
  CHECK(quiet.text == "3 RUNNING\n");
  Printed json(OutputMode::kJson);
  print_suspect_workers({suspect_worker()}, json.output);
  CHECK(json.text.ends_with(R"(    "suspect": {
      "ended_elsewhere": 412,
      "ended_here": 10,
      "ended_since": 5,
      "failed_elsewhere": 0,
      "failed_here": 10,
      "failed_since": 4,
      "job_id": 1,
      "log10_chance": -20.4,
      "quarantined": true,
      "reason": "10 of its 10 tasks failed",
      "since": "2026-01-01T10:00:00.123456789Z"
    }
  }
]
)"));
}

TEST_CASE("the list of all workers is as wide as ever, whoever is suspect") {
  Printed suspect(OutputMode::kCli);
  print_worker_list({suspect_worker()}, suspect.output);
  Printed other(OutputMode::kCli);
  print_worker_list({small_worker(3, "node3")}, other.output);
  CHECK(suspect.text == other.text);
}

TEST_CASE("a suspect worker's table says since when and why") {
  Printed printed(OutputMode::kCli);
  print_worker_infos({suspect_worker()}, printed.output);
  CHECK(printed.text.find(
            "| Suspect           | in quarantine since 2026-01-01 10:00:00 UTC: 10 of its 10 tasks "
            "failed |") != std::string::npos);
}

TEST_CASE("detected resources are told in short and in full") {
  Printed cli(OutputMode::kCli);
  Printed quiet(OutputMode::kQuiet);
  const std::vector<ResourceItem> items = {{"cpus", ResourceList{{"0", "1"}}},
                                           {"gpus/nvidia", ResourceList{{"0", "GPU-1"}}},
                                           {"mem", ResourceSum{Amount::from_scaled(241'055'625)}}};

  print_detected_resources(items, cli.output);
  print_detected_resources(items, quiet.output);

  CHECK(cli.text == R"(Summary:
cpus: 2
gpus/nvidia: 2
mem: 23.54 GiB

Full Description:
cpus: [0,1]
gpus/nvidia: [0,GPU-1]
mem: sum(24105.5625)
)");
  CHECK(quiet.text.empty());
}

}  // namespace
}  // namespace hq::cli
