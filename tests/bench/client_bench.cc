// Measures from a client's connection that stays open, with the real client layer.
//
// client_bench ACCESS latency N STAMP FIFO: N times one task that says when it runs, into FIFO. Prints a line
//   for each, in microseconds: from the sending of the submit to the running of the program, and then the
//   same for a bare spawn of the program.
// client_bench ACCESS dispatch N CPUS: N times one task of so many cpus, for a worker that starts nothing.
//   Prints for each, in microseconds, from the sending of the submit until it is told that it has ended.
// client_bench ACCESS jobs N: submits N jobs of one task each, a few at a time, and prints the seconds.
// client_bench ACCESS workload: one job of the tasks on the standard input, waited for; prints when it was
//   submitted, in seconds since 1970. A task is a line of words between tabs: its priority, its variants
//   (cpus=1;gpus=0.5|cpus=4), and what it runs.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <string>
#include <string_view>

#include "hq/client/client.h"
#include "hq/core/text/resource_request_text.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "hq/transport/zmq.h"

using namespace hq;

namespace {

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "client_bench: %s\n", text.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) die(result.error().full_text());
  return std::move(*result);
}

msg::Submit one_task(std::vector<std::string> args) {
  msg::Submit submit;
  submit.name = "bench";
  submit.submit.submit_dir = "/tmp";
  submit.submit.ids = IdArray::single(0);
  ProgramDescription& program = submit.submit.task.program;
  program.args = std::move(args);
  program.cwd = "/tmp";
  program.stdout_spec.kind = StdioSpec::Kind::kNull;
  program.stderr_spec.kind = StdioSpec::Kind::kNull;
  return submit;
}

int64_t mono_ns() {
  return SystemClock().now().mono.time_since_epoch().count();
}

int64_t read_stamp(int fifo) {
  int64_t stamp = 0;
  if (::read(fifo, &stamp, sizeof stamp) != ssize_t(sizeof stamp)) die("no stamp");
  return stamp;
}

void wait_until_done(Client& client, JobId job) {
  msg::WaitJobs wait;
  wait.jobs.kind = msg::Selection::Kind::kIds;
  wait.jobs.ids = IdArray::single(job.value);
  const RequestId request = client.send(wait);
  while (!std::holds_alternative<msg::WaitFinished>(must(client.next(request)))) {
  }
}

double submit_once(Client& client, const msg::Submit& submit, int fifo) {
  const int64_t begin = mono_ns();
  const RequestId request = client.send(submit);
  const msg::ClientReply reply = must(client.next(request));
  const auto* accepted = std::get_if<msg::Submitted>(&reply);
  if (accepted == nullptr) die("the submit is refused");
  const int64_t ran = read_stamp(fifo);
  wait_until_done(client, accepted->job);
  return double(ran - begin) * 1e-3;
}

double spawn_once(char* program, char* argument, int fifo) {
  char* argv[] = {program, argument, nullptr};
  const int64_t begin = mono_ns();
  const pid_t pid = ::vfork();
  if (pid == 0) {
    ::execv(program, argv);
    ::_exit(127);
  }
  const int64_t ran = read_stamp(fifo);
  ::waitpid(pid, nullptr, 0);
  return double(ran - begin) * 1e-3;
}

void latency(Client& client, int rounds, char* stamp, char* path) {
  if (::mkfifo(path, 0600) != 0) die("mkfifo");
  const int fifo = ::open(path, O_RDWR | O_CLOEXEC);
  if (fifo < 0) die("open fifo");
  const msg::Submit submit = one_task({stamp, path});
  for (int i = 0; i < rounds; ++i) {
    const double through_server = submit_once(client, submit, fifo);
    std::printf("%.1f %.1f\n", through_server, spawn_once(stamp, path, fifo));
  }
  ::unlink(path);
}

