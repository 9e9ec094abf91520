// The scheduler alone, on made-up clusters, for `tools/bench scheduling`:
//
//   scheduler_bench plan WORKERS CLASSES KIND SEED    one line of JSON: how long a full pass and its steps
//   take scheduler_bench makespan KIND SEED                one line of JSON: an instance, how long all its
//   tasks took,
//                                                     and a lower bound
//
// KIND is random, full (nothing is free), alike (all workers the same) or apart (no two workers are alike).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "hq/base/json_writer.h"
#include "hq/base/random.h"
#include "support/scheduler_world.h"

namespace hq {
namespace {

using test::Amounts;
using test::Cluster;
using test::variant;

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

void print(const std::function<void(JsonWriter&)>& fill) {
  JsonWriter json(JsonWriter::Layout::kCompact,
                  [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  fill(json);
  json.finish();
  std::fputc('\n', stdout);
}

// --- plan
// ---------------------------------------------------------------------------------------------------

void add_workers(Cluster& c, SeededRandom& random, uint32_t workers, std::string_view kind) {
  for (uint32_t i = 0; i < workers; ++i) {
    if (kind == "alike") {
      c.add_worker({{"cpus", 64}, {"mem", 256'000}, {"gpus", 4}});
      continue;
    }
    Amounts amounts{{"cpus", double(8 << random.below(5))}, {"mem", double(64'000 << random.below(4))}};
    if (random.below(4) == 0) amounts.emplace_back("gpus", double(1 + random.below(8)));
    if (kind == "apart") amounts.emplace_back("scratch", double(1000 + i));
    c.add_worker(amounts);
  }
}

ResourceVariant any_variant(SeededRandom& random, std::string_view kind) {
  Amounts amounts{{"cpus", double(1 + random.below(32))}, {"mem", double(100 + random.below(50'000))}};
  if (random.below(8) == 0) amounts.emplace_back("gpus", double(1 + random.below(8)) / 4);
  if (kind == "apart") amounts.emplace_back("scratch", double(1 + random.below(2000)));
  return variant(amounts);
}

int measure_plan(uint32_t workers, uint32_t classes, std::string_view kind, uint64_t seed) {
  SeededRandom random(seed);
  Cluster c;
  c.check = false;
  add_workers(c, random, workers, kind);
  if (kind == "full") {
    c.add_job({variant({{"cpus", 1}})}, 128 * workers, 1e6, 100);
    c.plan();
  }
  for (uint32_t i = 0; i < classes; ++i) {
    std::vector<ResourceVariant> variants{any_variant(random, kind)};
    if (random.below(10) == 0) variants.push_back(any_variant(random, kind));
    c.add_job(std::move(variants), uint32_t(1 + random.below(200)), 100, int32_t(random.below(5)));
  }
  std::set<WorkerId> none;
  double whole = 0;
  double longest = 0;
  uint64_t steps = 0;
  uint64_t placed = 0;
  for (bool more = true; more; ++steps) {
    const auto begin = Clock::now();
    const Placement placement = c.scheduler.step({c.state, c.now, none, none});
    const double took = milliseconds(Clock::now() - begin);
    whole += took;
    longest = std::max(longest, took);
    more = placement.more;
    for (const Placed& p : placement.placed) {
      auto ranges = pick(c.state, p);
      placed += p.count;
      if (!ranges.empty()) c.state.apply({c.now, TasksAssigned{p.worker, std::move(ranges)}});
    }
  }
  print([&](JsonWriter& json) {
    json.begin_object();
    json.member("longest_step_ms", longest);
    json.member("pass_ms", whole);
    json.member("placed", placed);
    json.member("steps", steps);
    json.end_object();
  });
  return 0;
}

// --- makespan
// -----------------------------------------------------------------------------------------------

struct Kind {
  double cpus;
  double gpus;
  uint32_t tasks;
  uint32_t seconds;
  double other_cpus;  // of a second variant, 0 for none
};

int measure_makespan(std::string_view kind, uint64_t seed) {
  SeededRandom random(seed);
  Cluster c;
  c.check = false;
  const auto workers = uint32_t(1 + random.below(3));
  std::vector<std::pair<double, double>> nodes;
  for (uint32_t i = 0; i < workers; ++i) {
    nodes.emplace_back(double(2 + random.below(7)), random.below(2) == 0 ? double(1 + random.below(2)) : 0.0);
    c.add_worker({{"cpus", nodes.back().first}, {"gpus", nodes.back().second}});
  }
  std::vector<Kind> kinds;
  double total_cpus = 0;
  double total_gpus = 0;
  for (const auto& node : nodes) {
    total_cpus += node.first;
    total_gpus += node.second;
  }
  const auto jobs = uint32_t(2 + random.below(3));
  double work_cpus = 0;
  double work_gpus = 0;
  double longest = 0;
  for (uint32_t i = 0; i < jobs; ++i) {
    Kind k{double(1 + random.below(2)), 0, uint32_t(2 + random.below(5)), uint32_t(1 + random.below(4)), 0};
    if (kind == "fractions" && total_gpus > 0) k.gpus = random.below(2) == 0 ? 0.5 : 0;
    if (kind == "variants" && total_gpus > 0 && random.below(2) == 0) {
      k.gpus = 1;
      k.other_cpus = 2;
    }
    std::vector<ResourceVariant> variants;
    Amounts amounts{{"cpus", k.cpus}};
    if (k.gpus > 0) amounts.emplace_back("gpus", k.gpus);
    variants.push_back(variant(amounts));
    if (k.other_cpus > 0) variants.push_back(variant({{"cpus", k.other_cpus}}));
    c.add_job(std::move(variants), k.tasks, double(k.seconds));
    const double least_cpus = k.other_cpus > 0 ? std::min(k.cpus, k.other_cpus) : k.cpus;
    work_cpus += k.tasks * least_cpus * k.seconds;
    if (k.other_cpus == 0) work_gpus += k.tasks * k.gpus * k.seconds;
    longest = std::max(longest, double(k.seconds));
    kinds.push_back(k);
  }
  const WallTime begin = c.now;
  c.run();
  const double makespan = double((c.now - begin).count()) / 1e9;
  double bound = std::max(longest, work_cpus / total_cpus);
  if (total_gpus > 0) bound = std::max(bound, work_gpus / total_gpus);
  print([&](JsonWriter& json) {
    json.begin_object();
    json.member("bound", bound);
    json.key("jobs");
    json.begin_array();
    for (const Kind& k : kinds) {
      json.begin_object();
      json.member("cpus", k.cpus);
      json.member("gpus", k.gpus);
      json.member("other_cpus", k.other_cpus);
      json.member("seconds", k.seconds);
      json.member("tasks", k.tasks);
      json.end_object();
    }
    json.end_array();
    json.member("makespan", makespan);
    json.member("waiting", c.state.ready().count());
    json.key("workers");
    json.begin_array();
    for (const auto& [cpus, gpus] : nodes) {
      json.begin_object();
      json.member("cpus", cpus);
      json.member("gpus", gpus);
      json.end_object();
    }
    json.end_array();
    json.end_object();
  });
  return 0;
}

}  // namespace
}  // namespace hq

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
  if (what == "plan" && argc == 6)
    return hq::measure_plan(uint32_t(number(2)), uint32_t(number(3)), argv[4], number(5));
  if (what == "makespan" && argc == 4) return hq::measure_makespan(argv[2], number(3));
  std::fputs("usage: scheduler_bench plan WORKERS CLASSES KIND SEED | makespan KIND SEED\n", stderr);
  return 2;
}
