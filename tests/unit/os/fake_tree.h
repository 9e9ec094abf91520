// A directory that stands for the root of a machine: files are made by name, and all of it is removed at the
// end.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "hq/os/hardware.h"

namespace hq {

class FakeTree {
 public:
  FakeTree() {
    std::string name = (std::filesystem::temp_directory_path() / "hq-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~FakeTree() {
    std::error_code ignored;  // a test directory that stays behind harms nobody
    std::filesystem::remove_all(root_, ignored);
  }
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;

  FakeTree& file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
    return *this;
  }
  FakeTree& directory(const std::string& path) {
    std::filesystem::create_directories(root_ + path);
    return *this;
  }
  // node i has the cpus nodes[i]
  FakeTree& numa(const std::vector<std::string>& nodes) {
    const size_t last = nodes.size() - 1;
    file("/sys/devices/system/node/possible", last == 0 ? "0\n" : "0-" + std::to_string(last) + "\n");
    for (size_t i = 0; i <= last; ++i) {
      file("/sys/devices/system/node/node" + std::to_string(i) + "/cpulist", nodes[i] + "\n");
    }
    return *this;
  }
  // cpus 0..2n-1, where i and i+n are hyper-threads of one core
  FakeTree& hyper_threads(uint32_t n) {
    for (uint32_t cpu = 0; cpu < 2 * n; ++cpu) {
      const std::string pair = std::to_string(cpu % n) + "," + std::to_string(cpu % n + n);
      file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
           pair + "\n");
    }
    return *this;
  }
  FakeTree& cgroup_v2(const std::string& path) {
    file("/proc/self/cgroup", "0::" + path + "\n");
    return file("/proc/self/mountinfo",
                "30 23 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n");
  }
  FakeTree& cgroup_v1(const std::string& path) {
    file("/proc/self/cgroup", "4:memory:" + path + "\n3:cpuset:" + path + "\n0::/\n");
    return file("/proc/self/mountinfo",
                "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
                "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
                "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  }

  [[nodiscard]] HardwareSource source(const std::string& affinity, Environment env = {}) const {
    HardwareSource source;
    source.root = root_;
    source.env = std::move(env);
    source.affinity = *parse_cpu_list(affinity);
    source.host = "n1";
    return source;
  }
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace hq
