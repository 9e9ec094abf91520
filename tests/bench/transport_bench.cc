// Frames per second between a server and its peers over the loopback interface, with CURVE, in both
// directions. Usage: transport_bench [SECONDS-PER-CASE [PEERS [BYTES]]]; with BYTES only frames of that size
// to the server.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "support/channel_worlds.h"

using namespace hq;
using namespace hq::test;

namespace {

TimePoint mono() {
  return SystemClock().now().mono;
}

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return double(used.tv_sec) + double(used.tv_nsec) * 1e-9;
}

struct Case {
  bool curve;
  bool to_server;
  size_t bytes;
};

void run(const Case& which, Duration length, size_t count) {
  RealWorld world(which.curve, "127.0.0.1", {size_t{1} << 20, 1000, 1000});
  std::vector<std::unique_ptr<DealerChannel>> peers;
  std::vector<PeerId> ids;
  for (size_t i = 0; i < count; ++i) {
    peers.push_back(world.connect());
    if (peers.back()->send("hello") != SendStatus::kSent) std::abort();
    ids.push_back(world.next_at_router()->from);
  }
  const std::string frame(which.bytes, 'x');
  const TimePoint begin = mono();
  const double cpu = cpu_seconds();
  size_t received = 0;
  while (mono() - begin < length) {
    for (size_t i = 0; i < count; ++i) {
      for (int n = 0; n < 64; ++n) {
        SendStatus sent = which.to_server ? peers[i]->send(frame) : world.router().send(ids[i], frame);
        if (sent != SendStatus::kSent) break;
      }
    }
    if (which.to_server) {
      while (world.router().receive()) ++received;
    } else {
      for (auto& peer : peers) {
        while (peer->receive()) ++received;
      }
    }
  }
  double seconds = std::chrono::duration<double>(mono() - begin).count();
  std::printf("%-6s %-10s %6zu B  %9.0f /s  %7.1f MB/s  %5.2f us CPU per frame, both sides\n",
              which.curve ? "CURVE" : "plain", which.to_server ? "to server" : "to peers", which.bytes,
              double(received) / seconds, double(received * which.bytes) / seconds / 1e6,
              (cpu_seconds() - cpu) * 1e6 / double(std::max<size_t>(received, 1)));
}

// From a fresh context to the first answer and away again, as a client command does it.
void run_command_latency() {
  RealWorld world(true);
  constexpr int kRounds = 50;
  Duration total{0};
  for (int i = 0; i < kRounds; ++i) {
    TimePoint begin = mono();
    auto transport = std::move(*Transport::make());
    ConnectorOptions options;
    options.load = [&]() -> Result<AccessRecord> { return world.record(); };
    auto dealer = std::move(*transport->make_connector(options)->connect());
    (void)dealer->send("ask");
    while (!dealer->receive()) {
      if (auto asked = world.router().receive()) (void)world.router().send(asked->from, "answer");
      transport->reactor().wait(mono() + 20us);
    }
    total += mono() - begin;
  }
  std::printf("context, connection and one round trip: %.2f ms\n", double(total.count()) / kRounds / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  Duration length = argc > 1 ? Duration(static_cast<int64_t>(std::atof(argv[1]) * 1e9)) : Duration(1s);
  size_t peers = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 2;
  if (argc > 3) {
    run({true, true, std::strtoul(argv[3], nullptr, 10)}, length, peers);
    return 0;
  }
  for (bool curve : {true, false}) {
    for (size_t bytes : {size_t{50}, size_t{500}, size_t{5000}}) {
      for (bool to_server : {true, false}) run({curve, to_server, bytes}, length, peers);
    }
  }
  run_command_latency();
}
