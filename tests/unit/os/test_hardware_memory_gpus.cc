#include <doctest/doctest.h>

#include "fake_tree.h"
#include "hq/os/hardware.h"

namespace hq {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* kMeminfo =
    "MemTotal:       24684096 kB\nMemFree:        24284096 kB\nMemAvailable:   24293728 kB\n";

ResourceItem mem(uint64_t scaled) {
  return {"mem", ResourceSum{Amount::from_scaled(scaled)}};
}

TEST_CASE("all memory of the machine is offered in MiB with four decimals") {
  FakeTree tree;
  tree.file("/proc/meminfo", kMeminfo);

  const Detected found = detect_memory(tree.source("0"), {});

  CHECK(found.item == mem(241'055'625));
  CHECK(found.info == Texts{"Detected 25276514304B of memory (23.54 GiB)"});
}

TEST_CASE("the batch system's memory is offered without a word") {
  FakeTree tree;
  tree.file("/proc/meminfo", kMeminfo);
  BatchShare share;
  share.memory_bytes = uint64_t{2000} << 20;

  const Detected found = detect_memory(tree.source("0"), share);

  CHECK(found.item == mem(20'000'000));
  CHECK(found.info.empty());
}

TEST_CASE("the tightest limit of the cgroup and those above it holds, in v2 and v1") {
  FakeTree v2;
  v2.file("/proc/meminfo", kMeminfo).cgroup_v2("/job/step");
  v2.file("/sys/fs/cgroup/job/step/memory.max", "max\n")
      .file("/sys/fs/cgroup/job/memory.max", "1073741824\n");
  FakeTree v1;
  v1.file("/proc/meminfo", kMeminfo).cgroup_v1("/job/step");
  v1.file("/sys/fs/cgroup/memory/job/step/memory.limit_in_bytes", "2147483648\n");
  v1.file("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");

  CHECK(detect_memory(v2.source("0"), {}).item == mem(10'240'000));
  CHECK(detect_memory(v2.source("0"), {}).info == Texts{"Detected 1073741824B of memory (1.00 GiB)"});
  CHECK(detect_memory(v1.source("0"), {}).item == mem(20'480'000));
}

TEST_CASE("an unlimited cgroup leaves all memory") {
  FakeTree v1;
  v1.file("/proc/meminfo", kMeminfo).cgroup_v1("/");
  v1.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");

  CHECK(detect_memory(v1.source("0"), {}).item == mem(241'055'625));
}

TEST_CASE("unreadable memory is warned about and not offered") {
  FakeTree tree;

  const Detected found = detect_memory(tree.source("0"), {});

  CHECK_FALSE(found.item.has_value());
  CHECK(found.warnings.size() == 1);
}

TEST_CASE("GPUs named by the variables are offered with these labels") {
  FakeTree tree;
  tree.directory("/proc/driver/nvidia/gpus/0000:17:00.0");

  const auto found =
      detect_gpus(tree.source("0", {{"CUDA_VISIBLE_DEVICES", "0,GPU-1"}, {"ROCR_VISIBLE_DEVICES", "3"}}), {});

  REQUIRE(found.size() == 2);
  CHECK(found[0].item == ResourceItem{"gpus/nvidia", ResourceList{{"0", "GPU-1"}}});
  CHECK(found[0].info == Texts{"Detected GPUs 0,GPU-1 from `CUDA_VISIBLE_DEVICES`"});
  CHECK(found[1].item == ResourceItem{"gpus/amd", ResourceList{{"3"}}});
  CHECK(found[1].info == Texts{"Detected GPUs 3 from `ROCR_VISIBLE_DEVICES`"});
}

TEST_CASE("a variable with duplicates is warned about and not used") {
  FakeTree tree;

  const auto found = detect_gpus(tree.source("0", {{"CUDA_VISIBLE_DEVICES", "0,0"}}), {});

  REQUIRE(found.size() == 1);
  CHECK_FALSE(found[0].item.has_value());
  CHECK(found[0].info == Texts{"Detected GPUs 0,0 from `CUDA_VISIBLE_DEVICES`"});
  CHECK(found[0].warnings == Texts{"CUDA_VISIBLE_DEVICES contains duplicates (0,0)"});
}

TEST_CASE("empty and malformed variables say nothing") {
  FakeTree tree;

  for (const char* text : {"", "0,,1", ",", "0,"}) {
    CHECK(detect_gpus(tree.source("0", {{"CUDA_VISIBLE_DEVICES", text}}), {}).empty());
  }
}

TEST_CASE("without variables the drivers are asked") {
  FakeTree tree;
  tree.directory("/proc/driver/nvidia/gpus/0000:17:00.0").directory("/proc/driver/nvidia/gpus/0000:65:00.0");
  tree.file("/sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 64\nsimd_count 0\n");
  tree.file("/sys/class/kfd/kfd/topology/nodes/1/properties", "cpu_cores_count 0\nsimd_count 440\n");
  const HardwareSource source = tree.source("0");

  const auto all = detect_gpus(source, {});
  const auto no_amd = detect_gpus(source, {true, false, true});
  const auto by_hand = detect_gpus(source, {true, false, false});
  const auto hidden = detect_gpus(tree.source("0", {{"ROCR_VISIBLE_DEVICES", ""}}), {false, true, true});

  REQUIRE(all.size() == 2);
  CHECK(all[0].item == ResourceItem{"gpus/nvidia", ResourceList{{"0", "1"}}});
  CHECK(all[1].item == ResourceItem{"gpus/amd", ResourceList{{"0"}}});
  CHECK(no_amd.size() == 1);
  CHECK(by_hand.empty());
  CHECK(hidden.empty());
}

}  // namespace
}  // namespace hq
