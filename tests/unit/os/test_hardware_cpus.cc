#include <doctest/doctest.h>

#include "fake_tree.h"
#include "hq/os/hardware.h"

namespace hq {
namespace {

using Labels = std::vector<std::string>;

ResourceItem list(Labels labels) {
  return {"cpus", ResourceList{std::move(labels)}};
}
ResourceItem groups(std::vector<Labels> labels) {
  return {"cpus", ResourceGroups{std::move(labels)}};
}

BatchShare slurm(uint32_t cpus) {
  BatchShare share;
  share.cpus = cpus;
  share.cpus_source = "SLURM_CPUS_ON_NODE";
  return share;
}

TEST_CASE("a list of cpus is read in the kernel's form and nothing else") {
  CHECK(*parse_cpu_list("0-3,8\n") == CpuSet{0, 1, 2, 3, 8});
  CHECK(*parse_cpu_list("5,1") == CpuSet{1, 5});
  CHECK(parse_cpu_list("\n")->empty());
  for (const char* bad : {"a", "3-1", "1,,2", "-1", "1-", "0-70000", "1 2"})
    CHECK_FALSE(parse_cpu_list(bad).ok());
}

TEST_CASE("one NUMA node gives a list, several give groups") {
  FakeTree one;
  one.numa({"0-3"});
  FakeTree two;
  two.numa({"0,2", "1,3"});

  const CpuDetection flat = detect_cpus(one.source("0-3"), {}, false);
  const CpuDetection grouped = detect_cpus(two.source("0-3"), {}, false);

  CHECK(flat.detected.item == list({"0", "1", "2", "3"}));
  CHECK(flat.detected.info.empty());
  CHECK(flat.detected.warnings.empty());
  CHECK(flat.usable == CpuSet{0, 1, 2, 3});
  CHECK(grouped.detected.item == groups({{"0", "2"}, {"1", "3"}}));
}

TEST_CASE("a NUMA node without cpus stays as an empty group; one that is not there is left out") {
  FakeTree tree;
  tree.numa({"0-1", "", "2-3"}).file("/sys/devices/system/node/possible", "0-7\n");

  CHECK(detect_cpus(tree.source("0-3"), {}, false).detected.item == groups({{"0", "1"}, {}, {"2", "3"}}));
}

TEST_CASE("cpus outside of the affinity mask are left out, and the log says so") {
  FakeTree tree;
  tree.numa({"0-1", "2-3"});

  const CpuDetection found = detect_cpus(tree.source("1-2"), {}, false);

  CHECK(found.detected.item == groups({{"1"}, {"2"}}));
  CHECK(found.detected.info == Labels{"Some cores were filtered by a CPU mask. All cores: [\"0,1\", "
                                      "\"2,3\"]. Allowed cores: [\"1\", \"2\"]."});
}

TEST_CASE("without NUMA files the cpus of the affinity mask are offered") {
  FakeTree tree;

  CHECK(detect_cpus(tree.source("4-5"), {}, false).detected.item == list({"4", "5"}));
}

TEST_CASE("a machine where no cpu is usable offers none and says how to help") {
  FakeTree tree;

  const CpuDetection found = detect_cpus(tree.source(""), {}, false);

  CHECK_FALSE(found.detected.item.has_value());
  CHECK(found.detected.warnings.size() == 1);
}

TEST_CASE("without hyper-threading one usable cpu of each core is kept") {
  FakeTree tree;
  tree.numa({"0-1,4-5", "2-3,6-7"}).hyper_threads(4);

  const CpuDetection all = detect_cpus(tree.source("0-7"), {}, true);
  const CpuDetection masked = detect_cpus(tree.source("0,4,6"), {}, true);

  CHECK(all.detected.item == groups({{"0", "1"}, {"2", "3"}}));
  CHECK(all.usable.size() == 8);
  CHECK(masked.detected.item == groups({{"0"}, {"6"}}));
}

TEST_CASE("cpus given by hand are reduced to one per core when their labels are numbers") {
  FakeTree tree;
  tree.numa({"0-7"}).hyper_threads(4);
  const HardwareSource source = tree.source("0-7");

  CHECK(*without_hyper_threads(source, list({"0", "4", "1"})) == list({"0", "1"}));
  CHECK(*without_hyper_threads(source, groups({{"0", "4"}, {"5"}})) == groups({{"0"}, {"5"}}));
  CHECK(*without_hyper_threads(source, {"cpus", ResourceSpan{0, 7}}) == list({"0", "1", "2", "3"}));
  const auto refused = without_hyper_threads(source, list({"a"}));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("'a'") != std::string::npos);
}

TEST_CASE("a cpuset limits the cpus, in cgroup v2 and v1") {
  FakeTree v2;
  v2.numa({"0-7"}).cgroup_v2("/job/step/task");
  // the inner groups don't have the controller
  v2.file("/sys/fs/cgroup/job/cpuset.cpus.effective", "2-3\n");
  v2.file("/sys/fs/cgroup/cpuset.cpus.effective", "0-7\n");
  FakeTree v1;
  v1.numa({"0-7"}).cgroup_v1("/slurm/uid_0/job_5");
  v1.file("/sys/fs/cgroup/cpuset/slurm/uid_0/job_5/cpuset.cpus", "4,6\n");
  v1.file("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-7\n");

  CHECK(detect_cpus(v2.source("0-7"), {}, false).usable == CpuSet{2, 3});
  CHECK(detect_cpus(v1.source("0-7"), {}, false).usable == CpuSet{4, 6});
}

TEST_CASE("a container's cgroup path is taken below what is mounted") {
  FakeTree tree;
  tree.numa({"0-3"}).file("/proc/self/cgroup", "0::/machine/box/inner\n");
  tree.file("/proc/self/mountinfo", "30 23 0:26 /machine/box /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
  tree.file("/sys/fs/cgroup/inner/cpuset.cpus.effective", "1\n");
  tree.file("/sys/fs/cgroup/cpuset.cpus.effective", "0-3\n");

  CHECK(detect_cpus(tree.source("0-3"), {}, false).usable == CpuSet{1});
}

TEST_CASE("a share smaller than the mask cuts the cpus down, and the log names both numbers") {
  FakeTree tree;
  tree.numa({"0-7"});

  const CpuDetection found = detect_cpus(tree.source("2-7"), slurm(2), false);

  CHECK(found.usable == CpuSet{2, 3});
  CHECK_FALSE(found.widened);
  REQUIRE(found.detected.info.size() == 2);
  CHECK(found.detected.info[1].find("Using 2 of the 6 cpus") == 0);
  CHECK(found.detected.info[1].find("SLURM_CPUS_ON_NODE") != std::string::npos);
  CHECK(found.detected.warnings.empty());
}

TEST_CASE(
    "a mask of one core that srun made for its only task is widened to the share, with the cure named") {
  FakeTree tree;
  tree.numa({"0-3,8-11", "4-7,12-15"}).hyper_threads(8);
  BatchShare share = slurm(16);
  share.bound_cpus = CpuSet{0, 8};

  const CpuDetection whole = detect_cpus(tree.source("0,8"), share, false);
  share.cpus = 4;
  const CpuDetection part = detect_cpus(tree.source("0,8"), share, false);

  CHECK(whole.widened);
  CHECK(whole.usable.size() == 16);
  CHECK(whole.detected.info.empty());
  REQUIRE(whole.detected.warnings.size() == 1);
  CHECK(whole.detected.warnings[0].find("srun bound this process to 2 of the 16 cpus") == 0);
  CHECK(whole.detected.warnings[0].find("--cpu-bind=none") != std::string::npos);
  CHECK(part.widened);
  CHECK(part.usable == CpuSet{0, 1, 2, 8});
}

TEST_CASE("widening stays inside the cpuset") {
  FakeTree tree;
  tree.numa({"0-7"}).hyper_threads(4).cgroup_v2("/step").file("/sys/fs/cgroup/step/cpuset.cpus.effective",
                                                              "0-1,4-5");
  BatchShare share = slurm(8);
  share.bound_cpus = CpuSet{0, 4};

  CHECK(detect_cpus(tree.source("0,4"), share, false).usable == CpuSet{0, 1, 4, 5});
}

TEST_CASE("a mask set by hand, or larger than one core, is kept, and the log says so") {
  FakeTree tree;
  tree.numa({"0-7"}).hyper_threads(4);
  BatchShare share = slurm(8);

  const CpuDetection unbound = detect_cpus(tree.source("0,4"), share, false);
  share.bound_cpus = CpuSet{1, 5};
  const CpuDetection other = detect_cpus(tree.source("0,4"), share, false);
  share.bound_cpus = CpuSet{0, 1, 4, 5};
  const CpuDetection larger = detect_cpus(tree.source("0-1,4-5"), share, false);

  for (const CpuDetection* kept : {&unbound, &other, &larger}) {
    CHECK_FALSE(kept->widened);
    CHECK(kept->detected.warnings.empty());
    CHECK(kept->detected.info.back().find("Keeping the cpu mask of this process") == 0);
  }
  CHECK(unbound.usable == CpuSet{0, 4});
  CHECK(larger.usable == CpuSet{0, 1, 4, 5});
}

TEST_CASE("a mask with one thread of each core is all of the share and needs no word") {
  FakeTree tree;
  tree.numa({"0-7"}).hyper_threads(4);

  const UsableCpus found =
      usable_cpus({{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7}, false, slurm(8)});

  CHECK(found.cpus == CpuSet{0, 1, 2, 3});
  CHECK(found.info.empty());
}

TEST_CASE("more cpus given by hand than are usable are warned about with both numbers") {
  const auto text = too_many_cpus_text({"cpus", ResourceSpan{0, 15}}, {0, 1, 2, 3});

  REQUIRE(text.has_value());
  CHECK(text->find("16") != std::string::npos);
  CHECK(text->find("4") != std::string::npos);
  CHECK_FALSE(too_many_cpus_text(list({"a", "b"}), {0, 1}).has_value());
}

TEST_CASE("this machine has cpus, memory, a name and a boot id") {
  const HardwareSource source = this_machine();

  const CpuDetection cpus = detect_cpus(source, {}, false);

  CHECK(cpus.usable == source.affinity);
  CHECK(cpus.detected.item.has_value());
  CHECK(detect_memory(source, {}).item.has_value());
  CHECK(host_name().ok());
  CHECK(boot_id(source)->size() == 36);
}

TEST_CASE("an affinity that was set is read back") {
  const CpuSet before = *current_affinity();
  REQUIRE_FALSE(before.empty());

  REQUIRE(set_affinity({before.back()}).ok());
  const CpuSet narrow = *current_affinity();
  REQUIRE(set_affinity(before).ok());

  CHECK(narrow == CpuSet{before.back()});
  CHECK(*current_affinity() == before);
}

}  // namespace
}  // namespace hq
