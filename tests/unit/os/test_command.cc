#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "hq/os/command.h"

namespace hq {
namespace {

using Steady = std::chrono::steady_clock;

std::vector<std::string> shell(std::string script) {
  return {"sh", "-c", std::move(script)};
}

TEST_CASE("a command's two outputs and its exit code are given back") {
  const auto done = run_command(shell("echo out; echo err >&2; exit 3"), 60s);

  REQUIRE(done.ok());
  CHECK(done->out == "out\n");
  CHECK(done->err == "err\n");
  CHECK(done->exit_code == 3);
  CHECK_FALSE(done->succeeded());
}

TEST_CASE("a command ended by a signal says which") {
  const auto done = run_command(shell("kill -9 $$"), 60s);

  REQUIRE(done.ok());
  CHECK(done->exit_code == -1);
  CHECK(done->signal == SIGKILL);
}

TEST_CASE("a program that is not there is an error with the system's text") {
  const auto done = run_command({"no-such-program-of-hq"}, 60s);

  REQUIRE_FALSE(done.ok());
  CHECK(done.error().message == "No such file or directory (os error 2)");
}

TEST_CASE("arguments are not read by a shell and stdin is empty") {
  CHECK(*run_for_output({"printf", "%s", "$HOME; *"}, 60s) == "$HOME; *");
  CHECK(run_for_output({"cat"}, 60s)->empty());
}

TEST_CASE("much output on both channels arrives whole") {
  const auto done =
      run_command(shell("head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait"), 60s);

  REQUIRE(done.ok());
  CHECK(done->out.size() == 3'000'000);
  CHECK(done->err.size() == 2'000'000);
}

TEST_CASE("a command that takes too long is killed with its children") {
  const Steady::time_point start = Steady::now();
  const auto done = run_command(shell("sleep 300 & echo $!; wait"), 100ms);

  REQUIRE_FALSE(done.ok());
  CHECK(done.error().message.find("did not end within 0.1 s") != std::string::npos);
  CHECK(Steady::now() - start < 30s);
}

TEST_CASE("a command that writes without end is stopped at the limit") {
  const auto done = run_command({"cat", "/dev/zero"}, 60s);

  REQUIRE_FALSE(done.ok());
  CHECK(done.error().message.find("wrote more than 16 MiB") != std::string::npos);
}

TEST_CASE("what a command leaves in the background is not waited for") {
  const Steady::time_point start = Steady::now();
  const auto text = run_for_output(shell("sleep 300 & echo $!"), 60s);

  REQUIRE(text.ok());
  CHECK(Steady::now() - start < 30s);
  const pid_t left = std::stoi(*text);
  CHECK(::kill(left, 0) == 0);
  ::kill(left, SIGKILL);
}

TEST_CASE("a failed command's error has its exit and its first line") {
  const auto text = run_for_output(shell("echo first >&2; echo second >&2; exit 4"), 60s);

  REQUIRE_FALSE(text.ok());
  CHECK(text.error().message.ends_with("exited with code 4: first"));
}

}  // namespace
}  // namespace hq
