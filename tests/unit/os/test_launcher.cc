#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;
using Kind = ProcessEvent::Kind;

TEST_CASE("a program's exit code, pid and duration are reported") {
  LauncherWorld world;

  LaunchId id = world.shell("exit 7");

  ProcessEvent started = world.start_of(id);
  ProcessEvent exit = world.exit_of(id);
  CHECK(started.pid > 0);
  CHECK(exit.exit_code == 7);
  CHECK(exit.signal == 0);
  CHECK(exit.ran > Duration(0));
  CHECK(world.place(id, Kind::kStarted) < world.place(id, Kind::kExited));
}

TEST_CASE("a program ended by a signal has code -1 and the signal") {
  LauncherWorld world;

  ProcessEvent exit = world.exit_of(world.shell("kill -9 $$"));

  CHECK(exit.exit_code == -1);
  CHECK(exit.signal == SIGKILL);
}

TEST_CASE("a program is looked up in the PATH of its own environment, never in the current directory") {
  TempDir dir;
  std::ofstream(dir / "my-own-tool") << "#!/bin/sh\nexit 5\n";
  chmod((dir / "my-own-tool").c_str(), 0755);
  LauncherWorld world;
  LaunchRequest with_path = world.request({"my-own-tool"});
  with_path.env = {{"PATH", "/nonexistent:" + dir.path()}};
  LaunchRequest in_place = world.request({"my-own-tool"});
  in_place.cwd = dir.path();
  in_place.env = {{"PATH", "/usr/bin::"}};

  CHECK(world.exit_of(world.start(with_path)).exit_code == 5);
  ProcessEvent failed = world.failure_of(world.start(in_place));
  CHECK_MESSAGE(failed.stage == LaunchStage::kSpawnNotSearched, "but that it is there is told");
  CHECK(failed.errnum == ENOENT);
  CHECK(world.failure_of(world.start({"no-such-tool"})).stage == LaunchStage::kSpawn);
}

TEST_CASE("what cannot be executed is a failure with the errno of exec") {
  TempDir dir;
  std::ofstream(dir / "plain") << "exit 3\n";
  LauncherWorld world;

  CHECK(world.failure_of(world.start({"/no/such/program"})).errnum == ENOENT);
  CHECK(world.failure_of(world.start({dir / "plain"})).errnum == EACCES);
  CHECK(world.failure_of(world.start(std::vector<std::string>{})).stage == LaunchStage::kNoArguments);
  chmod((dir / "plain").c_str(), 0755);
  CHECK_MESSAGE(world.exit_of(world.start({dir / "plain"})).exit_code == 3, "a text without #! is run by sh");
}

TEST_CASE("a missing working directory is made, an impossible one fails before the start") {
  TempDir dir;
  std::ofstream(dir / "file") << "x";
  LauncherWorld world;
  LaunchRequest missing = world.request({"/bin/sh", "-c", "pwd > here"});
  missing.cwd = dir / "a/b/c";
  LaunchRequest impossible = world.request({"/bin/true"});
  impossible.cwd = dir / "file/below";

  CHECK(world.exit_of(world.start(missing)).exit_code == 0);
  CHECK(content(dir / "a/b/c/here") == (dir / "a/b/c\n"));
  ProcessEvent failed = world.failure_of(world.start(impossible));
  CHECK(failed.stage == LaunchStage::kWorkingDirectory);
  CHECK(failed.errnum == ENOTDIR);
}

TEST_CASE("outputs go to files made with their directories, relative ones below the working directory") {
  TempDir dir;
  LauncherWorld world;
  LaunchRequest r = world.request({"/bin/sh", "-c", "echo out; echo err >&2"});
  r.cwd = dir.path();
  r.out = to_file("deep/er/out");
  r.err = to_file(dir / "err");
  std::ofstream(dir / "err") << "what was here before and is longer";

  CHECK(world.exit_of(world.start(r)).exit_code == 0);

  CHECK(content(dir / "deep/er/out") == "out\n");
  CHECK(content(dir / "err") == "err\n");
}

