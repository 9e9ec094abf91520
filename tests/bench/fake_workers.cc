// Simulated workers: real CURVE connections, the real worker protocol, no processes. Each accepts what it is
// sent, "runs" a task for --task-ms (0: it ends as it comes) on --cpus CPUs and reports like a worker does.
//
// One DEALER per worker as in the program, but driven by epoll over the sockets' descriptors, so that a
// thousand of them cost little beside the server that is measured. Spread over --processes processes.
//
// Prints, one line each, flushed: "registered N SECONDS" once all are welcomed, and whenever --expect tasks
// are acknowledged "done N SECONDS WORKERS": since the first was sent, and how many workers had some.
// "lost N" says at the end of the input how many were asked for a new hello or stopped. Ends with its input.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "hq/base/clock.h"
#include "hq/protocol/heartbeat.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "hq/protocol/worker_codec.h"
#include "hq/transport/access.h"

using namespace hq;

namespace {

// A connection whose handshake does not begin, since the server's queue for new ones was full, is tried again
// soon.
constexpr int kHandshakeMs = 3000;

struct Setup {
  std::string access_file;
  std::string address = "127.0.0.1";
  uint32_t workers = 1;
  uint32_t cpus = 1;
  uint32_t processes = 1;
  uint64_t expect = 0;
  Duration task_time{0};
  Duration heartbeat = 8s;
};

// What the processes tell each other.
struct Shared {
  std::atomic<uint32_t> registered{0};
  std::atomic<uint32_t> served{0};
  std::atomic<uint32_t> lost{0};
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<int64_t> first_run{0};
  std::atomic<int64_t> last_registered{0};
  std::atomic<int64_t> last_acknowledged{0};
};

int64_t mono_ns() {
  return SystemClock().now().mono.time_since_epoch().count();
}

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "fake_workers: %s\n", text.c_str());
  std::exit(1);
}

struct Held {
  JobUid job_uid;
  JobId job;
  TaskId task;
  InstanceId instance;
  uint8_t variant;
  DefinitionId definition;
};

struct Fake {
  explicit Fake(zmq::context_t& context) : socket(context, zmq::socket_type::dealer) {}
  zmq::socket_t socket;
  uint32_t index = 0;
  SessionId session;
  bool served = false;
  uint64_t hellos = 0;
  uint64_t beats = 0;
  int64_t next_beat = 0;
  uint64_t last_report = 0;
  msg::Report report;
  std::deque<std::pair<uint64_t, uint32_t>> unacknowledged;  // report number, tasks
  struct Definition {
    JobUid job_uid;
    JobId job;
  };
  std::map<DefinitionId, Definition> definitions;
  std::deque<Held> backlog;
  std::unordered_map<uint64_t, Held> running;  // by a number of our own
  std::deque<Bytes> unsent;
};

