// The spool on real pipes and files.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "hq/stream/catalog.h"
#include "hq/stream/spool.h"
#include "samples.h"
#include "support/pipe.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

struct SpoolWorld {
  TempDir dir;
  OutputPlace place{dir / "out", "abcdef", WorkerId(7)};
  std::unique_ptr<Spool> spool;
  std::map<OutputId, std::optional<std::string>> told;

  explicit SpoolWorld(SpoolOptions options = {}) {
    auto made = make_spool(options);
    REQUIRE(made.ok());
    spool = std::move(*made);
  }
  // Waits until it is told what became of `id`.
  std::optional<std::string> outcome(OutputId id) {
    while (!told.contains(id)) {
      pollfd fd{spool->event_fd(), POLLIN, 0};
      REQUIRE(::poll(&fd, 1, 30'000) == 1);
      while (auto event = spool->next_event()) told[event->id] = event->failure;
    }
    return told.at(id);
  }
  std::string content(StreamKey task, OutputChannel channel) const {
    auto opened = open_output_directory(place.directory);
    REQUIRE(opened.ok());
    const OutputCatalog catalog(opened->files);
    auto attempt = catalog.task(task.job, task.task);
    REQUIRE(attempt.ok());
    std::string all;
    if (*attempt) REQUIRE(OutputCatalog::read(**attempt, channel, [&](BytesView b) { all.append(b); }).ok());
    return all;
  }
  [[nodiscard]] size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& item : std::filesystem::directory_iterator(place.directory)) ++count;
    return count;
  }
};

}  // namespace

TEST_CASE("what a task wrote is in the file when its end is told") {
  SpoolWorld world;
  Pipe out;
  Pipe err;
  out.write("to stdout");
  err.write("to stderr");
  world.spool->start(OutputId(1), world.place, key(1, 2), std::move(out.reading), std::move(err.reading));
  world.spool->end(OutputId(1));

  CHECK_FALSE(world.outcome(OutputId(1)).has_value());
  CHECK(world.content(key(1, 2), kOut) == "to stdout");
  CHECK(world.content(key(1, 2), kErr) == "to stderr");
}

TEST_CASE("all tasks of a place share one file, which has an index in the end") {
  SpoolWorld world;
  for (uint32_t task = 1; task <= 100; ++task) {
    Pipe out;
    out.write(std::to_string(task));
    world.spool->start(OutputId(task), world.place, key(1, task), std::move(out.reading), UniqueFd());
    world.spool->end(OutputId(task));
  }
  for (uint32_t task = 1; task <= 100; ++task) CHECK_FALSE(world.outcome(OutputId(task)).has_value());
  world.spool.reset();

  CHECK(world.files() == 1);
  CHECK(open_output_directory(world.place.directory)->files.at(0).has_index());
  for (uint32_t task = 1; task <= 100; ++task)
    CHECK(world.content(key(1, task), kOut) == std::to_string(task));
}

TEST_CASE("output can be read while its task runs") {
  SpoolWorld world;
  Pipe out;
  world.spool->start(OutputId(1), world.place, key(1, 1), std::move(out.reading), UniqueFd());
  out.write("early");

  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string seen;
  while (seen != "early" && std::chrono::steady_clock::now() < end) {
    poll(nullptr, 0, 2);
    if (std::filesystem::exists(world.place.directory)) seen = world.content(key(1, 1), kOut);
  }
  CHECK(seen == "early");
}