void dispatch(Client& client, int rounds, const std::string& cpus) {
  msg::Submit submit = one_task({"nothing"});
  ResourceVariant variant;
  variant.entries.push_back(must(parse_resource_request("cpus=" + cpus)));
  submit.submit.task.request.variants = {variant};
  for (int i = 0; i < rounds; ++i) {
    const int64_t begin = mono_ns();
    const RequestId request = client.send(submit);
    const msg::ClientReply reply = must(client.next(request));
    const auto* accepted = std::get_if<msg::Submitted>(&reply);
    if (accepted == nullptr) die("the submit is refused");
    wait_until_done(client, accepted->job);
    std::printf("%.1f\n", double(mono_ns() - begin) * 1e-3);
  }
}

void jobs(Client& client, int count) {
  constexpr size_t kInFlight = 64;
  const msg::Submit submit = one_task({"true"});
  std::deque<RequestId> open;
  const int64_t begin = mono_ns();
  for (int i = 0; i < count || !open.empty();) {
    for (; i < count && open.size() < kInFlight; ++i) open.push_back(client.send(submit));
    must(client.next(open.front()));
    open.pop_front();
  }
  std::printf("%.6f\n", double(mono_ns() - begin) * 1e-9);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (true) {
    const size_t end = text.find(at);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

void workload(Client& client) {
  msg::Submit submit = one_task({});
  const TaskDescription like = submit.submit.task;
  submit.submit.ids = {};
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> words = split(line, '\t');
    if (words.size() < 3) die("a task has a priority, variants and a program");
    GraphTask& task = submit.submit.graph.emplace_back();
    task.id = TaskId(uint32_t(submit.submit.graph.size() - 1));
    task.task = like;
    task.task.priority = std::atoi(words[0].c_str());
    task.task.request.variants.clear();
    for (const std::string& variant : split(words[1], '|')) {
      ResourceVariant& made = task.task.request.variants.emplace_back();
      for (const std::string& entry : split(variant, ';'))
        made.entries.push_back(must(parse_resource_request(entry)));
    }
    task.task.program.args.assign(words.begin() + 2, words.end());
  }
  const int64_t began = SystemClock().now().wall.ns;
  const RequestId request = client.send(submit);
  const msg::ClientReply reply = must(client.next(request));
  const auto* accepted = std::get_if<msg::Submitted>(&reply);
  if (accepted == nullptr) die("the submit is refused");
  wait_until_done(client, accepted->job);
  std::printf("%.6f\n", double(began) * 1e-9);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[2] : "";
  if (!(what == "latency" && argc == 6) && !(what == "jobs" && argc == 4) &&
      !(what == "dispatch" && argc == 5) && !(what == "workload" && argc == 3)) {
    die("usage: client_bench ACCESS latency N STAMP FIFO | dispatch N CPUS | jobs N | workload");
  }
  const std::string access = argv[1];
  auto transport = must(Transport::make());
  SystemClock clock;
  ConnectorOptions options;
  options.load = [&]() -> Result<AccessRecord> {
    const RunningVersion running{HQ_VERSION, ProtocolRange{kMinProtocol, kProtocol}};
    AccessOutcome outcome = load_access(access, AccessForm::kClient, running);
    if (auto* failure = std::get_if<AccessFailure>(&outcome)) return failure->error();
    AccessRecord record = std::get<AccessRecord>(std::move(outcome));
    record.client->host = "127.0.0.1";
    return record;
  };
  options.limits.max_frame_bytes = limits::kMaxReplyFrame;
  auto connector = transport->make_connector(std::move(options));
  {
    Client client = must(Client::connect({*connector, transport->reactor(), clock},
                                         [](const auto& failure) { return Error(failure.text); }));
    if (what == "workload") {
      workload(client);
    } else if (what == "jobs") {
      jobs(client, std::atoi(argv[3]));
    } else if (what == "dispatch") {
      dispatch(client, std::atoi(argv[3]), argv[4]);
    } else {
      latency(client, std::atoi(argv[3]), argv[4], argv[5]);
    }
  }
}
