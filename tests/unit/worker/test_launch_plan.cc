#include "worker/launch_plan.h"

#include <doctest/doctest.h>

#include <map>

using namespace hq;

namespace {

// Nothing is ever asked of it.
struct NoProcesses final : ProcessPort {
  void define(TemplateId, const LaunchTemplate&) override {}
  void forget(TemplateId) override {}
  void start(const LaunchRequest&) override {}
  void drop(LaunchId) override {}
  void stop(LaunchId, Duration) override {}
  void remove_file(const std::string&) override {}
  void flush() override {}
  std::optional<ProcessEvent> next_event() override { return std::nullopt; }
  std::vector<std::string> take_log() override { return {}; }
};

struct Plan {
  NoProcesses processes;
  TaskDescription description;
  uint8_t variant = 0;
  std::optional<std::string> entry;
  InstanceId instance;
  ResourcePool pool{{{{"cpus", ResourceSpan{4, 7}},
                      {"gpus/nvidia", ResourceList{{"a", "b"}}},
                      {"mem", ResourceSum{Amount::units(1000)}}},
                     {}}};
  WorkerFacts facts{"/opt/hq", "/work", {{"FROM_WORKER", "1"}}};
  std::optional<ResourceClaim> claim;

  Plan() {
    description.program.args = {"prog"};
    description.program.cwd = "/home/u/%{TASK_ID}";
    description.program.stdout_spec.path = "%{CWD}/out-%{INSTANCE_ID}";
    description.program.stderr_spec.kind = StdioSpec::Kind::kNull;
  }
  Task task() {
    auto definition = std::make_shared<Definition>(processes);
    definition->job = JobId(3);
    definition->server_uid = "abcdef";
    definition->submit_dir = "/home/u";
    definition->task = std::make_shared<const TaskDescription>(description);
    for (const auto& v : description.request.variants) {
      definition->requests.push_back(std::make_shared<const Request>(Request{1, v}));
    }
    return {{JobUid(1), JobId(3), TaskId(12), instance}, definition, variant, false, entry};
  }
  Result<LaunchRequest> request() {
    Task planned = task();
    claim = pool.allocate(planned.request().variant);
    REQUIRE(claim);
    return plan_launch(planned, *claim, "tAbCdEf", facts);
  }
  // The environment the task gets: the request's over the template's, later over earlier.
  std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> env;
    const Task planned = task();
    for (auto& [key, value] : make_launch_template(*planned.definition, variant, facts).env) env[key] = value;
    auto launch = request();
    REQUIRE(launch);
    for (auto& [key, value] : launch->env) env[key] = value;
    return env;
  }
};

using Env = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("a plain task sees its numbers, its cpus and the program") {
  Plan plan;
  CHECK(plan.environment() == Env{{"FROM_WORKER", "1"},
                                  {"HQ", "/opt/hq"},
                                  {"HQ_CPUS", "4"},
                                  {"HQ_INSTANCE_ID", "0"},
                                  {"HQ_JOB_ID", "3"},
                                  {"HQ_RESOURCE_REQUEST_cpus", "1 compact"},
                                  {"HQ_RESOURCE_VALUES_cpus", "4"},
                                  {"HQ_SUBMIT_DIR", "/home/u"},
                                  {"HQ_TASK_ID", "12"},
                                  {"OMP_NUM_THREADS", "1"}});
}