TEST_CASE("much output arrives whole, from several tasks at once") {
  for (int level : {0, 1}) {
    SpoolOptions options;
    options.zstd_level = level;
    SpoolWorld world(options);
    constexpr size_t kBytes = 3'000'000;
    std::vector<std::thread> writers;
    std::vector<std::string> written;
    for (uint32_t task = 0; task < 4; ++task) {
      std::string bytes(kBytes, '\0');
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = char(i * (task + 3) >> 3);
      written.push_back(std::move(bytes));
    }
    for (uint32_t task = 0; task < 4; ++task) {
      auto pipe = std::make_shared<Pipe>();
      world.spool->start(OutputId(task), world.place, key(1, task), UniqueFd(), std::move(pipe->reading));
      writers.emplace_back([pipe, &bytes = written[task]] {
        for (size_t done = 0; done < bytes.size();) {
          const ssize_t put = ::write(pipe->writing.get(), bytes.data() + done, bytes.size() - done);
          if (put <= 0) return;
          done += size_t(put);
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    for (uint32_t task = 0; task < 4; ++task) world.spool->end(OutputId(task));

    for (uint32_t task = 0; task < 4; ++task) {
      CHECK_FALSE(world.outcome(OutputId(task)).has_value());
      CHECK((world.content(key(1, task), kErr) == written[task]));
    }
  }
}

TEST_CASE("the end of a task does not wait for who else holds its pipe") {
  SpoolWorld world;
  Pipe out;
  UniqueFd child(::dup(out.writing.get()));
  out.write("parent");
  world.spool->start(OutputId(1), world.place, key(1, 1), std::move(out.reading), UniqueFd());
  world.spool->end(OutputId(1));

  CHECK_FALSE(world.outcome(OutputId(1)).has_value());
  CHECK(world.content(key(1, 1), kOut) == "parent");
}

TEST_CASE("a task that closes its output early ends as any other") {
  SpoolWorld world;
  Pipe out;
  Pipe err;
  world.spool->start(OutputId(1), world.place, key(1, 1), std::move(out.reading), std::move(err.reading));
  out.write("done");
  out.writing.reset();
  err.write("later");
  world.spool->end(OutputId(1));

  CHECK_FALSE(world.outcome(OutputId(1)).has_value());
  CHECK(world.content(key(1, 1), kOut) == "done");
  CHECK(world.content(key(1, 1), kErr) == "later");
}

TEST_CASE("a directory that can't be made fails the task, naming it and the cause") {
  SpoolWorld world;
  write_file(world.dir / "file", "");
  world.place.directory = world.dir / "file/below";
  Pipe out;
  world.spool->start(OutputId(1), world.place, key(1, 1), std::move(out.reading), UniqueFd());

  const auto why = world.outcome(OutputId(1));
  REQUIRE(why.has_value());
  CHECK(*why == "Error: Cannot create stream directory `" + world.place.directory +
                    "`: Not a directory (os error 20)");
}

TEST_CASE("a full disk fails the tasks whose bytes are lost, and later ones run again") {
  // As long as we may write no file beyond a size, our file system is full for us.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  SpoolWorld world;
  auto run = [&](uint32_t task, const std::string& bytes) {
    Pipe out;
    std::thread writer([&] { out.write(bytes); });
    UniqueFd reading(::fcntl(out.reading.get(), F_DUPFD_CLOEXEC, 0));
    world.spool->start(OutputId(task), world.place, key(1, task), std::move(reading), UniqueFd());
    writer.join();
    world.spool->end(OutputId(task));
    return world.outcome(OutputId(task));
  };
  CHECK_FALSE(run(1, "fits").has_value());
  rlimit small{4096, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto why = run(2, std::string(20'000, 'x'));
  REQUIRE(why.has_value());
  CHECK(why->starts_with("Streaming: Cannot write stream file `" + world.place.directory));
  CHECK(why->ends_with("File too large (os error 27)"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK_FALSE(run(3, std::string(20'000, 'y')).has_value());

  CHECK(world.files() == 1);
  CHECK(world.content(key(1, 1), kOut) == "fits");
  CHECK(world.content(key(1, 3), kOut) == std::string(20'000, 'y'));
}

TEST_CASE("a task that was cut short says so, and nobody is told") {
  SpoolWorld world;
  Pipe out;
  out.write("partly");
  world.spool->start(OutputId(1), world.place, key(1, 1), std::move(out.reading), UniqueFd());
  world.spool->cut(OutputId(1));
  world.spool.reset();

  CHECK(world.content(key(1, 1), kOut) == "partly");
  const auto opened = open_output_directory(world.place.directory);
  CHECK((OutputCatalog(opened->files).task(JobId(1), TaskId(1))->value().flags & kWasCut) != 0);
}

TEST_CASE("there is room for as many tasks as was said") {
  SpoolOptions options;
  options.max_tasks = 2;
  SpoolWorld world(options);
  for (uint32_t task = 1; task <= 2; ++task) {
    CHECK(world.spool->has_room());
    world.spool->start(OutputId(task), world.place, key(1, task), UniqueFd(), UniqueFd());
  }
  CHECK_FALSE(world.spool->has_room());
  world.spool->end(OutputId(1));
  CHECK_FALSE(world.outcome(OutputId(1)).has_value());
  CHECK(world.spool->has_room());
}