class Fleet {
 public:
  Fleet(const Setup& setup, const RoleAccess& access, Shared& shared, uint32_t first, uint32_t count)
      : setup_(setup), shared_(shared), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    context_.set(zmq::ctxopt::max_sockets, int(count) + 8);
    context_.set(zmq::ctxopt::blocky, 0);
    fakes_.reserve(count);
    for (uint32_t i = 0; i < count; ++i) open(access, first + i);
  }

  void run(int parent_fd) {
    watch(parent_fd, ~uint64_t{0});
    for (auto& fake : fakes_) service(*fake);
    while (true) {
      epoll_event events[256];
      const int count = ::epoll_wait(epoll_, events, 256, timeout());
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == ~uint64_t{0}) return;
        service(*fakes_[events[i].data.u64]);
      }
      on_time(mono_ns());
    }
  }

 private:
  struct End {
    int64_t at;
    Fake* fake;
    uint64_t number;
    bool operator<(const End& other) const { return at > other.at; }
  };

  void watch(int fd, uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void open(const RoleAccess& access, uint32_t index) {
    fakes_.push_back(std::make_unique<Fake>(context_));
    Fake& fake = *fakes_.back();
    fake.index = index;
    fake.socket.set(zmq::sockopt::linger, 0);
    fake.socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    if (access.secret_key) {
      const auto& server = access.server_public_key->bytes;
      const auto& secret = access.secret_key->reveal_bytes();
      const PublicKey own = access.secret_key->public_key();
      fake.socket.set(zmq::sockopt::curve_serverkey, zmq::const_buffer(server.data(), server.size()));
      fake.socket.set(zmq::sockopt::curve_publickey, zmq::const_buffer(own.bytes.data(), own.bytes.size()));
      fake.socket.set(zmq::sockopt::curve_secretkey, zmq::const_buffer(secret.data(), secret.size()));
    }
    watch(fake.socket.get(zmq::sockopt::fd), fakes_.size() - 1);
    fake.socket.connect("tcp://" + setup_.address + ":" + std::to_string(access.port));
    say_hello(fake);
  }

  void say_hello(Fake& fake) {
    msg::Hello hello;
    hello.protocol = kProtocol;
    hello.min_protocol = kMinProtocol;
    hello.version = HQ_VERSION;
    hello.worker_uid = WorkerUid(uint64_t(mono_ns()) * 65'536 + fake.index);
    hello.counter = ++fake.hellos;
    hello.last_report = fake.last_report;
    WorkerConfig config;
    config.resources.items.push_back({std::string(kCpus), ResourceSpan{0, setup_.cpus - 1}});
    config.hostname = "simulated-" + std::to_string(fake.index);
    config.listen_address = config.hostname + ":0";
    config.work_dir = "/tmp";
    config.heartbeat_interval = setup_.heartbeat;
    config.pid = uint32_t(::getpid());
    hello.config = std::move(config);
    send(fake, SessionId{}, std::move(hello));
  }

  void send(Fake& fake, SessionId session, msg::FromWorker message) {
    fake.unsent.push_back(encode(session, message));
  }

  // The descriptor tells of changes only: after everything that was sent, what came meanwhile is read too.
  void service(Fake& fake) {
    while (true) {
      zmq::message_t frame;
      while (fake.socket.recv(frame, zmq::recv_flags::dontwait)) on_frame(fake, frame);
      flush_reports(fake, true);
      while (!fake.unsent.empty() &&
             fake.socket.send(zmq::buffer(fake.unsent.front()), zmq::send_flags::dontwait)) {
        fake.unsent.pop_front();
      }
      if ((fake.socket.get(zmq::sockopt::events) & ZMQ_POLLIN) == 0) return;
    }
  }

  void on_frame(Fake& fake, const zmq::message_t& frame) {
    if (frame.size() == 0) return;  // a probe
    auto decoded = decode_to_worker(BytesView(static_cast<const char*>(frame.data()), frame.size()));
    if (!decoded) die(decoded.error().full_text());
    std::visit([&](auto& message) { on(fake, decoded->session, message); }, decoded->message);
  }

  void on(Fake& fake, SessionId session, const msg::Welcome&) {
    fake.session = session;
    const int64_t now = mono_ns();
    // Spread, as the heartbeats of workers that were started by and by are.
    fake.next_beat = now + setup_.heartbeat.count() * (fake.index % 64 + 1) / 64;
    next_beat_ = std::min(next_beat_, fake.next_beat);
    shared_.last_registered = now;
    ++shared_.registered;
  }
  void on(Fake& fake, SessionId, const msg::Refused& refused) {
    die("worker " + std::to_string(fake.index) + " is refused: " + refused.reason);
  }
  void on(Fake&, SessionId, const msg::HelloPlease&) { ++shared_.lost; }
  void on(Fake&, SessionId, const msg::StopWorker&) { ++shared_.lost; }
  void on(Fake& fake, SessionId, const msg::Define& define) {
    fake.definitions[define.definition] = {define.job_uid, define.job};
  }
  void on(Fake& fake, SessionId, const msg::Undefine& message) {
    for (DefinitionId id : message.definitions) fake.definitions.erase(id);
  }
  void on(Fake&, SessionId, const msg::HeartbeatAck&) {}
  void on(Fake&, SessionId, const msg::OutputWelcome&) {}
  void on(Fake&, SessionId, const msg::OutputKept&) {}
  void on(Fake&, SessionId, const msg::PeekOutput&) {}
  void on(Fake&, SessionId, const msg::NoticeAck&) {}
  void on(Fake&, SessionId, const msg::MeasureEvery&) {}

  void on(Fake& fake, SessionId, const msg::RunTasks& message) {
    const int64_t now = mono_ns();
    int64_t none = 0;
    shared_.first_run.compare_exchange_strong(none, now);
    if (!fake.served) ++shared_.served;
    fake.served = true;
    for (const msg::Run& run : message.runs) {
      const Fake::Definition& definition = fake.definitions.at(run.definition);
      for (uint64_t id = run.ids.first; id <= run.ids.last; id += run.ids.step) {
        const Held held{definition.job_uid, definition.job, TaskId(uint32_t(id)),
                        run.instance,       run.variant,    run.definition};
        if (setup_.task_time == Duration::zero()) {
          report_start(fake, held);
          report_end(fake, held, msg::EndedTask::Outcome::kFinished);
        } else if (run.slot) {
          fake.backlog.push_front(held);
        } else {
          fake.backlog.push_back(held);
        }
      }
    }
    start_tasks(fake, now);
  }

  void start_tasks(Fake& fake, int64_t now) {
    while (!fake.backlog.empty() && fake.running.size() < setup_.cpus) {
      const Held held = fake.backlog.front();
      fake.backlog.pop_front();
      fake.running.emplace(++last_number_, held);
      ends_.push({now + setup_.task_time.count(), &fake, last_number_});
      report_start(fake, held);
    }
  }

  void report_start(Fake& fake, const Held& held) {
    fake.report.started.push_back({held.job, held.task, held.instance, held.variant, 0.0F});
  }
  void report_end(Fake& fake, const Held& held, msg::EndedTask::Outcome outcome) {
    const auto seconds = std::chrono::duration<float>(setup_.task_time).count();
    fake.report.ended.push_back({held.job_uid, held.job, held.task, held.instance, held.variant, outcome,
                                 0.0F, TaskUsage{seconds, 0.0004F, 0.0006F, 1200}, Failure{}});
    flush_reports(fake, false);
  }
  void flush_reports(Fake& fake, bool all) {
    const bool any = !fake.report.ended.empty() || !fake.report.started.empty();
    if (!any || (!all && fake.report.ended.size() < limits::kReportTasks)) return;
    fake.report.number = ++fake.last_report;
    fake.unacknowledged.emplace_back(fake.last_report, uint32_t(fake.report.ended.size()));
    send(fake, fake.session, std::move(fake.report));
    fake.report = {};
  }

  void on(Fake& fake, SessionId, const msg::Ack& ack) {
    uint64_t tasks = 0;
    while (!fake.unacknowledged.empty() && fake.unacknowledged.front().first <= ack.report) {
      tasks += fake.unacknowledged.front().second;
      fake.unacknowledged.pop_front();
    }
    if (tasks == 0) return;
    shared_.last_acknowledged = mono_ns();
    shared_.acknowledged += tasks;
  }

  void on(Fake& fake, SessionId, const msg::Retract& retract) {
    msg::Returned returned{retract.number, {}};
    for (size_t i = fake.backlog.size(); i-- > 0 && returned.spans.size() < retract.count;) {
      const Held held = fake.backlog[i];
      if (held.definition != retract.definition) continue;
      returned.spans.push_back({held.job, {held.task.value, held.task.value, 1}, held.instance});
      fake.backlog.erase(fake.backlog.begin() + ptrdiff_t(i));
    }
    send(fake, fake.session, std::move(returned));
  }

  void on(Fake& fake, SessionId, const msg::CancelTasks& cancel) {
    const auto named = [&](const Held& held) {
      if (held.job != cancel.job) return false;
      if (cancel.ids.empty()) return true;
      for (const IdRange& range : cancel.ids) {
        if (range.contains(held.task.value)) return true;
      }
      return false;
    };
    std::erase_if(fake.backlog, named);
    std::erase_if(fake.running, [&](const auto& item) {
      if (!named(item.second)) return false;
      report_end(fake, item.second, msg::EndedTask::Outcome::kStopped);
      return true;
    });
    start_tasks(fake, mono_ns());
  }

  void on_time(int64_t now) {
    while (!ends_.empty() && ends_.top().at <= now) {
      const End end = ends_.top();
      ends_.pop();
      const auto found = end.fake->running.find(end.number);
      if (found == end.fake->running.end()) continue;
      report_end(*end.fake, found->second, msg::EndedTask::Outcome::kFinished);
      end.fake->running.erase(found);
      start_tasks(*end.fake, now);
      service(*end.fake);
    }
    if (now < next_beat_) return;
    next_beat_ = INT64_MAX;
    for (auto& fake : fakes_) {
      if (fake->session.value == 0) continue;
      if (fake->next_beat <= now) {
        fake->next_beat = now + until_next_beat(SystemClock().now().wall, setup_.heartbeat).count();
        send(*fake, fake->session, msg::Heartbeat{++fake->beats});
        service(*fake);
      }
      next_beat_ = std::min(next_beat_, fake->next_beat);
    }
  }

  int timeout() const {
    int64_t next = next_beat_;
    if (!ends_.empty()) next = std::min(next, ends_.top().at);
    if (next == INT64_MAX) return -1;
    return int(std::clamp<int64_t>((next - mono_ns() + 999'999) / 1'000'000, 0, 60'000));
  }

  const Setup& setup_;
  Shared& shared_;
  int epoll_;
  zmq::context_t context_;
  std::vector<std::unique_ptr<Fake>> fakes_;
  std::priority_queue<End> ends_;
  uint64_t last_number_ = 0;
  int64_t next_beat_ = INT64_MAX;
};

Setup parse(int argc, char** argv) {
  Setup setup;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    const auto number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--access")
      setup.access_file = value;
    else if (name == "--address")
      setup.address = value;
    else if (name == "--workers")
      setup.workers = uint32_t(number);
    else if (name == "--cpus")
      setup.cpus = uint32_t(number);
    else if (name == "--processes")
      setup.processes = uint32_t(number);
    else if (name == "--expect")
      setup.expect = number;
    else if (name == "--task-ms")
      setup.task_time = 1ms * number;
    else if (name == "--heartbeat-s")
      setup.heartbeat = 1s * number;
    else
      die("unknown option " + name);
  }
  if (setup.access_file.empty() || argc % 2 == 0 || setup.workers * setup.processes * setup.cpus == 0) {
    die("usage: fake_workers --access FILE [--workers N] [--cpus N] [--processes N] [--task-ms N] "
        "[--expect TASKS] [--heartbeat-s N] [--address A]");
  }
  return setup;
}

RoleAccess worker_access(const std::string& file) {
  const RunningVersion running{HQ_VERSION, ProtocolRange{kMinProtocol, kProtocol}};
  AccessOutcome outcome = load_access(file, AccessForm::kWorker, running);
  if (auto* failure = std::get_if<AccessFailure>(&outcome)) die(failure->text);
  return *std::get<AccessRecord>(outcome).worker;
}

// Reports what the fleets did until the input ends.
void watch_fleets(const Setup& setup, Shared& shared, int64_t began) {
  bool all_registered = false;
  uint64_t reported = 0;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char ignored[256];
  do {
    if (!all_registered && shared.registered == setup.workers) {
      all_registered = true;
      std::printf("registered %u %.6f\n", setup.workers, double(shared.last_registered - began) * 1e-9);
    }
    const uint64_t done = shared.acknowledged;
    if (setup.expect > 0 && done - reported >= setup.expect) {
      std::printf("done %llu %.6f %u\n", static_cast<unsigned long long>(done - reported),
                  double(shared.last_acknowledged - shared.first_run) * 1e-9, shared.served.load());
      reported = done;
      shared.first_run = 0;
    }
    std::fflush(stdout);
  } while (::poll(&input, 1, 10) == 0 || ::read(STDIN_FILENO, ignored, sizeof ignored) > 0);
  std::printf("lost %u\n", shared.lost.load());
}

}  // namespace

int main(int argc, char** argv) {
  const Setup setup = parse(argc, argv);
  const RoleAccess access = worker_access(setup.access_file);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  auto* shared = new (memory) Shared;
  int leash[2];  // the children end when its writing end, here, is closed
  if (::pipe(leash) != 0) die("pipe");
  const int64_t began = mono_ns();
  for (uint32_t p = 0; p < setup.processes; ++p) {
    const uint32_t first = setup.workers * p / setup.processes;
    const uint32_t end = setup.workers * (p + 1) / setup.processes;
    const pid_t pid = ::fork();
    if (pid < 0) die("fork");
    if (pid > 0) continue;
    ::close(leash[1]);
    Fleet(setup, access, *shared, first, end - first).run(leash[0]);
    ::_exit(0);
  }
  watch_fleets(setup, *shared, began);
  ::close(leash[1]);
  while (::wait(nullptr) > 0) {
  }
}
