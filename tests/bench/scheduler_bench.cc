// The scheduler alone, on made-up clusters, for `tools/bench scheduling`; prints one line of JSON:
//
//   scheduler_bench plan WORKERS CLASSES KIND SEED     how long a full pass and its steps take
//   scheduler_bench makespan KIND SEED known|unknown   an instance, how long all its tasks took, a lower
//   bound
//
// KIND of plan: random, alike (all workers the same), apart (no two workers are alike), full (nothing is
// free), odd (what waits leaves much of every worker that it cannot use), priorities (each class has its
// own), short (tasks of milliseconds, for backlogs), variants (every class has three) or gangs (every third
// class needs several workers).
#include <time.h>

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

// Processor time of this thread: what else the machine does is no part of it.
double milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}

void print(const std::function<void(JsonWriter&)>& fill) {
  JsonWriter json(JsonWriter::Layout::kCompact,
                  [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  fill(json);
  json.finish();
  std::fputc('\n', stdout);
}

// --- plan -------------------------------------------------------------------------------------------------

void add_workers(Cluster& c, SeededRandom& random, uint32_t workers, std::string_view kind) {
  const char* const groups[] = {"a", "b", "c", "d"};
  for (uint32_t i = 0; i < workers; ++i) {
    const std::string group = kind == "gangs" ? groups[random.below(4)] : "default";
    if (kind == "alike" || kind == "odd") {
      c.add_worker({{"cpus", 64}, {"mem", 256'000}, {"gpus", 4}}, group);
      continue;
    }
    Amounts amounts{{"cpus", double(8 << random.below(5))}, {"mem", double(64'000 << random.below(4))}};
    if (random.below(4) == 0) amounts.emplace_back("gpus", double(1 + random.below(8)));
    if (kind == "apart") amounts.emplace_back("scratch", double(1000 + i));
    c.add_worker(amounts, group);
  }
}

ResourceVariant any_variant(SeededRandom& random, std::string_view kind) {
  if (kind == "odd")
    return variant({{"cpus", double(33 + random.below(16))}, {"mem", double(100 + random.below(50'000))}});
  Amounts amounts{{"cpus", double(1 + random.below(32))}, {"mem", double(100 + random.below(50'000))}};
  if (random.below(8) == 0) amounts.emplace_back("gpus", double(1 + random.below(8)) / 4);
  if (kind == "apart") amounts.emplace_back("scratch", double(1 + random.below(2000)));
  return variant(amounts);
}

struct Wanted {  // one class
  std::vector<ResourceVariant> variants;
  int32_t priority = 0;
};

std::vector<Wanted> make_classes(SeededRandom& random, uint32_t classes, std::string_view kind) {
  std::vector<Wanted> out;
  for (uint32_t i = 0; i < classes; ++i) {
    Wanted& wanted = out.emplace_back();
    wanted.variants.push_back(any_variant(random, kind));
    if (random.below(10) == 0 || kind == "variants") wanted.variants.push_back(any_variant(random, kind));
    if (kind == "variants") wanted.variants.push_back(any_variant(random, kind));
    if (kind == "gangs" && i % 3 == 0) wanted.variants = {test::nodes(uint32_t(2 + random.below(63)))};
    wanted.priority = int32_t(kind == "priorities" ? i : random.below(5));
  }
  return out;
}

int measure_plan(uint32_t workers, uint32_t classes, std::string_view kind, uint64_t seed) {
  SeededRandom random(seed);
  Cluster c;
  c.check = false;
  add_workers(c, random, workers, kind);
  const std::vector<Wanted> wanted = make_classes(random, classes, kind);
  if (kind == "short") {  // so that durations are known
    for (const Wanted& w : wanted) c.add_job(w.variants, 1, 0.002, w.priority);
    c.run();
  }
  if (kind == "full" || kind == "short") {
    c.add_job({variant({{"cpus", 1}})}, 128 * workers, 1e6, 100);
    c.plan();
  }
  const uint32_t tasks = kind == "odd" || kind == "short" ? 20'000 : 200;
  for (const Wanted& w : wanted) c.add_job(w.variants, uint32_t(1 + random.below(tasks)), 100, w.priority);
  std::set<WorkerId> none;
  double whole = 0;
  double longest = 0;
  uint64_t steps = 0;
  uint64_t placed = 0;
  for (bool more = true; more; ++steps) {
    const double begin = milliseconds();
    const Placement placement = c.scheduler.step({c.state, c.now, none, none});
    const double took = milliseconds() - begin;
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

// --- makespan ---------------------------------------------------------------------------------------------

struct Kind {
  double cpus;
  double gpus;
  uint32_t tasks;
  uint32_t seconds;
  double other_cpus;  // of a second variant, 0 for none
};

int measure_makespan(std::string_view kind, uint64_t seed, bool known) {
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
    // A time request says how long a task takes; else the scheduler learns it from the first ones that end.
    for (ResourceVariant& v : variants) v.min_time = known ? Duration(std::chrono::seconds(k.seconds)) : 0s;
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
  if (what == "makespan" && argc == 5)
    return hq::measure_makespan(argv[2], number(3), std::string_view(argv[4]) == "known");
  std::fputs("usage: scheduler_bench plan WORKERS CLASSES KIND SEED | makespan KIND SEED known|unknown\n",
             stderr);
  return 2;
}
