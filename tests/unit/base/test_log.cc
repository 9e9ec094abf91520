#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "hq/base/log.h"

using namespace hq;

namespace {

// Runs `act` with stderr led into memory; returns what was written there.
template <class Act>
std::string stderr_of(Act act) {
  int memory = memfd_create("stderr", MFD_CLOEXEC);
  int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(memory, STDERR_FILENO);
  act();
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::string out(static_cast<size_t>(lseek(memory, 0, SEEK_END)), '\0');
  REQUIRE(pread(memory, out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
  close(memory);
  log::configure({});
  return out;
}

// True if `text` is `pattern`, in which '#' stands for a digit.
bool matches(std::string_view text, std::string_view pattern) {
  return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(),
                    [](char c, char p) { return p == '#' ? c >= '0' && c <= '9' : c == p; });
}

log::Config with_filter(const char* rust_log) {
  log::Config config;
  config.rust_log = rust_log;
  return config;
}

}  // namespace

TEST_CASE("a log line is time to seconds, level and message") {
  std::string out = stderr_of([] {
    log::configure({});
    log::info("Worker 1 stopped");
    log::debug("not shown");
  });
  CHECK(matches(out, "####-##-##T##:##:##Z INFO Worker 1 stopped\n"));
}

TEST_CASE("debug logging uses the full form with milliseconds and a padded level") {
  std::string out = stderr_of([] {
    log::Config config;
    config.debug = true;
    log::configure(config);
    log::warn("careful");
    log::debug("shown");
  });
  CHECK(matches(out,
                "[####-##-##T##:##:##.###Z WARN  hyperqueue] careful\n"
                "[####-##-##T##:##:##.###Z DEBUG hyperqueue] shown\n"));
}

TEST_CASE("on a terminal the time is black and the level bold and coloured") {
  std::string out = stderr_of([] {
    log::Config config;
    config.stderr_is_terminal = true;
    log::configure(config);
    log::error("gone");
    config.no_color = true;
    log::configure(config);
    log::error("gone");
  });
  CHECK(matches(out,
                "\x1b[30m####-##-##T##:##:##Z\x1b[0m \x1b[1m\x1b[31mERROR\x1b[0m gone\n"
                "####-##-##T##:##:##Z ERROR gone\n"));
}

TEST_CASE("a filter from the environment overrides the level") {
  struct Case {
    const char* filter;
    log::Level loudest;
  };
  for (const Case& each : {Case{"", log::Level::kInfo},
                           {"warn", log::Level::kWarn},
                           {"DEBUG", log::Level::kDebug},
                           {"hyperqueue=warn", log::Level::kWarn},
                           {"hyperqueue=debug,tako=trace", log::Level::kTrace},
                           {"hyperqueue", log::Level::kTrace},
                           {"hyper=trace,zmq=trace", log::Level::kInfo},
                           {"error/pattern", log::Level::kError}}) {
    CAPTURE(each.filter);
    std::string out = stderr_of([&] {
      log::configure(with_filter(each.filter));
      for (auto level : {log::Level::kError, log::Level::kWarn, log::Level::kInfo, log::Level::kDebug,
                         log::Level::kTrace}) {
        CHECK(log::enabled(level) == (level <= each.loudest));
      }
    });
    CHECK(out.empty());
  }
}

TEST_CASE("an invalid filter is named and ignored") {
  std::string out = stderr_of([] {
    log::configure(with_filter("bogus=="));
    CHECK(log::enabled(log::Level::kInfo));
    CHECK_FALSE(log::enabled(log::Level::kDebug));
  });
  CHECK(out == "warning: invalid logging spec 'bogus==', ignoring it\n");
}

TEST_CASE("lines of several threads never mix") {
  constexpr int kLines = 200;
  std::string out = stderr_of([] {
    std::vector<std::thread> threads;
    for (char name : {'a', 'b', 'c'}) {
      threads.emplace_back([name] {
        for (int i = 0; i < kLines; ++i) log::info(std::string(50, name));
      });
    }
    for (auto& thread : threads) thread.join();
  });
  int count = 0;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    for (char name : {'a', 'b', 'c'}) {
      count += matches(line, "####-##-##T##:##:##Z INFO " + std::string(50, name)) ? 1 : 0;
    }
  }
  CHECK(count == 3 * kLines);
}

TEST_CASE("the second place gets each line without colours and without its end") {
  std::vector<std::string> lines;
  stderr_of([&] {
    log::Config config;
    config.stderr_is_terminal = true;
    log::configure(config);
    log::set_sink([&](log::Level, std::string_view line) { lines.emplace_back(line); });
    log::info("one");
    log::set_sink({});
    log::info("two");
  });
  REQUIRE(lines.size() == 1);
  CHECK(matches(lines[0], "####-##-##T##:##:##Z INFO one"));
}