TEST_CASE("ours win over the user's variables, except where the user's count") {
  Plan plan;
  plan.description.program.env = {{"CUDA_VISIBLE_DEVICES", "7"},
                                  {"FROM_WORKER", "2"},
                                  {"HQ_JOB_ID", "no"},
                                  {"HQ_TASK_ID", "no"},
                                  {"OMP_NUM_THREADS", "9"}};
  plan.description.request.variants[0].entries.push_back({"gpus/nvidia", Amount::from_scaled(15'000)});
  plan.description.request.variants[0].entries.push_back({"mem", Amount::from_scaled(1'005'000)});
  plan.entry = "line";
  const auto env = plan.environment();
  CHECK(env.at("FROM_WORKER") == "2");
  CHECK(env.at("HQ_JOB_ID") == "3");
  CHECK(env.at("HQ_TASK_ID") == "12");
  CHECK(env.at("OMP_NUM_THREADS") == "9");
  CHECK(env.at("HQ_ENTRY") == "line");
  CHECK(env.at("HQ_RESOURCE_REQUEST_gpus_nvidia") == "1.5 compact");
  CHECK(env.at("HQ_RESOURCE_VALUES_gpus_nvidia") == "a,b");
  CHECK(env.at("CUDA_VISIBLE_DEVICES") == "a,b");
  CHECK(env.at("CUDA_DEVICE_ORDER") == "PCI_BUS_ID");
  CHECK(env.at("HQ_RESOURCE_REQUEST_mem") == "100.5 compact");
  CHECK_FALSE(env.contains("HQ_RESOURCE_VALUES_mem"));
}

TEST_CASE("a fractional number of cpus sets no thread count") {
  Plan plan;
  plan.description.request.variants[0].entries[0].amount = Amount::from_scaled(5'000);
  const auto env = plan.environment();
  CHECK(env.at("HQ_CPUS") == "4");
  CHECK_FALSE(env.contains("OMP_NUM_THREADS"));
}

TEST_CASE("all cpus are counted and named") {
  Plan plan;
  plan.description.request.variants[0].entries[0] = {"cpus", Amount(), Policy::kAll};
  const auto env = plan.environment();
  CHECK(env.at("HQ_CPUS") == "4,5,6,7");
  CHECK(env.at("OMP_NUM_THREADS") == "4");
  CHECK(env.at("HQ_RESOURCE_REQUEST_cpus") == "all");
}

TEST_CASE("the chosen variant is named when there are several") {
  Plan plan;
  plan.description.request.variants.push_back(ResourceRequest::cpus(3).variants[0]);
  plan.variant = 1;
  const auto env = plan.environment();
  CHECK(env.at("HQ_RESOURCE_VARIANT") == "1");
  CHECK(env.at("HQ_RESOURCE_REQUEST_cpus") == "3 compact");
}

TEST_CASE("pinning by taskset sets the affinity of the child, by omp its variables") {
  Plan plan;
  plan.description.request = ResourceRequest::cpus(2);
  plan.description.pin = PinMode::kTaskset;
  auto request = plan.request();
  REQUIRE(request);
  CHECK(request->cpus == std::vector<int>{4, 5});
  plan.claim.reset();
  CHECK(plan.environment().at("HQ_PIN") == "taskset");
  plan.claim.reset();

  plan.description.pin = PinMode::kOpenMp;
  plan.description.program.env = {{"OMP_PROC_BIND", "spread"}};
  const auto env = plan.environment();
  CHECK(env.at("HQ_PIN") == "omp");
  CHECK(env.at("OMP_PROC_BIND") == "spread");
  CHECK(env.at("OMP_PLACES") == "{4,5}");
}

TEST_CASE("pinning without cpus fails the task") {
  Plan plan;
  plan.description.request.variants[0].entries.clear();
  for (PinMode mode : {PinMode::kTaskset, PinMode::kOpenMp}) {
    plan.description.pin = mode;
    CHECK(plan.request().error().message == "Pinning failed, no CPU ids allocated for task");
  }
}

TEST_CASE("paths are filled in and a later instance replaces the files of an earlier one") {
  Plan plan;
  plan.instance = InstanceId(2);
  auto request = plan.request();
  REQUIRE(request);
  CHECK(request->cwd == "/home/u/12");
  CHECK(request->out.kind == OutputTarget::Kind::kFile);
  CHECK(request->out.path == "/home/u/12/out-2");
  CHECK(request->err.kind == OutputTarget::Kind::kNull);
  CHECK(request->unlink_outputs_first);
  CHECK(request->task_dir.empty());
}

TEST_CASE("a task directory is named below the work directory") {
  Plan plan;
  plan.description.task_dir = true;
  CHECK(plan.request()->task_dir == "/work/tAbCdEf");
  plan.claim.reset();
  const auto env = plan.environment();
  CHECK(env.at("HQ_TASK_DIR") == "/work/tAbCdEf");
  CHECK(env.at("HQ_ERROR_FILENAME") == "/work/tAbCdEf/hq-error");
}

TEST_CASE("the template carries command and input") {
  Plan plan;
  plan.description.program.stdin_data = "input";
  const auto base = make_launch_template(*plan.task().definition, 0, plan.facts);
  CHECK(base.args == std::vector<std::string>{"prog"});
  CHECK(base.stdin_data == "input");
}

// --- masks of GPUs
// ------------------------------------------------------------------------------------------

namespace {

ResourceDescriptor with_gpus(std::string_view name, std::vector<std::string> labels) {
  return {{{std::string(name), ResourceList{std::move(labels)}}}, {}};
}

}  // namespace

TEST_CASE("numbers within an inherited mask mean its entries") {
  const GpuMasks masks =
      gpu_masks(with_gpus(kNvidiaGpus, {"0", "1"}), {{"CUDA_VISIBLE_DEVICES", "2,GPU-8a1"}}, false);
  CHECK(masked(masks.nvidia, {"0"}) == "2");
  CHECK(masked(masks.nvidia, {"1", "0"}) == "GPU-8a1,2");
}

TEST_CASE("what an inherited mask names itself, and UUIDs, stay as given") {
  const GpuMasks named =
      gpu_masks(with_gpus(kNvidiaGpus, {"1", "0"}), {{"CUDA_VISIBLE_DEVICES", "1,0"}}, false);
  CHECK(masked(named.nvidia, {"1"}) == "1");
  const GpuMasks uuids =
      gpu_masks(with_gpus(kNvidiaGpus, {"MIG-1", "MIG-2"}), {{"CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2"}}, false);
  CHECK(masked(uuids.nvidia, {"MIG-2"}) == "MIG-2");
  const GpuMasks none = gpu_masks(with_gpus(kAmdGpus, {"0"}), {}, false);
  CHECK(masked(none.amd, {"0"}) == "0");
}

TEST_CASE("masks that count within another one are known") {
  const GpuMasks masks = gpu_masks(with_gpus(kAmdGpus, {"2", "3"}),
                                   {{"ROCR_VISIBLE_DEVICES", "2,3"}, {"HIP_VISIBLE_DEVICES", "0,1"}}, false);
  CHECK(masks.within_rocr == std::vector<std::string>{"HIP_VISIBLE_DEVICES"});
  CHECK(masked(masks.amd, {"3"}) == "3");
}