TEST_CASE("outputs that cannot be opened name their stage") {
  TempDir dir;
  std::ofstream(dir / "file") << "x";
  mkdir((dir / "directory").c_str(), 0755);
  LauncherWorld world;
  LaunchRequest below_file = world.request({"/bin/true"});
  below_file.err = to_file(dir / "file/x/err");
  LaunchRequest directory = world.request({"/bin/true"});
  directory.out = to_file(dir / "directory");

  ProcessEvent first = world.failure_of(world.start(below_file));
  ProcessEvent second = world.failure_of(world.start(directory));

  CHECK(first.stage == LaunchStage::kStderrDirectory);
  CHECK(first.errnum == ENOTDIR);
  CHECK(second.stage == LaunchStage::kOpenStdout);
  CHECK(second.errnum == EISDIR);
}

TEST_CASE("an earlier instance that still lives does not write into the new output file") {
  TempDir dir;
  LauncherWorld world;
  int old_file = open((dir / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  LaunchRequest r = world.request({"/bin/echo", "new"});
  r.out = to_file(dir / "out");
  r.unlink_outputs_first = true;

  world.exit_of(world.start(r));
  CHECK(write(old_file, "old old old\n", 12) == 12);
  close(old_file);

  CHECK(content(dir / "out") == "new\n");
}

TEST_CASE("each task reads the stdin data from its beginning") {
  TempDir dir;
  LauncherWorld world;
  TemplateId base = world.define({"/bin/cat"}, "line one\nline two\n");
  LaunchRequest a = world.request(base);
  a.out = to_file(dir / "a");
  LaunchRequest b = world.request(base);
  b.out = to_file(dir / "b");

  world.start(a);
  world.start(b);
  world.exit_of(a.id);
  world.exit_of(b.id);

  CHECK(content(dir / "a") == "line one\nline two\n");
  CHECK(content(dir / "b") == "line one\nline two\n");
}

TEST_CASE("a task has the descriptors 0 to 2 and no other") {
  TempDir dir;
  LauncherWorld world;
  LaunchRequest r = world.request(world.define({"/bin/ls", "/proc/self/fd"}, "data"));
  r.out = to_file(dir / "out");
  r.err = to_file(dir / "err");

  world.exit_of(world.start(r));

  CHECK(content(dir / "out") == "0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

TEST_CASE("a task's environment is the base, the definition's and the request's, the last one winning") {
  TempDir dir;
  ProcessStartState state = capture_process_start_state();
  state.environment = {"PATH=/usr/bin:/bin", "A=base", "B=base", "C=base"};
  LauncherWorld world(state);
  LaunchTemplate base;
  base.args = {"env"};
  base.env = {{"B", "template"}, {"C", "template"}};
  world.launcher->define(TemplateId(77), base);
  LaunchRequest r = world.request(TemplateId(77));
  r.env = {{"C", "request"}, {"D", "request"}};
  r.out = to_file(dir / "out");

  world.exit_of(world.start(r));

  CHECK(content(dir / "out") == "PATH=/usr/bin:/bin\nA=base\nB=template\nC=request\nD=request\n");
}

TEST_CASE(
    "a task gets limits, umask, signal mask and dispositions of the shell, whatever the worker did since") {
  TempDir dir;
  sigset_t before;
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  sigprocmask(SIG_BLOCK, &usr2, &before);
  signal(SIGUSR1, SIG_IGN);
  mode_t old_umask = umask(027);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlimit changed{200, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &changed);
  ProcessStartState state = capture_process_start_state();
  // The worker's own settings, made before the launcher starts.
  setrlimit(RLIMIT_NOFILE, &limit);
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, nullptr);
  signal(SIGPIPE, SIG_IGN);
  umask(077);
  {
    LauncherWorld world(state);
    LaunchRequest r = world.request({HQ_TEST_PROGRAM, "state"});
    r.out = to_file(dir / "out");
    world.exit_of(world.start(r));
  }
  signal(SIGUSR1, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  umask(old_umask);
  sigprocmask(SIG_SETMASK, &before, nullptr);

  CHECK(content(dir / "out") ==
        "usr2-blocked=1 int-blocked=0 pipe-ignored=0 usr1-ignored=1 nofile=200 umask=27 leader=1\n");
  struct stat info {};
  REQUIRE(stat((dir / "out").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
}

TEST_CASE("peak memory of a task does not show the worker's") {
  LauncherWorld world;
  constexpr size_t kSize = 300u << 20;
  void* block =
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  REQUIRE(block != MAP_FAILED);

  ProcessEvent exit = world.exit_of(world.start({"/bin/true"}));
  munmap(block, kSize);

  CHECK(exit.usage.max_rss_bytes > 0);
  CHECK(exit.usage.max_rss_bytes < 150u << 20);
}

TEST_CASE("used processor time is reported") {
  LauncherWorld world;

  ProcessEvent exit = world.exit_of(world.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));

  CHECK(exit.usage.user + exit.usage.system > 10ms);
}

TEST_CASE("a task may be bound to processors") {
  TempDir dir;
  LauncherWorld world;
  LaunchRequest r = world.request({"/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status"});
  r.cpus = {0};
  r.out = to_file(dir / "out");

  world.exit_of(world.start(r));

  CHECK(content(dir / "out") == "Cpus_allowed_list:\t0\n");
}

TEST_CASE("a FIFO without a reader holds up only its own task") {
  TempDir dir;
  REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  LauncherWorld world;
  std::vector<LaunchId> held;
  for (int i = 0; i < 4; ++i) {  // more than there are file threads
    LaunchRequest r = world.request({"/bin/echo", "through"});
    r.out = to_file(dir / "fifo");
    held.push_back(world.start(r));
  }
  LaunchRequest other = world.request({"/bin/true"});
  other.out = to_file(dir / "out");

  world.exit_of(world.start(other));
  CHECK(world.find(held[0], Kind::kStarted) == nullptr);

  int reader = open((dir / "fifo").c_str(), O_RDWR | O_CLOEXEC);
  for (LaunchId id : held) CHECK(world.exit_of(id).exit_code == 0);
  char text[64];
  CHECK(read(reader, text, sizeof text) == 4 * 8);
  close(reader);
}

TEST_CASE("a program whose start hangs holds up only itself") {
  TempDir dir;
  std::ofstream(dir / "leased") << "#!/bin/sh\nexit 4\n";
  chmod((dir / "leased").c_str(), 0755);
  LauncherWorld world;
  world.exit_of(world.start({"/bin/true"}));
  // While somebody holds a write lease, opening the file for execution waits.
  int fd = open((dir / "leased").c_str(), O_RDONLY | O_CLOEXEC);
  signal(SIGIO, SIG_IGN);
  REQUIRE(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);

  LaunchId hanging = world.start({dir / "leased"});
  LaunchId second = world.start({dir / "leased"});
  for (int i = 0; i < 10; ++i) world.exit_of(world.start({"/bin/true"}));
  CHECK(world.find(hanging, Kind::kStarted) == nullptr);
  CHECK(world.find(second, Kind::kStarted) == nullptr);

  fcntl(fd, F_SETLEASE, F_UNLCK);
  close(fd);
  CHECK(world.exit_of(hanging).exit_code == 4);
  CHECK(world.exit_of(second).exit_code == 4);
  for (int i = 0; i < 10; ++i) world.exit_of(world.start({"/bin/true"}));
}

TEST_CASE("a task directory is fresh and private, and gone after the end") {
  TempDir dir;
  LauncherWorld world;
  LaunchRequest r =
      world.request({"/bin/sh", "-c",
                     "stat -c %a \"$1\" > \"$2\"; mkdir -p \"$1/x/y\"; touch \"$1/x/y/z\"; chmod 0 \"$1/x\"",
                     "sh", dir / "task", dir / "mode"});
  r.task_dir = dir / "task";

  CHECK(world.exit_of(world.start(r)).exit_code == 0);

  CHECK(content(dir / "mode") == "700\n");
  CHECK_FALSE(exists(dir / "task"));
  CHECK_FALSE(world.exit_of(r.id).error_file_present);

  mkdir((dir / "taken").c_str(), 0700);
  LaunchRequest taken = world.request({"/bin/true"});
  taken.task_dir = dir / "taken";
  ProcessEvent failed = world.failure_of(world.start(taken));
  CHECK(failed.stage == LaunchStage::kTaskDirectory);
  CHECK(failed.errnum == EEXIST);
  CHECK(exists(dir / "taken"));
}

TEST_CASE("the error file of an unsuccessful task is reported, cut at 2,048 bytes") {
  TempDir dir;
  LauncherWorld world;
  auto run = [&](const std::string& script) {
    LaunchRequest r = world.request({"/bin/sh", "-c", script, "sh", dir / "task"});
    r.task_dir = dir / "task";
    return world.exit_of(world.start(r));
  };

  ProcessEvent short_text = run("echo went wrong > $1/hq-error; exit 1");
  ProcessEvent long_text = run("head -c 5000 /dev/zero | tr '\\0' x > $1/hq-error; exit 1");
  ProcessEvent successful = run("echo fine > $1/hq-error");
  ProcessEvent none = run("exit 1");

  CHECK(short_text.error_file == "went wrong\n");
  CHECK(short_text.error_file_present);
  CHECK_FALSE(short_text.error_file_truncated);
  CHECK(long_text.error_file == std::string(2048, 'x'));
  CHECK(long_text.error_file_truncated);
  CHECK_FALSE(successful.error_file_present);
  CHECK_FALSE(none.error_file_present);
}

TEST_CASE("a file is deleted before a later request opens it anew") {
  TempDir dir;
  LauncherWorld world;
  for (int i = 0; i < 20; ++i) {
    LaunchRequest r = world.request({"/bin/echo", "text"});
    r.out = to_file(dir / "out");
    world.launcher->remove_file(dir / "out");
    world.exit_of(world.start(r));
    CHECK(content(dir / "out") == "text\n");
  }
  world.launcher->remove_file(dir / "missing");
  world.launcher->flush();
  std::vector<std::string> log;
  CHECK(eventually([&] {
    world.take_events();
    for (std::string& text : world.launcher->take_log()) log.push_back(text);
    return log.size() >= 2;
  }));
  CHECK(log.back() ==
        "Cannot delete file '" + (dir / "missing") + "': No such file or directory (os error 2)");
}

TEST_CASE("many tasks with files run although few descriptors are allowed") {
  TempDir dir;
  ProcessStartState state = capture_process_start_state();
  state.limits[RLIMIT_NOFILE].rlim_cur = 64;
  LauncherWorld world(state);
  TemplateId base = world.define({"/bin/sh", "-c", "echo $N; echo $N >&2"});
  std::vector<LaunchId> ids;
  for (int i = 0; i < 150; ++i) {
    LaunchRequest r = world.request(base);
    r.env = {{"N", std::to_string(i)}};
    r.out = to_file(dir / ("out" + std::to_string(i)));
    r.err = to_file(dir / ("err" + std::to_string(i)));
    world.launcher->start(r);
    ids.push_back(r.id);
  }
  world.launcher->flush();

  for (size_t i = 0; i < ids.size(); ++i) {
    CHECK(world.exit_of(ids[i]).exit_code == 0);
    CHECK(content(dir / ("err" + std::to_string(i))) == std::to_string(i) + "\n");
  }
}

TEST_CASE("thousands of quick tasks in chains all end, each after the one before it") {
  LauncherWorld world;
  TemplateId base = world.define({"/bin/true"});
  constexpr size_t kTasks = 2000;
  std::vector<LaunchId> ids;
  for (size_t i = 0; i < kTasks; ++i) {
    LaunchRequest r = world.request(base);
    if (i >= 2) r.after = ids[i - 2];
    world.launcher->start(r);
    ids.push_back(r.id);
  }
  world.launcher->flush();

  world.exit_of(ids[kTasks - 1]);
  world.exit_of(ids[kTasks - 2]);

  std::map<LaunchId, size_t> started;
  std::map<LaunchId, size_t> ended;
  for (size_t i = 0; i < world.history.size(); ++i) {
    if (world.history[i].kind == Kind::kStarted) started[world.history[i].id] = i;
    if (world.history[i].kind == Kind::kExited) ended[world.history[i].id] = i;
  }
  REQUIRE(started.size() == kTasks);
  REQUIRE(ended.size() == kTasks);
  for (size_t i = 2; i < kTasks; ++i) CHECK(ended[ids[i - 2]] < started[ids[i]]);
}

TEST_CASE("the launcher is out of reach of the terminal's signals and tells its name") {
  LauncherWorld world;
  world.exit_of(world.start({"/bin/true"}));

  pid_t pid = world.launcher->pid();

  CHECK(getsid(pid) == pid);
  CHECK(content("/proc/" + std::to_string(pid) + "/comm") == "hq-launcher\n");
  kill(pid, SIGINT);
  kill(pid, SIGTERM);
  kill(pid, SIGTSTP);
  CHECK(world.exit_of(world.start({"/bin/true"})).exit_code == 0);
}

TEST_CASE("a killed launcher is told once, and its tasks are gone") {
  TempDir dir;
  LauncherWorld world;
  LaunchId id = world.start({"/bin/sleep", "1000"});
  pid_t task = world.start_of(id).pid;

  kill(world.launcher->pid(), SIGKILL);

  CHECK(eventually([&] {
    world.take_events();
    return !world.history.empty() && world.history.back().kind == Kind::kLauncherGone;
  }));
  CHECK(world.launcher->next_event() == std::nullopt);
  CHECK(eventually([&] { return !alive(task); }));
}

TEST_CASE("a channel may be a pipe, whose reading end comes with the start") {
  LauncherWorld world;
  auto task =
      world.request(world.define({"/bin/sh", "-c", "echo out; echo err >&2; exec >&- 2>&-; sleep 0.2"}));
  task.out.kind = OutputTarget::Kind::kPipe;
  task.err.kind = OutputTarget::Kind::kPipe;
  world.start(task);

  auto read_all = [](const UniqueFd& fd) {
    std::string all;
    char buffer[100];
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
      all.append(buffer, size_t(got));
    return all;
  };
  auto started = world.start_of(task.id);
  REQUIRE(started.pipes);
  CHECK(read_all(started.pipes->out) == "out\n");
  CHECK(read_all(started.pipes->err) == "err\n");
  CHECK(world.exit_of(task.id).exit_code == 0);
}

TEST_CASE("hundreds of tasks with pipes each get their own") {
  LauncherWorld world;
  const TemplateId base = world.define({"/bin/sh", "-c", "echo $N"});
  std::vector<LaunchRequest> tasks;
  for (int i = 0; i < 300; ++i) {
    tasks.push_back(world.request(base));
    tasks.back().out.kind = OutputTarget::Kind::kPipe;
    tasks.back().env.emplace_back("N", std::to_string(i));
    world.start(tasks.back());
  }
  for (int i = 0; i < 300; ++i) {
    auto started = world.start_of(tasks[size_t(i)].id);
    REQUIRE(started.pipes);
    CHECK_FALSE(started.pipes->err.valid());
    char buffer[20];
    const ssize_t got = ::read(started.pipes->out.get(), buffer, sizeof buffer);
    CHECK(std::string(buffer, size_t(std::max<ssize_t>(got, 0))) == std::to_string(i) + "\n");
  }
}
