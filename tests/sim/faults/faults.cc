#include "sim/faults/faults.h"

namespace hq::sim {

namespace {

// At `times` moments of chance.
void now_and_then(World& world, int times, const std::function<void()>& action) {
  for (int i = 0; i < times; ++i) world.in(world.between(0ns, kFaultTime), action);
}

// A worker that cannot reach its server says so.
void expect_lost_server(World& world) {
  world.expect_error("The server has not answered for too long; tasks are stopped");
  world.expect_error("Could not connect to server, error:");
}

void nothing(World&, const Workload&) {}

void lose_workers(World& world, const Workload&) {
  now_and_then(world, 4, [&world] { world.any_machine().terminate(); });
}

void kill_workers(World& world, const Workload&) {
  now_and_then(world, 5, [&world] { world.any_machine().kill(); });
}

void kill_launchers(World& world, const Workload&) {
  now_and_then(world, 3, [&world] { world.any_machine().kill_launcher(); });
}

void stop_workers(World& world, const Workload&) {
  // The order to stop may be lost with the connection; a worker that comes back then hears it so.
  world.expect_error("The worker has been stopped");
  now_and_then(world, 4, [&world] {
    const auto registered = world.any_machine().registration();
    if (!registered) return;
    const msg::Selection one{msg::Selection::Kind::kIds, IdArray::single(registered->worker.value)};
    world.ask(msg::StopWorkers{one, false});
  });
}

// Nodes whose programs all fail at once, for a while.
void broken_nodes(World& world, const Workload&) {
  now_and_then(world, 2, [&world] {
    Machine& machine = world.any_machine();
    machine.set_broken(true);
    world.in(world.between(100ms, 8s), [&machine] { machine.set_broken(false); });
  });
}

test::ChannelFaults network_with(const std::function<void(test::ChannelFaults&)>& change) {
  test::ChannelFaults faults = usual_network();
  change(faults);
  return faults;
}

void slow_link(World& world, const Workload&) {
  expect_lost_server(world);
  world.network().set_faults(network_with([&](test::ChannelFaults& faults) {
    faults.max_delay = world.between(50ms, 900ms);
    faults.max_late = 2s;
  }));
}

void cut_links(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 5, [&world] { world.cut_link(world.any_machine()); });
}

// Nothing passes, nobody is told; some of it is shorter than anyone notices.
void partition(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 3, [&world] {
    const std::string name = world.any_machine().name();
    world.network().set_partition(name, true);
    world.in(world.between(100ms, 8s), [&world, name] { world.network().set_partition(name, false); });
  });
}

void late_server(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 3, [&world] { world.freeze_server(world.between(200ms, 6s)); });
}

void frozen_workers(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 4, [&world] { world.any_machine().freeze(world.between(200ms, 8s)); });
}

void old_hellos(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 12, [&world] { world.replay_hello(world.any_machine()); });
  now_and_then(world, 6, [&world] { world.cut_link(world.any_machine()); });
}

void full_sockets(World& world, const Workload&) {
  expect_lost_server(world);
  world.network().set_faults(network_with([&](test::ChannelFaults& faults) {
    faults.full = 0.3;
    faults.queue = 20;
  }));
}

void clock_steps(World& world, const Workload&) {
  now_and_then(world, 10, [&world] {
    const Duration by = world.between(0ns, 2h) - 1h;
    if (world.random().chance(0.4)) {
      world.step_server_clock(by);
    } else {
      world.any_machine().step_clock(by);
    }
  });
}

void hanging_execs(World& world, const Workload&) {
  for (const auto& machine : world.machines()) machine->set_hangs(0.05, 10s);
}

void slow_disk(World& world, const Workload&) {
  world.slow_disk(world.between(50ms, 1500ms));
}

void noise(World& world, const Workload&) {
  now_and_then(world, 60, [&world] {
    Bytes frame;
    const uint64_t length = world.random().below(60);
    for (uint64_t i = 0; i < length; ++i) frame += char(world.random().next());
    world.send_as_worker(world.any_machine().name(), std::move(frame));
  });
}

void failing_disk(World& world, const Workload&) {
  now_and_then(world, 3, [&world] { world.fail_disk(world.between(100ms, 6s)); });
}

void server_restarts(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 4, [&world] { world.crash_server(world.between(1ms, 4s), [] {}); });
}

// Some of it outlasts the window of the workers.
void long_outages(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 2, [&world] { world.crash_server(world.between(2s, 30s), [] {}); });
}

void leaving_server(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 3, [&world] { world.leave_server(world.between(1ms, 4s)); });
}

// Between any two commits, and again while the cluster comes together.
void crash_at_commit(World& world, const Workload&) {
  expect_lost_server(world);
  std::vector<uint64_t> points;
  for (int i = 0; i < 8; ++i) points.push_back(1 + world.random().below(i % 2 == 0 ? 6 : 120));
  world.crash_at_commits(std::move(points), 2s);
}

// Server and workers at once.
void killed_all(World& world, const Workload&) {
  expect_lost_server(world);
  now_and_then(world, 4, [&world] { world.any_machine().kill(); });
  now_and_then(world, 3, [&world] { world.any_machine().freeze(world.between(200ms, 8s)); });
  now_and_then(world, 4, [&world] { world.crash_server(world.between(1ms, 4s), [] {}); });
}

// Without a journal all is forgotten; the users start again.
void server_crash(World& world, const Workload& workload) {
  expect_lost_server(world);
  world.in(world.between(1s, 8s), [&world, &workload] {
    world.crash_server(world.between(10ms, 5s), [&world, &workload] { workload.start(world); });
  });
}

void storm(World& world, const Workload& workload) {
  world.pardon_for_whole_windows();
  for (int i = 0; i < 3;) {
    // The last is the storm itself.
    const Fault& fault = faults()[1 + world.random().below(faults().size() - 2)];
    // A crash without a journal forgets what the others need.
    if (fault.needs == Needs::kNoJournal || (fault.needs == Needs::kJournal && !world.durable())) continue;
    fault.start(world, workload);
    ++i;
  }
}

}  // namespace

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = {
      {"none", nothing},
      {"lost-worker", lose_workers},
      {"killed-worker", kill_workers},
      {"killed-launcher", kill_launchers},
      {"stopped-worker", stop_workers},
      {"slow-link", slow_link},
      {"cut-link", cut_links},
      {"partition", partition},
      {"late-server", late_server},
      {"frozen-worker", frozen_workers},
      {"old-hello", old_hellos},
      {"full-sockets", full_sockets},
      {"clock-steps", clock_steps},
      {"hanging-exec", hanging_execs},
      {"slow-disk", slow_disk},
      {"noise", noise},
      {"failing-disk", failing_disk},
      {"server-crash", server_crash, Needs::kNoJournal},
      {"server-restart", server_restarts, Needs::kJournal},
      {"long-outage", long_outages, Needs::kJournal},
      {"leaving-server", leaving_server, Needs::kJournal},
      {"crash-at-commit", crash_at_commit, Needs::kJournal},
      {"killed-all", killed_all, Needs::kJournal},
      {"broken-node", broken_nodes},
      {"storm", storm},
  };
  return all;
}

void end_faults(World& world) {
  world.network().set_faults(usual_network());
  for (const auto& machine : world.machines()) {
    world.network().set_partition(machine->name(), false);
    machine->set_hangs(0, 0ns);
    machine->set_broken(false);
  }
  world.slow_disk(2ms);
  world.crash_at_commits({}, 0ns);
}

}  // namespace hq::sim
