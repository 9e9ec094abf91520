#include <doctest/doctest.h>

#include "fake_tree.h"
#include "hq/os/hardware_overview.h"

namespace hq {
namespace {

constexpr const char* kNetwork =
    R"(Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  ib0:     100       2    1    0    0     0          0         0       50       1    4    0    0     0       0          0
  eth0:60722365    1418    0    0    0     0          0         0    77522     846    0    0    0     0       0          0
)";

TEST_CASE("cpu times are those of single cpus; guests and idling are not counted as work") {
  const auto times =
      parse_cpu_times("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 1 2 100 5 1 1 1 7 7\ncpu3 1 0 0 9\nintr 5\n");

  CHECK(times == std::vector<CpuTimes>{{0, 16, 121}, {3, 1, 10}});
}

TEST_CASE("cpu use is the share of work since the last sample") {
  const std::vector<CpuTimes> before{{0, 100, 1000}, {1, 100, 1000}, {2, 100, 1000}};
  const std::vector<CpuTimes> now{{0, 125, 1100}, {1, 200, 1100}, {2, 90, 1100}, {3, 50, 100}};

  CHECK(cpu_percents(before, now) == std::vector<double>{25, 100, 0, 0});
}

TEST_CASE("network counters are summed over all interfaces but the loopback") {
  CHECK(parse_network(kNetwork) == NetworkUsage{60'722'465, 77'572, 1420, 847, 1, 4});
}

TEST_CASE("nvidia-smi's lines are read; a use that is not told counts as none") {
  const auto gpus = parse_nvidia_smi(
      "00000000:17:00.0, 45 %, 10240 MiB, 40960 MiB\n00000000:65:00.0, [N/A], [N/A], [N/A]\n");

  REQUIRE(gpus.ok());
  CHECK(*gpus == std::vector<GpuUsage>{{"00000000:17:00.0", 45, 25}, {"00000000:65:00.0", 0, 0}});
  CHECK_FALSE(parse_nvidia_smi("No devices were found\n").ok());
  CHECK(parse_nvidia_smi("")->empty());
}

TEST_CASE("rocm-smi's cards are read, with the names of old and new releases") {
  const auto gpus = parse_rocm_smi(
      "WARNING: AMD GPU device(s) is/are in a low-power state\n"
      R"json({"card0": {"GPU use (%)": "12", "GPU Memory Allocated (VRAM%)": "34", "PCI Bus": "0000:C1:00.0"},
              "card1": {"GPU use (%)": "0", "GPU memory use (%)": "5", "PCI Bus": "0000:C6:00.0"},
              "system": {"Driver version": "6.3"}})json");

  REQUIRE(gpus.ok());
  CHECK(*gpus == std::vector<GpuUsage>{{"0000:C1:00.0", 12, 34}, {"0000:C6:00.0", 0, 5}});
  CHECK_FALSE(parse_rocm_smi("ERROR: GPU driver not loaded").ok());
}

TEST_CASE("a monitor compares each sample with the one before") {
  FakeTree tree;
  tree.file("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 400 kB\n").file("/proc/net/dev", kNetwork);
  tree.file("/proc/stat", "cpu0 0 0 0 100\n");
  HardwareMonitor monitor(tree.root(), {});

  tree.file("/proc/stat", "cpu0 50 0 0 150\n");
  const HardwareOverview first = monitor.sample();
  tree.file("/proc/stat", "cpu0 50 0 0 250\n");
  const HardwareOverview second = monitor.sample();

  CHECK(first.cpu_percent == std::vector<double>{50});
  CHECK(second.cpu_percent == std::vector<double>{0});
  CHECK(first.memory == MemoryUsage{1'024'000, 409'600});
  CHECK(first.network.rx_packets == 1420);
  CHECK_FALSE(first.nvidia.has_value());
  CHECK(monitor.problems().empty());
}

TEST_CASE("what a monitor can't read is named") {
  FakeTree tree;
  HardwareMonitor monitor(tree.root(), {});

  CHECK(monitor.sample().cpu_percent.empty());
  CHECK(monitor.problems().size() == 3);
}

}  // namespace
}  // namespace hq
