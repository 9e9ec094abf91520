// Workloads in which the order and the kind of tasks matter.
#include "sim/workloads/workloads.h"
#include "support/builders.h"

namespace hq::sim {

// A long job of low priority, into which more urgent ones come, one of them needing whole workers.
void run_priorities(World& world) {
  ProgramModel slow;
  slow.longest = 300ms;
  slow.ignores = 0.1;
  world.ask(submit_of(world, slow, test::submit().array(0, 150).priority(-1).value()));
  for (int i = 0; i < 6; ++i) {
    ProgramModel quick;
    quick.longest = world.between(2ms, 400ms);
    SubmitDescription what = test::submit()
                                 .array(0, uint32_t(1 + world.random().below(25)))
                                 .priority(int32_t(world.random().below(5)))
                                 .value();
    if (i == 0) {
      ResourceEntry& cpus = what.task.request.variants[0].entries[0];
      cpus.policy = Policy::kAll;
      cpus.amount = Amount();
    }
    const msg::Submit submit = submit_of(world, quick, what);
    world.in(world.between(0ns, 8s), [&world, submit] { world.ask(submit); });
  }
}

// Tasks on several nodes between small ones, some of them more urgent, some of them canceled.
void run_nodes(World& world) {
  ProgramModel small;
  small.longest = 200ms;
  world.ask(submit_of(world, small, test::submit().array(0, 120).value()));
  for (int i = 0; i < 5; ++i) {
    ProgramModel wide;
    wide.longest = world.between(20ms, 900ms);
    wide.ignores = 0.1;
    const msg::Submit submit = submit_of(world, wide,
                                         test::submit()
                                             .array(0, uint32_t(1 + world.random().below(3)))
                                             .nodes(uint32_t(1 + world.random().below(3)))
                                             .crash_limit(CrashLimit::kUnlimited)
                                             .priority(int32_t(world.random().below(3)))
                                             .value());
    world.in(world.between(0ns, 6s), [&world, submit] { world.ask(submit); });
  }
  world.in(4s, [&world] {
    world.ask(msg::CancelJobs{{msg::Selection::Kind::kIds, IdArray::single(3)}, ""});
  });
}

// Diamonds: one task, many that need it, one that needs those; in layers.
void run_graphs(World& world) {
  for (int i = 0; i < 3; ++i) {
    ProgramModel model;
    model.longest = world.between(5ms, 300ms);
    model.fails = world.random().chance(0.4) ? 0.03 : 0;
    test::SubmitBuilder graph = test::submit();
    uint32_t next = uint32_t(world.random().below(5));
    std::vector<uint32_t> before;
    for (int layer = 0; layer < 6; ++layer) {
      std::vector<uint32_t> now;
      const uint64_t width = layer % 2 == 0 ? 1 : 1 + world.random().below(20);
      for (uint64_t t = 0; t < width; ++t) {
        std::vector<uint32_t> deps;
        for (uint32_t dep : before) {
          if (layer % 2 == 0 || world.random().chance(0.7)) deps.push_back(dep);
        }
        graph.task(next, deps);
        now.push_back(next);
        next += uint32_t(1 + world.random().below(3));
      }
      before = now;
    }
    const msg::Submit submit = submit_of(world, model, graph.value());
    world.in(world.between(0ns, 5s), [&world, submit] { world.ask(submit); });
  }
}

// The first tasks are so short that backlogs grow deep; then come long ones of the same kind.
void run_mixed_durations(World& world) {
  ProgramModel quick;
  quick.shortest = 200us;
  quick.longest = 2ms;
  ProgramModel slow;
  slow.shortest = 500ms;
  slow.longest = 4s;
  slow.ignores = 0.2;
  const msg::Submit first = submit_of(world, quick, test::submit().array(0, 400).value());
  const msg::Submit then = submit_of(world, slow, test::submit().array(0, 40).value());
  const msg::Submit last = submit_of(world, quick, test::submit().array(0, 200).value());
  world.ask(first);
  world.in(world.between(0ns, 1s), [&world, then] { world.ask(then); });
  world.in(world.between(0ns, 5s), [&world, last] { world.ask(last); });
}

// Tasks with every kind of crash limit.
void run_crash_limits(World& world) {
  for (uint32_t limit : {CrashLimit::kNeverRestart, 1U, 2U, 5U, CrashLimit::kUnlimited}) {
    ProgramModel model;
    model.shortest = 50ms;
    model.longest = 2s;
    const msg::Submit submit =
        submit_of(world, model, test::submit().array(0, 15).crash_limit(limit).value());
    world.in(world.between(0ns, 5s), [&world, submit] { world.ask(submit); });
  }
}

// GPUs in parts, strict policies, alternatives, and everything at once, in two priorities.
void run_resources(World& world) {
  const auto entry = [](const char* name, uint64_t scaled, Policy policy) {
    return ResourceEntry{name, Amount::from_scaled(scaled), policy};
  };
  const ResourceEntry cpu = entry("cpus", 10'000, Policy::kCompact);
  const auto of = [](std::vector<ResourceEntry> entries) {
    ResourceVariant variant;
    variant.entries = std::move(entries);
    return variant;
  };
  const std::vector<std::vector<ResourceVariant>> kinds = {
      {of({cpu})},
      {of({cpu, entry("gpus", 5'000, Policy::kCompact)})},
      {of({cpu, entry("gpus", 2'500, Policy::kScatter)})},
      {of({cpu, entry("gpus", 7'500, Policy::kTight)})},
      {of({cpu, entry("gpus", 20'000, Policy::kForceCompact)})},
      {of({entry("cpus", 20'000, Policy::kForceTight)})},
      {of({entry("cpus", 20'000, Policy::kScatter)})},
      {of({entry("cpus", 0, Policy::kAll)})},
      {of({cpu, entry("gpus", 10'000, Policy::kCompact)}), of({entry("cpus", 20'000, Policy::kCompact)})},
      {of({entry("cpus", 20'000, Policy::kForceCompact), entry("gpus", 0, Policy::kAll)}), of({cpu})},
  };
  for (const std::vector<ResourceVariant>& variants : kinds) {
    ProgramModel model;
    model.longest = world.between(5ms, 600ms);
    model.ignores = 0.1;
    SubmitDescription what = test::submit()
                                 .array(0, uint32_t(1 + world.random().below(40)))
                                 .priority(int32_t(world.random().below(2)))
                                 .crash_limit(CrashLimit::kUnlimited)
                                 .value();
    what.task.request.variants = variants;
    const msg::Submit submit = submit_of(world, model, std::move(what));
    world.in(world.between(0ns, 5s), [&world, submit] { world.ask(submit); });
  }
}

}  // namespace hq::sim
