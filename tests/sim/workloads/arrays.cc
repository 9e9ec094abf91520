// Arrays of short and of longer tasks, some of which fail.
#include "sim/workloads/workloads.h"
#include "support/builders.h"

namespace hq::sim {

void run_arrays(World& world) {
  const int jobs = int(1 + world.random().below(4));
  for (int i = 0; i < jobs; ++i) {
    ProgramModel model;
    model.longest = world.between(5ms, 800ms);
    model.fails = world.random().chance(0.3) ? 0.2 : 0;
    model.ignores = 0.2;
    model.no_exec = world.random().chance(0.2) ? 0.1 : 0;
    const auto count = uint32_t(1 + world.random().below(300));
    msg::Submit submit = submit_of(world, model,
                                   test::submit()
                                       .array(uint32_t(world.random().below(10)), count)
                                       .cpus(1 + world.random().below(2))
                                       .value());
    // Some of them take longer than they may.
    if (world.random().chance(0.3)) submit.submit.task.time_limit = world.between(5ms, 800ms);
    if (model.fails > 0 && world.random().chance(0.5)) submit.max_fails = uint32_t(world.random().below(20));
    world.in(world.between(0ns, 3s), [&world, submit] { world.ask(submit); });
  }
}

// Every third job is canceled at some moment, one of them twice, all of them once; others are forgotten.
void run_cancel_storm(World& world) {
  for (uint32_t i = 1; i <= 12; ++i) {
    ProgramModel model;
    model.longest = world.between(2ms, 3s);
    model.ignores = 0.3;
    const msg::Submit submit =
        submit_of(world, model, test::submit().array(0, uint32_t(1 + world.random().below(120))).value());
    world.in(world.between(0ns, 4s), [&world, submit] { world.ask(submit); });
  }
  for (int i = 0; i < 12; ++i) {
    world.in(world.between(0ns, 12s), [&world] {
      msg::Selection jobs{msg::Selection::Kind::kIds,
                          IdArray::single(uint32_t(1 + world.random().below(14)))};
      world.ask(msg::CancelJobs{jobs, "storm"});
      if (world.random().chance(0.3)) {
        world.ask(msg::ForgetJobs{jobs, {TaskState::kCanceled, TaskState::kFinished, TaskState::kFailed}});
      }
    });
  }
  if (world.random().chance(0.5)) {
    world.in(8s, [&world] { world.ask(msg::CancelJobs{{msg::Selection::Kind::kAll, {}}, ""}); });
  }
}

// Many jobs of one task each, some waited for.
void run_many_jobs(World& world) {
  ProgramModel model;
  model.longest = 30ms;
  const msg::Submit submit = submit_of(world, model, test::submit().value());
  for (int i = 0; i < 200; ++i) {
    world.in(world.between(0ns, 6s), [&world, submit] {
      world.ask(submit, [&world](const msg::ClientReply& reply) {
        const auto* submitted = std::get_if<msg::Submitted>(&reply);
        if (submitted == nullptr || !world.random().chance(0.3)) return;
        world.ask(msg::WaitJobs{{msg::Selection::Kind::kIds, IdArray::single(submitted->job.value)},
                                false,
                                world.random().chance(0.5)});
      });
    });
  }
}

// Tasks whose output is kept by the server or in a directory, some of them canceled.
void run_output(World& world) {
  for (int i = 0; i < 5; ++i) {
    ProgramModel model;
    model.longest = world.between(2ms, 500ms);
    SubmitDescription what = test::submit().array(0, uint32_t(1 + world.random().below(80))).value();
    what.task.program.stdout_spec = {StdioSpec::Kind::kStream, "", false};
    const std::string path = "/sim/log" + std::to_string(i);
    (world.random().chance(0.7) ? what.log_path : what.stream_path) = path;
    const msg::Submit submit = submit_of(world, model, std::move(what));
    world.in(world.between(0ns, 3s), [&world, submit] { world.ask(submit); });
  }
  if (world.random().chance(0.3)) {
    world.in(world.between(1s, 5s), [&world] {
      world.ask(msg::CancelJobs{{msg::Selection::Kind::kIds, IdArray::single(2)}, ""});
    });
  }
}

}  // namespace hq::sim
